/* SPDX-License-Identifier: Apache-2.0 */
/* What a key costs while another tier works: two models in one engine, a job of typing every so
 * many milliseconds on the small one, and beside it nothing, a long job on the large one, or the
 * large one being loaded and unloaded all the time.  One CSV line per case:
 *     case,jobs,p50_ms,p95_ms,max_ms,beside
 * beside: tokens that the large one read and wrote a second, or loads that ended.
 *
 *   bench_tiers SMALL.gguf LARGE.gguf [--jobs N] [--every MS] [--device cpu|cuda] */
#include <stdlib.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "engine/engine.h"

enum { SMALL, LARGE, JOBS_MAX = 2000 };
typedef enum { BESIDE_NOTHING, BESIDE_REVIEW, BESIDE_LOADS } beside;

typedef struct {
    engine *g;
    const char *path[2];
    bool loaded[2];
    int jobs, every_ms;
    job_id typing, review; /* 0: none runs */
    double took[JOBS_MAX];
    int done;
    double tokens;
    int loads;
    beside what;
    uint64_t serial;
} bench;

static void die(const char *sentence) {
    fprintf(stderr, "bench_tiers: %s\n", sentence);
    exit(1);
}

static void load(bench *b, int slot) {
    engine_load(b->g, slot, &(engine_model_options){.path = b->path[slot], .name = "bench"});
}

static void submit(bench *b, const engine_job *job, job_id *id) {
    err e;
    if (engine_submit(b->g, job, id, &e)) die(e.text);
}

/* A key: most of the prompt is in the cache, one new line of it is not. */
static void type(bench *b) {
    char prefix[4096];
    size_t n = 0;
    for (int i = 0; i < 40; i++)
        n += (size_t)snprintf(prefix + n, sizeof prefix - n, "static int value_%d = %d;\n", i, i);
    snprintf(prefix + n, sizeof prefix - n, "int other_%llu = value",
             (unsigned long long)++b->serial);
    submit(b,
           &(engine_job){.client = 1,
                         .slot = SMALL,
                         .priority = PRIO_TYPE,
                         .prompt = {.kind = PROMPT_TEXT, .prefix = str_of(prefix)},
                         .sampling = {.top_p = 1, .repeat_penalty = 1},
                         .tokens_max = 12,
                         .ignore_eog = true},
           &b->typing);
}

/* A review: a long prompt that nobody has seen, and a page of answer. */
static void review(bench *b) {
    strbuf text;
    strbuf_init(&text, 1u << 20);
    strbuf_addf(&text, "review %llu\n", (unsigned long long)++b->serial);
    for (int i = 0; i < 300; i++)
        strbuf_addf(&text, "if (count_%d > %d) return;\n", i, i * 7);
    submit(b,
           &(engine_job){.client = 2,
                         .slot = LARGE,
                         .priority = PRIO_BACKGROUND,
                         .prompt = {.kind = PROMPT_TEXT, .prefix = strbuf_str(&text)},
                         .sampling = {.top_p = 1, .repeat_penalty = 1},
                         .tokens_max = 200,
                         .ignore_eog = true},
           &b->review);
    strbuf_deinit(&text);
}

static void on_event(void *ud, const engine_event *ev) {
    bench *b = ud;
    if (ev->kind == EV_LOAD_FAILED) die(ev->error->text);
    if (ev->kind == EV_UNLOADED) b->loaded[ev->slot] = false;
    if (ev->kind == EV_LOADED) {
        b->loaded[ev->slot] = true;
        b->loads++;
        if (b->what == BESIDE_LOADS && ev->slot == LARGE) load(b, LARGE);
    }
    if (ev->kind != EV_DONE) return;
    const engine_result *r = ev->result;
    if (r->status && r->status != ERR_CANCELLED) die(r->error.text);
    if (ev->job == b->typing) {
        b->took[b->done++] = r->queue_ms + r->prefill_ms + r->decode_ms;
        b->typing = 0;
    } else if (ev->job == b->review) {
        b->tokens += r->prefilled + r->n_tokens;
        b->review = 0;
    }
}

static void pump(bench *b) {
    engine_drain(b->g, on_event, b);
    usleep(200);
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(bench *b, const char *name, beside what) {
    b->what = what;
    b->done = b->loads = 0;
    b->tokens = 0;
    if (what == BESIDE_LOADS) load(b, LARGE);
    double start = clock_ms(), next = start;
    while (b->done < b->jobs) {
        if (what == BESIDE_REVIEW && !b->review) review(b);
        if (!b->typing && clock_ms() >= next) {
            type(b);
            next = MAX(next + b->every_ms, clock_ms());
        }
        pump(b);
    }
    double seconds = (clock_ms() - start) / 1000;
    if (b->review) engine_cancel(b->g, b->review);
    b->what = BESIDE_NOTHING;
    while (b->review || !b->loaded[LARGE])
        pump(b);
    qsort(b->took, (size_t)b->done, sizeof b->took[0], by_size);
    double besides = what == BESIDE_LOADS ? b->loads : b->tokens / seconds;
    printf("%s,%d,%.1f,%.1f,%.1f,%.1f\n", name, b->done, b->took[b->done / 2],
           b->took[b->done * 95 / 100], b->took[b->done - 1], besides);
    fflush(stdout);
}

int main(int argc, char **argv) {
    if (argc < 3)
        die("usage: bench_tiers SMALL.gguf LARGE.gguf [--jobs N] [--every MS] [--device D]");
    bench *b = xcalloc(1, sizeof *b);
    *b = (bench){.path = {argv[1], argv[2]}, .jobs = 100, .every_ms = 300};
    k_device device = K_CPU;
    for (int i = 3; i + 1 < argc; i += 2) {
        int64_t n = 0;
        bool number = str_to_i64(str_of(argv[i + 1]), &n) && n > 0 && n < 100000;
        if (!strcmp(argv[i], "--jobs") && number) b->jobs = (int)MIN(n, JOBS_MAX);
        if (!strcmp(argv[i], "--every") && number) b->every_ms = (int)n;
        if (!strcmp(argv[i], "--device") && !strcmp(argv[i + 1], "cuda")) device = K_CUDA;
    }
    err e;
    if (engine_start(&b->g, &(engine_options){.device = device}, &e)) die(e.text);
    load(b, SMALL);
    load(b, LARGE);
    while (!b->loaded[SMALL] || !b->loaded[LARGE])
        pump(b);
    type(b); /* the common part of the prompts */
    while (b->typing)
        pump(b);
    printf("case,jobs,p50_ms,p95_ms,max_ms,beside\n");
    measure(b, "idle", BESIDE_NOTHING);
    measure(b, "review", BESIDE_REVIEW);
    measure(b, "loads", BESIDE_LOADS);
    measure(b, "idle again", BESIDE_NOTHING);
    engine_stop(b->g);
    xfree(b);
    return 0;
}
