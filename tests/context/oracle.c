/* SPDX-License-Identifier: Apache-2.0 */
/* How often the filters refuse the truth: a measuring tool, not a test.
 *
 *   context_oracle [--show N] [--blocks] FILE...
 *
 * At random cursors of real files the rest of the line is taken out and offered as the answer of a
 * perfect model; with --blocks
 * the body of a block instead.  What is not shown, or shown but does not give the
 * file back, is a mistake of ours.  A second pass offers the rest of another line (noise) and
 * counts how often it is refused.  Prints percentages and the times of assemble and finish.
 */
#include <time.h>

#include "context/context.h"
#include "context/context_private.h"
#include "engine/base/clock.h"
#include "engine/base/limits.h"

typedef struct {
    uint64_t state;
    int show;
    size_t cases, skipped, right, wrong, refused, noise, noise_refused;
    struct {
        const char *reason;
        size_t count;
    } reasons[32];
    VEC(float) assemble_ms;
    VEC(float) finish_ms;
} totals;

static size_t roll(totals *t, size_t below) {
    t->state = t->state * 6364136223846793005u + 1442695040888963407u;
    return below ? (size_t)(t->state >> 33) % below : 0;
}

static bool read_file(const char *path, strbuf *out) {
    FILE *f = fopen(path, "rb");
    if (!f) return false;
    char chunk[65536];
    size_t n;
    while ((n = fread(chunk, 1, sizeof chunk, f)) > 0)
        strbuf_add(out, chunk, n);
    fclose(f);
    return !out->overflow;
}

static void count_reason(totals *t, const char *reason) {
    for (size_t i = 0; i < COUNTOF(t->reasons); i++) {
        if (!t->reasons[i].reason) t->reasons[i].reason = reason;
        if (strcmp(t->reasons[i].reason, reason) != 0) continue;
        t->reasons[i].count++;
        return;
    }
}

/* Offers `raw` at `offset`; true when something is shown.  tidy: parameters */
static bool offer(totals *t, context *c, document *d, size_t offset, str raw, bool block, arena *a,
                  context_suggestion *out, const char **skip) {
    context_request rq = {.offset = offset, .multiline_allowed = block};
    context_prompt p;
    double start = clock_ms();
    context_assemble(c, d, &rq, a, &p);
    vec_push(&t->assemble_ms, (float)(clock_ms() - start));
    *skip = p.skip || (block && p.shape != SHAPE_BLOCK) ? (p.skip ? p.reason : "shape-line") : NULL;
    if (*skip) return false;
    context_answer answer = {.raw = raw, .complete = true};
    start = clock_ms();
    context_finish(c, d, &p, &answer, a, out);
    vec_push(&t->finish_ms, (float)(clock_ms() - start));
    return out->shown;
}

static void one_line(totals *t, context *c, const char *path, str text, document *whole) {
    size_t line = roll(t, document_line_count(whole));
    str full = document_line(whole, line);
    if (str_trim(full).len < 4) return;
    size_t column = roll(t, full.len);
    while (column < full.len && ((unsigned char)full.ptr[column] & 0xC0) == 0x80)
        column++;
    size_t from = document_line_start(whole, line) + column;
    str truth = str_sub(full, column, full.len);
    if (str_trim(truth).len == 0) return;
    t->cases++;
    strbuf cut;
    strbuf_init(&cut, 8u << 20);
    strbuf_add_str(&cut, str_sub(text, 0, from));
    strbuf_add_str(&cut, str_sub(text, from + truth.len, text.len));
    document *d;
    arena a;
    arena_init(&a);
    context_suggestion s = {0};
    const char *skip;
    if (context_open(c, STR("cut"), str_of(path), STR(""), strbuf_str(&cut), 1, &d, NULL) != OK)
        exit(1);
    while (!context_parse(d, LIMIT_PARSE_SLICE_US) && document_has_syntax(d)) {
    }
    bool shown = offer(t, c, d, from, truth, false, &a, &s, &skip);
    bool right = shown && str_eq(str_trim(s.text), str_trim(truth));
    t->skipped += skip != NULL;
    t->right += right;
    t->wrong += shown && !right;
    t->refused += !skip && !shown;
    if (!right) count_reason(t, skip ? skip : shown ? "(changed)" : s.reason);
    if (!right && t->show-- > 0)
        printf("%s:%zu %s\n  |%.*s<>%.*s|\n  |%.*s|\n", path, line + 1,
               skip    ? skip
               : shown ? "(changed)"
                       : s.reason,
               (int)column, full.ptr, STR_ARG(truth), STR_ARG(s.text));
    str other = document_line(whole, roll(t, document_line_count(whole)));
    other = str_sub(other, roll(t, other.len), other.len);
    if (!skip && str_trim(other).len > 3 && !str_eq(other, truth)) {
        t->noise++;
        t->noise_refused += !offer(t, c, d, from, other, false, &a, &s, &skip);
    }
    arena_deinit(&a);
    strbuf_deinit(&cut);
}

/* Takes the body behind a block's opener out and offers it, line end first. */
static void one_block(totals *t, context *c, const char *path, str text, document *whole) {
    size_t line = roll(t, document_line_count(whole)), body = line + 1, end = body;
    str header = document_line(whole, line);
    if (!language_opens_block(whole->language, header)) return;
    while (end < document_line_count(whole) && end - body < 9 &&
           document_indent(document_line(whole, end)) > document_indent(header) &&
           str_trim(document_line(whole, end)).len > 0)
        end++;
    str next = document_line(whole, end);
    if (end == body || end - body > 8 || str_trim(next).len == 0 ||
        document_indent(next) > document_indent(header))
        return;
    t->cases++;
    size_t from = document_line_start(whole, line) + header.len;
    size_t to = document_line_start(whole, end) - 1;
    str truth = str_sub(text, from, to);
    strbuf cut;
    strbuf_init(&cut, 8u << 20);
    strbuf_add_str(&cut, str_sub(text, 0, from));
    strbuf_add_str(&cut, str_sub(text, to, text.len));
    document *d;
    arena a;
    arena_init(&a);
    context_suggestion s = {0};
    const char *skip;
    if (context_open(c, STR("cut"), str_of(path), STR(""), strbuf_str(&cut), 1, &d, NULL) != OK)
        exit(1);
    while (!context_parse(d, LIMIT_PARSE_SLICE_US) && document_has_syntax(d)) {
    }
    bool shown = offer(t, c, d, from, truth, true, &a, &s, &skip);
    bool right = shown && str_eq(s.text, truth);
    t->skipped += skip != NULL;
    t->right += right;
    t->wrong += shown && !right;
    t->refused += !skip && !shown;
    const char *why = skip ? skip : shown ? "(changed)" : s.reason;
    if (!right) count_reason(t, why);
    if (!right && t->show-- > 0)
        printf("%s:%zu %s\n%.*s<>%.*s\n--- shown:\n%.*s\n", path, line + 1, why, STR_ARG(header),
               STR_ARG(truth), STR_ARG(s.text));
    arena_deinit(&a);
    strbuf_deinit(&cut);
}

static int by_value(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static void print_times(const char *name, float *at, size_t n) {
    if (n == 0) return;
    qsort(at, n, sizeof *at, by_value);
    printf("%s ms: p50 %.3f  p95 %.3f  p99 %.3f  max %.3f\n", name, (double)at[n / 2],
           (double)at[n * 95 / 100], (double)at[n * 99 / 100], (double)at[n - 1]);
}

static void print_totals(totals *t) {
    double n = t->cases ? (double)t->cases : 1;
    printf("%zu cursors: right %.1f %%, changed %.1f %%, refused %.1f %%, not asked %.1f %%\n",
           t->cases, 100 * (double)t->right / n, 100 * (double)t->wrong / n,
           100 * (double)t->refused / n, 100 * (double)t->skipped / n);
    for (size_t i = 0; i < COUNTOF(t->reasons) && t->reasons[i].reason; i++)
        printf("  %-20s %zu\n", t->reasons[i].reason, t->reasons[i].count);
    printf("noise refused: %zu of %zu\n", t->noise_refused, t->noise);
    print_times("assemble", t->assemble_ms.at, t->assemble_ms.count);
    print_times("finish", t->finish_ms.at, t->finish_ms.count);
}

/* Processor time: other programs on the machine must not look like our cost. */
static uint64_t cpu_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

int main(int argc, char **argv) {
    totals t = {.state = 1};
    clock_set_source(cpu_us);
    context *c = context_new();
    bool blocks = false;
    for (int i = 1; i < argc; i++) {
        int64_t number;
        if (strcmp(argv[i], "--show") == 0 && i + 1 < argc &&
            str_to_i64(str_of(argv[++i]), &number)) {
            t.show = (int)number;
            continue;
        }
        if (strcmp(argv[i], "--blocks") == 0) {
            blocks = true;
            continue;
        }
        strbuf text;
        strbuf_init(&text, 8u << 20);
        document *whole;
        if (!read_file(argv[i], &text) || context_open(c, STR("whole"), str_of(argv[i]), STR(""),
                                                       strbuf_str(&text), 1, &whole, NULL) != OK) {
            fprintf(stderr, "cannot read %s\n", argv[i]);
            return 1;
        }
        for (int k = 0; k < (blocks ? 400 : 40); k++)
            (blocks ? one_block : one_line)(&t, c, argv[i], document_text(whole), whole);
        strbuf_deinit(&text);
    }
    print_totals(&t);
    vec_free(&t.assemble_ms);
    vec_free(&t.finish_ms);
    context_free(c);
    return 0;
}
