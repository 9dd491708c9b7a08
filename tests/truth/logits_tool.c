/* SPDX-License-Identifier: Apache-2.0 */
/* The bridge between our backends and the truth tests: raw logits for given token ids.
 *
 *     truth_logits MODEL.gguf ref|cpu|cuda ROWS OUT < prompts
 *
 * Each input line is one prompt: token ids with commas between them.  OUT gets vocab f32 values for
 * each token, teacher forced: row p is what the model says after tokens 0..p.  ROWS tokens go
 * through one k_forward, so ROWS 1 is the way of decoding and a larger one the way of prefilling.
 * stdout gets the vocabulary's size and the backend's name.
 * It uses kernels and plans only: no engine thread, no KV reuse, no sampling.  Thread: main.
 */
#include <stdio.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/base/vec.h"
#include "engine/plan.h"

#define LINE_BYTES 65536
#define PROMPT_TOKENS 4096

typedef struct {
    gguf *file; /* the weights may be read from its mapping */
    plan plan;  /* likewise */
    k_backend *backend;
    k_model *model;
    int vocab, rows_max;
    int32_t pages[PROMPT_TOKENS / K_PAGE_TOKENS];
} bench;

static status device_of(const char *name, k_device *out, err *e) {
    static const struct {
        const char *name;
        k_device device;
    } devices[] = {{"ref", K_REF}, {"cpu", K_CPU}, {"cuda", K_CUDA}};
    for (size_t i = 0; i < sizeof devices / sizeof devices[0]; i++)
        if (strcmp(devices[i].name, name) == 0) {
            *out = devices[i].device;
            return OK;
        }
    return err_set(e, ERR_USAGE, "no device \"%s\"; there are ref, cpu and cuda", name);
}

static status bench_open(bench *b, const char *path, k_device device, err *e) {
    arch a;
    status s = gguf_open(&b->file, path, e);
    if (s == OK) s = arch_read(&a, b->file, e);
    if (s == OK) s = plan_build(&b->plan, &a, b->file, PROMPT_TOKENS, e);
    if (s == OK) s = k_open(&b->backend, &(k_options){.device = device}, e);
    if (s == OK) {
        b->vocab = b->plan.plan.vocab;
        k_model_options opt = {.plan = &b->plan.plan,
                               .kv_pages = PROMPT_TOKENS / K_PAGE_TOKENS,
                               .kv_type = KV_F16,
                               .rows_max = b->rows_max};
        s = k_model_new(&b->model, b->backend, &opt, e);
    }
    for (int32_t i = 0; i < PROMPT_TOKENS / K_PAGE_TOKENS; i++)
        b->pages[i] = i;
    return s;
}

static void bench_close(bench *b) {
    k_model_free(b->model);
    k_close(b->backend);
    plan_deinit(&b->plan);
    gguf_close(b->file);
}

/* One step of n <= rows_max rows from position `first`, and their logits to `out`. */
static status step(bench *b, const int32_t *ids, int first, int n, FILE *out, err *e) {
    int32_t pos[K_ROWS_MAX], seq[K_ROWS_MAX];
    uint8_t want[K_ROWS_MAX];
    for (int i = 0; i < n; i++) {
        pos[i] = first + i;
        seq[i] = 0;
        want[i] = 1;
    }
    const int32_t *pages = b->pages;
    k_batch batch = {.n = n,
                     .token = ids + first,
                     .pos = pos,
                     .seq = seq,
                     .pages = &pages,
                     .n_seqs = 1,
                     .want = want};
    status s = k_forward(b->model, &batch, e);
    for (int i = 0; s == OK && i < n; i++) {
        const float *row = k_logits(b->model, i);
        if (fwrite(row, sizeof *row, (size_t)b->vocab, out) != (size_t)b->vocab)
            s = err_set(e, ERR_IO, "the output could not be written; is the disk full?");
    }
    return s;
}

static status parse_ids(str line, int vocab, int32_t *ids, int *count, err *e) {
    str piece;
    *count = 0;
    while (str_split(&line, ',', &piece)) {
        int64_t id;
        if (!str_to_i64(str_trim(piece), &id) || id < 0 || id >= vocab)
            return err_set(e, ERR_FORMAT, "\"%.*s\" is no token id below %d", STR_ARG(piece),
                           vocab);
        if (*count == PROMPT_TOKENS) return err_set(e, ERR_LIMIT, "a prompt is too long");
        ids[(*count)++] = (int32_t)id;
    }
    return OK;
}

static status run_prompt(bench *b, str line, FILE *out, err *e) {
    int32_t ids[PROMPT_TOKENS];
    int count;
    status s = parse_ids(line, b->vocab, ids, &count, e);
    for (int first = 0; s == OK && first < count; first += b->rows_max) {
        int n = count - first < b->rows_max ? count - first : b->rows_max;
        s = step(b, ids, first, n, out, e);
    }
    return s;
}

static status run(bench *b, char *const *argv, FILE *out, err *e) {
    k_device device = K_REF;
    char line[LINE_BYTES];
    status s = device_of(argv[2], &device, e);
    if (s == OK) s = bench_open(b, argv[1], device, e);
    if (s == OK) printf("%d %s\n", b->vocab, k_backend_name(b->backend));
    while (s == OK && fgets(line, sizeof line, stdin))
        s = run_prompt(b, str_trim(str_of(line)), out, e);
    return s;
}

int main(int argc, char **argv) {
    err e = {{0}};
    bench b = {0};
    int64_t rows = 0;
    if (argc != 5 || !str_to_i64(str_of(argv[3]), &rows) || rows < 1 || rows > K_ROWS_MAX) {
        fprintf(stderr, "usage: truth_logits MODEL.gguf ref|cpu|cuda ROWS OUT < prompts\n");
        return 2;
    }
    b.rows_max = (int)rows;
    FILE *out = fopen(argv[4], "wb");
    status s = out ? run(&b, argv, out, &e) : err_set(&e, ERR_IO, "%s: cannot write", argv[4]);
    if (out && fclose(out) != 0 && s == OK) s = err_set(&e, ERR_IO, "%s: cannot write", argv[4]);
    bench_close(&b);
    if (s != OK) fprintf(stderr, "truth_logits: %s\n", e.text);
    return s == OK ? 0 : 1;
}
