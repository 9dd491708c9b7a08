/* SPDX-License-Identifier: Apache-2.0 */
/* llama_logits MODEL.gguf LIBRARIES ROWS OUT < prompts: what tests/truth/logits_tool.c is, by
 * llama.cpp on the card.  Each input line is one prompt, token ids with commas between them; OUT
 * gets the f32 logits of every position; ROWS tokens go through one call.  stdout gets the
 * vocabulary's size.  run.py compiles it against llama.cpp's headers and libraries.
 * Thread: main. */
#include <ggml-backend.h>
#include <llama.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOKENS = 4096, LINE = 65536 };

static void die(const char *what) {
    fprintf(stderr, "llama_logits: %s\n", what);
    exit(1);
}

static int parse(const char *line, llama_token *ids) {
    int n = 0;
    char *end;
    for (const char *at = line;; at = end + 1) {
        if (n == TOKENS) die("a prompt is too long");
        ids[n++] = (llama_token)strtol(at, &end, 10);
        if (*end != ',') return n;
    }
}

static void run_prompt(struct llama_context *context, int vocab, const llama_token *ids, int count,
                       int rows, FILE *out) {
    struct llama_batch b = llama_batch_init(rows, 0, 1);
    llama_memory_clear(llama_get_memory(context), true);
    for (int at = 0; at < count; at += rows) {
        b.n_tokens = rows < count - at ? rows : count - at;
        for (int i = 0; i < b.n_tokens; i++) {
            b.token[i] = ids[at + i];
            b.pos[i] = at + i;
            b.n_seq_id[i] = 1;
            b.seq_id[i][0] = 0;
            b.logits[i] = 1;
        }
        if (llama_decode(context, b) != 0) die("decode failed");
        for (int i = 0; i < b.n_tokens; i++)
            if (fwrite(llama_get_logits_ith(context, i), sizeof(float), (size_t)vocab, out) !=
                (size_t)vocab)
                die("the output could not be written");
    }
    llama_batch_free(b);
}

int main(int argc, char **argv) {
    static char line[LINE];
    static llama_token ids[TOKENS];
    if (argc != 5) die("usage: llama_logits MODEL.gguf LIBRARIES ROWS OUT < prompts");
    int rows = (int)strtol(argv[3], NULL, 10);
    ggml_backend_load_all_from_path(argv[2]);
    llama_backend_init();
    struct llama_model_params mp = llama_model_default_params();
    mp.n_gpu_layers = 999;
    struct llama_model *model = llama_model_load_from_file(argv[1], mp);
    if (!model) die("cannot load the model");
    struct llama_context_params cp = llama_context_default_params();
    cp.n_ctx = TOKENS;
    cp.n_batch = cp.n_ubatch = 512;
    cp.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_ENABLED;
    struct llama_context *context = llama_init_from_model(model, cp);
    if (!context || rows < 1 || rows > 512) die("cannot make a context");
    int vocab = llama_vocab_n_tokens(llama_model_get_vocab(model));
    FILE *out = fopen(argv[4], "wb");
    if (!out) die("cannot write");
    printf("%d\n", vocab);
    while (fgets(line, sizeof line, stdin))
        run_prompt(context, vocab, ids, parse(line, ids), rows, out);
    if (fclose(out) != 0) die("cannot write");
    llama_free(context);
    llama_model_free(model);
    return 0;
}
