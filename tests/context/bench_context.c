/* SPDX-License-Identifier: Apache-2.0 */
/* How long documents hold up the loop, in milliseconds of processor time; judges nothing.
 *
 *     bench_context            opening, a keystroke (edit, assemble, finish) near the start, the
 *                              middle and the end of files of several shapes
 *     bench_context FILE...    keys typed into pieces of real files as bench/gpu/keys.py does, with
 *                              three kinds of answers: the file's own lines, lines of another
 *                              place, and words in no order, which the syntax filter tries in all
 *                              ways.  `results` is a hash of all prompts and suggestions: two
 *                              builds that print the same suggest the same.  No brake stops a
 *                              parse here, so that this does not hang on the machine's speed.
 */
#include <time.h>

#include "context/context.h"
#include "context/context_private.h"
#include "engine/base/clock.h"
#include "engine/base/file.h"
#include "engine/base/hash.h"
#include "engine/base/limits.h"

#define KEYS 200

#define BEFORE 6000
#define AFTER 2400
#define PIECES 12     /* of a file, with a document each */
#define PIECE_KEYS 25 /* typed in each */
#define FILE_BYTES (8u << 20)

/* Processor time: other programs on the machine must not look like our cost. */
static uint64_t cpu_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

static double cpu_ms(void) {
    return (double)cpu_us() / 1000;
}

static uint64_t no_time(void) {
    return 0;
}

static double percentile(double *at, size_t n, size_t percent) {
    for (size_t i = 1; i < n; i++) {
        double x = at[i];
        size_t k = i;
        for (; k > 0 && at[k - 1] > x; k--)
            at[k] = at[k - 1];
        at[k] = x;
    }
    return at[(n - 1) * percent / 100];
}

static void type_at(context *c, document *d, size_t offset, const char *where) {
    static const char python[] =
        "def new(a, b):\n    x = foo(a, b)\n    y = [1, 2]\n    return x + y\n\n";
    static const char other[] =
        "int new(int a, int b) {\n    int x = foo(a, b);\n    return x + b;\n}\n\n";
    bool is_python = strcmp(document_language(d), "python") == 0;
    const char *typed = is_python ? python : other;
    size_t n = is_python ? sizeof python - 1 : sizeof other - 1;
    double edit[KEYS], assemble[KEYS], finish[KEYS];
    arena a;
    arena_init(&a);
    for (size_t i = 0; i < KEYS; i++) {
        context_prompt p;
        context_suggestion s;
        context_answer answer = {.raw = STR("a, b)\n"), .complete = true};
        double start = clock_ms();
        if (document_edit(d, offset, offset, (str){typed + i % n, 1}, NULL) != OK) exit(1);
        edit[i] = clock_ms() - start;
        offset++;
        start = clock_ms();
        context_assemble(c, d, &(context_request){.offset = offset, .invoked = true}, &a, &p);
        assemble[i] = clock_ms() - start;
        start = clock_ms();
        if (!p.skip) context_finish(c, d, &p, &answer, &a, &s);
        finish[i] = clock_ms() - start;
        arena_clear(&a);
    }
    printf(
        "  %-7s edit p50 %.3f p99 %.3f   assemble p50 %.3f p99 %.3f   finish p50 %.3f p99 %.3f\n",
        where, percentile(edit, KEYS, 50), percentile(edit, KEYS, 99),
        percentile(assemble, KEYS, 50), percentile(assemble, KEYS, 99),
        percentile(finish, KEYS, 50), percentile(finish, KEYS, 99));
    arena_deinit(&a);
}

static void measure(const char *name, const char *path, str text) {
    context *c = context_new();
    document *d;
    double start = clock_ms();
    if (context_open(c, STR("u"), str_of(path), STR(""), text, 1, &d, NULL) != OK) exit(1);
    printf("%s: %zu bytes, %zu lines, open %.1f ms", name, text.len, document_line_count(d),
           clock_ms() - start);
    int slices = 1;
    start = clock_ms();
    while (document_has_syntax(d) && !context_parse(d, LIMIT_PARSE_SLICE_US))
        slices++;
    printf(", %d more slices %.1f ms\n", slices - 1, clock_ms() - start);
    size_t line = document_line_count(d) / 2;
    for (size_t i = 0; i < 100 && document_line(d, line).len > 0; i++)
        line++;
    size_t middle = document_line_start(d, line);
    type_at(c, d, 0, "start");
    type_at(c, d, middle, "middle");
    type_at(c, d, document_text(d).len, "end");
    context_free(c);
}

/* ---- real files ------------------------------------------------------------------------------ */

typedef enum { ANSWER_OWN, ANSWER_OTHER, ANSWER_WORDS, ANSWERS } answer_kind;

typedef struct {
    str file;
    uint64_t random;
    double assemble[ANSWERS], finish[ANSWERS];
    size_t keys, shown[ANSWERS];
    uint64_t results;
} replay;

static size_t draw(replay *r, size_t below) {
    r->random = r->random * 6364136223846793005u + 1442695040888963407u;
    return (size_t)((r->random >> 33) % below);
}

static str lines_at(str text, size_t at, size_t n) {
    size_t end = at;
    while (end < text.len && n)
        n -= text.ptr[end++] == '\n';
    return str_sub(text, at, end);
}

/* Two dozen pieces of the file as a model of random weights has tokens. */
static str words(replay *r, arena *a) {
    char *out = arena_alloc(a, 400);
    size_t n = 0;
    for (int i = 0; i < 24; i++) {
        size_t len = 1 + draw(r, 8), at = draw(r, r->file.len - len);
        memcpy(out + n, r->file.ptr + at, len);
        n += len;
        if (draw(r, 12) == 0) out[n++] = '\n';
    }
    return (str){out, n};
}

static str answer_of(replay *r, answer_kind kind, size_t cursor, arena *a) {
    if (kind == ANSWER_WORDS) return words(r, a);
    size_t at = kind == ANSWER_OWN ? cursor : draw(r, r->file.len);
    return lines_at(r->file, at, 1 + draw(r, 4));
}

static void add_result(replay *r, const context_prompt *p, const context_suggestion *s) {
    uint64_t h = hash64(r->results, p->reason, strlen(p->reason));
    h = hash64(h, p->scope, strlen(p->scope));
    h = hash64(h, p->prefix.ptr, p->prefix.len);
    h = hash64(h, p->suffix.ptr, p->suffix.len);
    h = hash64(h, s->reason, strlen(s->reason));
    h = hash64(h, s->text.ptr, s->text.len);
    r->results = hash64(h, &s->to, sizeof s->to);
}

/* The key before `offset` has been typed; `cursor` is where its text stands in the file. */
static void ask(replay *r, context *c, document *d, size_t offset, size_t cursor) {
    arena a;
    arena_init(&a);
    context_request rq = {.offset = offset,
                          .prefix_bytes_max = BEFORE + PIECE_KEYS,
                          .suffix_bytes_max = AFTER,
                          .multiline_allowed = true};
    for (answer_kind kind = 0; kind < ANSWERS; kind++) {
        context_prompt p;
        context_suggestion s = {.reason = ""};
        str raw = answer_of(r, kind, cursor, &a);
        context_answer answer = {.raw = raw, .complete = true};
        double start = cpu_ms();
        context_assemble(c, d, &rq, &a, &p);
        if (kind == 0) r->assemble[0] += cpu_ms() - start; /* later ones find a parsed text */
        if (kind == ANSWER_WORDS) p.shape = SHAPE_BLOCK;
        start = cpu_ms();
        if (!p.skip) context_finish(c, d, &p, &answer, &a, &s);
        r->finish[kind] += cpu_ms() - start;
        r->shown[kind] += s.shown;
        add_result(r, &p, &s);
    }
    r->keys++;
    arena_deinit(&a);
}

/* Types the file's own bytes, or at every second place letters as keys.py does. */
static void type_piece(replay *r, context *c, const char *path, size_t at, bool letters) {
    size_t end = at;
    while (end < r->file.len && r->file.ptr[end] != '\n')
        end++;
    end = MIN(end + 1, r->file.len);
    str before = str_sub(r->file, end - MIN(end, BEFORE), end);
    size_t cursor = end + (letters ? 0 : PIECE_KEYS);
    strbuf text;
    strbuf_init(&text, (size_t)2 * (BEFORE + AFTER));
    strbuf_add_str(&text, before);
    if (letters) strbuf_add_str(&text, STR("    "));
    size_t offset = text.len;
    if (letters) strbuf_add_char(&text, '\n');
    strbuf_add_str(&text, str_sub(r->file, cursor, cursor + AFTER));
    document *d;
    if (context_open(c, STR("u"), str_of(path), STR(""), strbuf_str(&text), 1, &d, NULL) != OK)
        exit(1);
    if (d->tree) (void)context_query(c, syntax_grammar(d->tree)); /* once for a language */
    for (size_t i = 0; i < PIECE_KEYS; i++) {
        char key = letters ? (char)('a' + i * 7 % 26) : r->file.ptr[end + i];
        if (document_edit(d, offset, offset, (str){&key, 1}, NULL) != OK) exit(1);
        offset++;
        ask(r, c, d, offset, letters ? end : end + i + 1);
    }
    context_close(c, d);
    strbuf_deinit(&text);
}

static void replay_file(const char *path) {
    strbuf text;
    err e = {{0}};
    strbuf_init(&text, FILE_BYTES);
    if (file_read(path, FILE_BYTES, &text, &e) || text.len < 4096) {
        fprintf(stderr, "%s: %s\n", path, e.text[0] ? e.text : "at least 4 KiB are needed");
        exit(1);
    }
    replay r = {.file = strbuf_str(&text), .random = 1};
    context *c = context_new();
    for (size_t i = 0; i < text.len; i++) /* keys are bytes */
        if ((unsigned char)text.ptr[i] >= 0x80) text.ptr[i] = '?';
    for (size_t i = 0; i < PIECES; i++)
        type_piece(&r, c, path, draw(&r, text.len - 2 * PIECE_KEYS), i % 2);
    context_free(c);
    double n = (double)r.keys;
    printf("%s: %zu keys, assemble %.3f, finish: own lines %.3f, other lines %.3f, words %.3f; "
           "shown %zu, %zu, %zu; results %016llx\n",
           path, r.keys, r.assemble[0] / n, r.finish[ANSWER_OWN] / n, r.finish[ANSWER_OTHER] / n,
           r.finish[ANSWER_WORDS] / n, r.shown[ANSWER_OWN], r.shown[ANSWER_OTHER],
           r.shown[ANSWER_WORDS], (unsigned long long)r.results);
    strbuf_deinit(&text);
}

int main(int argc, char **argv) {
    strbuf text;
    clock_set_source(argc > 1 ? no_time : cpu_us);
    for (int i = 1; i < argc; i++)
        replay_file(argv[i]);
    if (argc > 1) return 0;
    strbuf_init(&text, LIMIT_DOCUMENT_BYTES);
    for (int i = 0; i < 300; i++)
        strbuf_addf(&text, "def f%d(a, b):\n    return a + b\n\n", i);
    measure("900 lines of Python", "a.py", strbuf_str(&text));
    while (text.len + 100 < LIMIT_PARSE_BYTES)
        strbuf_addf(&text, "def f%zu(a, b):\n    x = [a, b]\n    return x\n\n", text.len);
    measure("2 MiB of Python", "a.py", strbuf_str(&text));
    for (int i = 0; i < 60000; i++)
        strbuf_addf(&text, "    value_%d = %d\n", i, i);
    measure("more lines than are parsed", "a.py", strbuf_str(&text));
    strbuf_clear(&text);
    for (int i = 0; i < 20000; i++)
        strbuf_addf(&text, "int f%d(int a) {\n    return a + %d;\n}\n\n", i, i);
    measure("80,000 lines of C", "a.c", strbuf_str(&text));
    strbuf_clear(&text);
    while (text.len < 5u << 20)
        strbuf_add_str(&text, STR("var a=1,b=[2,3];"));
    measure("one line of 5 MiB", "a.js", strbuf_str(&text));
    strbuf_clear(&text);
    while (text.len + 8 < LIMIT_DOCUMENT_BYTES)
        strbuf_add_str(&text, STR("\r\r\n\n"));
    measure("64 MiB of line ends", "a.txt", str_sub(strbuf_str(&text), 0, text.len - 1024));
    strbuf_deinit(&text);
    return 0;
}
