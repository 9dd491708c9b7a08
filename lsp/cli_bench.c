/* SPDX-License-Identifier: Apache-2.0 */
/* `inlined bench`: what a user gets from a model on this machine, measured through the engine, as
 * every completion runs: tokens/s of prefill and decode at several depths of the cache, the time to
 * the first token and after one key, memory, and how much of the memory bandwidth decoding uses.
 *
 * Every step is a job.  At a depth, `depth` tokens are in the cache from a job before; ids behind
 * them differ from run to run, so that nothing more is reused.  Decoding takes one token per step:
 * guesses would measure the text.  Thread: main. */
#include "lsp/cli_bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "lsp/cli_engine.h"

#define PREFILL 512
#define DECODE 64
#define RUNS 3
#define BUDGET_MS 90000 /* no further depth is begun after this long */
#define BANDWIDTH_BYTES_MIN ((uint64_t)64 << 20)
#define BANDWIDTH_BYTES_MAX ((uint64_t)1 << 30)

static const int depths[BENCH_DEPTHS] = {0, 512, 2048, 4096};

typedef struct {
    const cli_args *args;
    cli_engine *engine;
    int32_t *ids; /* of the longest prompt */
    bench_point points[BENCH_DEPTHS];
    int n;
    engine_result result; /* of the last job, without what it pointed to */
    double bandwidth;     /* bytes/s; 0: not measured */
    int salt;             /* grows with every run */
} bench;

static void on_result(void *ud, const engine_result *r) {
    bench *b = ud;
    b->result = *r;
}

/* The ids from `from` on become new ones. */
static void renew(bench *b, int from, int to) {
    int vocab = cli_engine_info(b->engine)->vocab;
    b->salt++;
    for (int i = from; i < to; i++)
        b->ids[i] = (int32_t)(((int64_t)i * 7919 + (int64_t)b->salt * 104729) % vocab);
}

static status run_job(bench *b, int prompt, int tokens, err *e) {
    const engine_job job = {
        .priority = PRIO_USER,
        .prompt = {.kind = PROMPT_TOKENS, .tokens = b->ids, .n_tokens = (size_t)prompt},
        .sampling = {.top_p = 1, .repeat_penalty = 1},
        .tokens_max = tokens,
        .stop = STOP_NONE,
        .ignore_eog = true,
        .no_guesses = true,
    };
    const cli_job_hooks hooks = {on_result, NULL, b};
    return cli_engine_run(b->engine, &job, &hooks, e);
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values) {
    qsort(values, RUNS, sizeof *values, compare);
    return values[RUNS / 2];
}

static status measure(bench *b, int depth, err *e) {
    double prefill[RUNS], decode[RUNS], first[RUNS], key[RUNS];
    status s = OK;
    if (depth > 0) s = run_job(b, depth, 1, e); /* into the cache */
    for (int i = 0; s == OK && i < RUNS; i++) {
        renew(b, depth, depth + PREFILL);
        s = run_job(b, depth + PREFILL, DECODE, e);
        if (s != OK) return s;
        const engine_result *r = &b->result;
        prefill[i] = r->prefilled / MAX(r->prefill_ms, 1e-3) * 1000;
        decode[i] = (r->n_tokens - 1) / MAX(r->decode_ms, 1e-3) * 1000;
        first[i] = r->queue_ms + r->prefill_ms;
        renew(b, depth + PREFILL - 1, depth + PREFILL); /* the last token becomes another */
        s = run_job(b, depth + PREFILL, 1, e);
        key[i] = b->result.queue_ms + b->result.prefill_ms;
    }
    if (s != OK) return s;
    b->points[b->n++] =
        (bench_point){depth, median(prefill), median(decode), median(first), median(key)};
    return OK;
}

static status measure_all(bench *b, err *e) {
    const engine_model_info *info = cli_engine_info(b->engine);
    double start = clock_ms();
    status s = OK;
    b->ids = xcalloc((size_t)(depths[BENCH_DEPTHS - 1] + PREFILL), sizeof *b->ids);
    renew(b, 0, depths[BENCH_DEPTHS - 1] + PREFILL);
    s = run_job(b, MIN(PREFILL, info->context_tokens / 2), 2, e); /* not counted: pages, clocks */
    for (int i = 0; s == OK && i < BENCH_DEPTHS; i++) {
        int depth = depths[i];
        if (depth + PREFILL + DECODE > info->context_tokens || depth > b->args->depth) break;
        if (clock_ms() - start > BUDGET_MS) break;
        s = measure(b, depth, e);
    }
    if (s == OK && b->n == 0)
        s = err_set(e, ERR_LIMIT, "a context of %d tokens is too short to measure; at least %d",
                    info->context_tokens, PREFILL + DECODE);
    return s;
}

static void measure_device(bench *b) {
    k_backend *device = NULL;
    err ignored;
    if (k_open(&device, &(k_options){.device = K_CUDA}, &ignored) != OK) return;
    b->bandwidth = k_device_bandwidth(device);
    k_close(device);
}

/* On a CPU, read what a step reads: as many bytes as the weights have, with as many threads.  On a
 * device, copy within its memory. */
static void measure_bandwidth(bench *b) {
    const engine_model_info *info = cli_engine_info(b->engine);
    if (info->on_device) measure_device(b);
    if (strncmp(info->backend, "cpu", 3) != 0) return;
    uint64_t bytes = MAX(BANDWIDTH_BYTES_MIN, MIN(info->memory.weight_bytes, BANDWIDTH_BYTES_MAX));
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    int threads = b->args->threads ? (int)b->args->threads : (int)MAX(cores, 1);
    b->bandwidth = bench_bandwidth(threads, (size_t)bytes);
}

/* The part of the bandwidth that reading every weight once per token takes. */
static double share(const bench *b, const bench_point *p) {
    const engine_model_info *info = cli_engine_info(b->engine);
    /* A device also holds its weights a second time, for prompts. */
    double weights = (double)(info->on_device ? info->file_bytes : info->memory.weight_bytes);
    return b->bandwidth > 0 ? p->decode * weights / b->bandwidth : 0;
}

/* Three decimals are more than a busy machine repeats. */
static void add_number(cJSON *o, const char *name, double x) {
    cJSON_AddNumberToObject(o, name, round(x * 1000) / 1000);
}

static status write_json(const bench *b, double peak, err *e) {
    const engine_model_info *info = cli_engine_info(b->engine);
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "model", cli_engine_name(b->engine));
    cJSON_AddStringToObject(o, "quant", info->quant);
    cJSON_AddStringToObject(o, "backend", info->backend);
    add_number(o, "load_ms", info->load_ms);
    cJSON *memory = cJSON_AddObjectToObject(o, "memory_bytes");
    cJSON_AddNumberToObject(memory, "weights", (double)info->memory.weight_bytes);
    cJSON_AddNumberToObject(memory, "kv", (double)info->memory.kv_bytes);
    cJSON_AddNumberToObject(memory, "work", (double)info->memory.work_bytes);
    cJSON_AddNumberToObject(memory, "peak", peak);
    add_number(o, "bandwidth_bytes_per_s", round(b->bandwidth));
    cJSON *points = cJSON_AddArrayToObject(o, "points");
    for (int i = 0; i < b->n; i++) {
        const bench_point *p = &b->points[i];
        cJSON *point = cJSON_CreateObject();
        cJSON_AddNumberToObject(point, "depth", p->depth);
        add_number(point, "prefill_tokens_per_s", p->prefill);
        add_number(point, "decode_tokens_per_s", p->decode);
        add_number(point, "first_token_ms", p->first_ms);
        add_number(point, "key_ms", p->key_ms);
        if (b->bandwidth > 0) add_number(point, "bandwidth_share", share(b, p));
        cJSON_AddItemToArray(points, point);
    }
    return term_write_json(o, e);
}

static status write_table(const bench *b, double peak, err *e) {
    const engine_model_info *info = cli_engine_info(b->engine);
    strbuf out;
    strbuf_init(&out, 1u << 16);
    strbuf_addf(&out, "%s (%s, %.0f MB), %s\n", cli_engine_name(b->engine), info->quant,
                (double)info->file_bytes / 1e6, info->backend);
    strbuf_addf(&out,
                "loaded in %.1f s; weights %.0f MB, KV for %d tokens %.0f MB, work %.0f MB; the "
                "process had at most %.0f MB\n",
                info->load_ms / 1000, (double)info->memory.weight_bytes / 1e6, info->context_tokens,
                (double)info->memory.kv_bytes / 1e6, (double)info->memory.work_bytes / 1e6,
                peak / 1e6);
    if (b->bandwidth > 0)
        strbuf_addf(&out, "this %s %.1f GB/s\n",
                    info->on_device ? "device copies" : "machine reads", b->bandwidth / 1e9);
    strbuf_addf(&out, "\n%8s%14s%15s%14s%13s%13s\n", "depth", "prefill 512", "first token",
                "after a key", "decode 64", "bandwidth");
    for (int i = 0; i < b->n; i++) {
        const bench_point *p = &b->points[i];
        strbuf_addf(&out, "%8d%10.0f t/s%12.0f ms%11.1f ms%9.1f t/s", p->depth, p->prefill,
                    p->first_ms, p->key_ms, p->decode);
        if (b->bandwidth > 0) strbuf_addf(&out, "%11.0f %%", 100 * share(b, p));
        strbuf_add_char(&out, '\n');
    }
    status s = term_write(strbuf_str(&out), e);
    strbuf_deinit(&out);
    return s;
}

status bench_measure_one(const cli_args *a, cli_engine *c, bench_point *out, err *e) {
    cli_args at_zero = *a;
    at_zero.depth = 0;
    bench b = {.args = &at_zero, .engine = c};
    status s = measure_all(&b, e);
    if (s == OK) *out = b.points[0];
    xfree(b.ids);
    return s;
}

status bench_write_plot(const char *path, str svg, err *e) {
    FILE *f = fopen(path, "w");
    bool good = f && fwrite(svg.ptr, 1, svg.len, f) == svg.len;
    if (f && fclose(f) != 0) good = false;
    if (good) return OK;
    return err_set(e, ERR_IO, "cannot write the plot to %s; is there such a folder, and space?",
                   path);
}

static status write_plot(const bench *b, err *e) {
    char title[256];
    snprintf(title, sizeof title, "%s, %s", cli_engine_name(b->engine),
             cli_engine_info(b->engine)->backend);
    strbuf svg;
    strbuf_init(&svg, 1u << 16);
    bench_plot(&svg, title, b->points, b->n);
    status s = bench_write_plot(b->args->plot, strbuf_str(&svg), e);
    strbuf_deinit(&svg);
    return s;
}

status cli_bench(const cli_args *a, err *e) {
    bench b = {.args = a};
    settings st;
    status s = cli_settings(a, &st, e);
    if (s == OK && a->matrix) return bench_matrix(a, &st, e);
    if (s == OK && a->n_operands)
        s = err_set(e, ERR_USAGE, "bench takes names of models with --matrix; else --model");
    if (s == OK) s = cli_engine_open(&b.engine, &st, e);
    if (s == OK) s = measure_all(&b, e);
    if (s == OK) {
        double peak = bench_peak_memory(); /* before the bandwidth's own memory */
        measure_bandwidth(&b);
        s = a->json ? write_json(&b, peak, e) : write_table(&b, peak, e);
    }
    if (s == OK && a->plot) s = write_plot(&b, e);
    cli_engine_close(b.engine);
    xfree(b.ids);
    return s;
}
