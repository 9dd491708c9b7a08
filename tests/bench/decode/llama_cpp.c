/* SPDX-License-Identifier: Apache-2.0 */
/* llama_cpp MODEL.gguf THREADS|cuda FLASH(0|1) LIBRARIES [CPU]: llama.cpp's side of decode.py and
 * ../gpu/run.py (runner.h has the conversation), over its C interface: no binding in between.
 * LIBRARIES is the folder with its libggml-*.so; the best for this processor is taken, or the one
 * that CPU names ("zen4"); with cuda every layer goes to the card.  CPU "many" there opens 8
 * sequences instead of one.  They are compiled against llama.cpp's headers and shared libraries.
 * Thread: main. */
#include <ggml-backend.h>
#include <llama.h>
#include <string.h>

#include "tests/bench/decode/runner.h"

#define BATCH 512       /* what its llama-bench takes: n_ubatch, */
#define BATCH_CUDA 2048 /* and n_batch */

typedef struct {
    struct llama_context *context;
    int vocab;
} theirs;

static void quiet(enum ggml_log_level level, const char *text, void *ud) {
    (void)ud;
    if (level == GGML_LOG_LEVEL_ERROR) fputs(text, stderr);
}

static void die(const char *what) {
    fprintf(stderr, "llama_cpp: %s\n", what);
    exit(1);
}

static void feed(void *ud, int sequence, int from, int to, int step) {
    theirs *t = ud;
    struct llama_batch b = llama_batch_init(BATCH_CUDA, 0, 1);
    llama_memory_seq_rm(llama_get_memory(t->context), sequence, from, -1);
    for (int at = from; at < to; at += step) {
        b.n_tokens = step < to - at ? step : to - at;
        for (int i = 0; i < b.n_tokens; i++) {
            b.token[i] = runner_token(at + i, t->vocab);
            b.pos[i] = at + i;
            b.n_seq_id[i] = 1;
            b.seq_id[i][0] = sequence;
            b.logits[i] = at + i == to - 1 || step == 1;
        }
        if (llama_decode(t->context, b) != 0) die("decode failed");
        llama_synchronize(t->context);
    }
    llama_batch_free(b);
}

static void together(void *ud, int n, int at) {
    theirs *t = ud;
    struct llama_batch b = llama_batch_init(n, 0, 1);
    b.n_tokens = n;
    for (int q = 0; q < n; q++) {
        llama_memory_seq_rm(llama_get_memory(t->context), q, at, -1);
        b.token[q] = runner_token(at + q, t->vocab);
        b.pos[q] = at;
        b.n_seq_id[q] = 1;
        b.seq_id[q][0] = q;
        b.logits[q] = 1;
    }
    if (llama_decode(t->context, b) != 0) die("decode failed");
    llama_synchronize(t->context);
    llama_batch_free(b);
}

static void load_backends(const char *folder, const char *cpu) {
    if (!cpu) {
        ggml_backend_load_all_from_path(folder);
        return;
    }
    char path[4096];
    snprintf(path, sizeof path, "%s/libggml-cpu-%s.so", folder, cpu);
    if (!ggml_backend_load(path)) die("this processor cannot run that variant");
}

/* "CPU : SSE3 = 1 | ... | AMX_INT8 = 1 |" in short: the last word is enough to know it by. */
static const char *variant(void) {
    const char *info = llama_print_system_info();
    if (strstr(info, "AMX_INT8 = 1")) return "AMX";
    if (strstr(info, "AVX512_VNNI = 1")) return "AVX-512 VNNI";
    if (strstr(info, "AVX2 = 1")) return "AVX2";
    return info;
}

static struct llama_context *open_context(struct llama_model *model, char **argv, bool cuda,
                                          bool many) {
    struct llama_context_params cp = llama_context_default_params();
    cp.n_ctx = RUNNER_TOKENS;
    cp.n_batch = cuda ? BATCH_CUDA : BATCH;
    cp.n_ubatch = BATCH;
    cp.n_seq_max = many ? RUNNER_SEQUENCES : 1;
    if (!cuda) cp.n_threads = cp.n_threads_batch = (int32_t)strtol(argv[2], NULL, 10);
    cp.flash_attn_type =
        argv[3][0] == '1' ? LLAMA_FLASH_ATTN_TYPE_ENABLED : LLAMA_FLASH_ATTN_TYPE_DISABLED;
    struct llama_context *context = llama_init_from_model(model, cp);
    if (!context) die("cannot make a context");
    return context;
}

int main(int argc, char **argv) {
    if (argc < 5) die("usage: llama_cpp MODEL.gguf THREADS|cuda FLASH LIBRARIES [CPU|many]");
    bool cuda = strcmp(argv[2], "cuda") == 0, many = cuda && argc > 5;
    llama_log_set(quiet, NULL);
    load_backends(argv[4], argc > 5 && !cuda ? argv[5] : NULL);
    llama_backend_init();
    struct llama_model_params mp = llama_model_default_params();
    mp.n_gpu_layers = cuda ? 999 : 0;
    double start = runner_seconds();
    struct llama_model *model = llama_model_load_from_file(argv[1], mp);
    if (!model) die("cannot load the model");
    theirs t = {.context = open_context(model, argv, cuda, many),
                .vocab = llama_vocab_n_tokens(llama_model_get_vocab(model))};
    feed(&t, 0, 0, 1, 1);
    char name[128];
    snprintf(name, sizeof name, "llama.cpp %s (%s)", llama_version(), cuda ? "CUDA" : variant());
    runner r = {name, cuda ? BATCH_CUDA : BATCH, runner_seconds() - start, &t, feed, together};
    runner_serve(&r);
    llama_free(t.context);
    llama_model_free(model);
    return 0;
}
