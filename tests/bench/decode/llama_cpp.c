/* SPDX-License-Identifier: Apache-2.0 */
/* llama_cpp MODEL.gguf THREADS FLASH(0|1) LIBRARIES [CPU]: llama.cpp's side of decode.py (runner.h
 * has the conversation), over its C interface: no binding in between.  LIBRARIES is the folder with
 * its libggml-cpu-*.so; the best for this processor is taken, or the one that CPU names ("zen4").
 * decode.py compiles it against llama.cpp's headers and shared libraries.  Thread: main. */
#include <ggml-backend.h>
#include <llama.h>
#include <string.h>

#include "tests/bench/decode/runner.h"

#define BATCH 512

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

static void feed(void *ud, int from, int to, int step) {
    theirs *t = ud;
    llama_token token[BATCH];
    llama_memory_seq_rm(llama_get_memory(t->context), 0, from, -1);
    for (int at = from; at < to; at += step) {
        int rows = step < to - at ? step : to - at;
        for (int i = 0; i < rows; i++)
            token[i] = runner_token(at + i, t->vocab);
        if (llama_decode(t->context, llama_batch_get_one(token, rows)) != 0) die("decode failed");
        llama_synchronize(t->context);
    }
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

int main(int argc, char **argv) {
    if (argc < 5) die("usage: llama_cpp MODEL.gguf THREADS FLASH LIBRARIES [CPU]");
    llama_log_set(quiet, NULL);
    load_backends(argv[4], argc > 5 ? argv[5] : NULL);
    llama_backend_init();
    struct llama_model_params mp = llama_model_default_params();
    mp.n_gpu_layers = 0;
    struct llama_model *model = llama_model_load_from_file(argv[1], mp);
    if (!model) die("cannot load the model");
    struct llama_context_params cp = llama_context_default_params();
    cp.n_ctx = RUNNER_TOKENS;
    cp.n_batch = cp.n_ubatch = BATCH;
    cp.n_threads = cp.n_threads_batch = (int32_t)strtol(argv[2], NULL, 10);
    cp.flash_attn_type =
        argv[3][0] == '1' ? LLAMA_FLASH_ATTN_TYPE_ENABLED : LLAMA_FLASH_ATTN_TYPE_DISABLED;
    theirs t = {.context = llama_init_from_model(model, cp),
                .vocab = llama_vocab_n_tokens(llama_model_get_vocab(model))};
    if (!t.context) die("cannot make a context");
    feed(&t, 0, 1, 1);
    char name[128];
    snprintf(name, sizeof name, "llama.cpp %s (%s)", llama_version(), variant());
    runner_serve(name, BATCH, feed, &t);
    llama_free(t.context);
    llama_model_free(model);
    return 0;
}
