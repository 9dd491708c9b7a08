/* SPDX-License-Identifier: Apache-2.0 */
/* Tokenizes for the truth tests:  tokenize_tool MODEL.gguf [--special] [--frames] [--time N]
 *
 * Reads stdin: one text, or with --frames many, each behind its length (4 bytes, little endian),
 * and prints one line of ids per text.  With --time it encodes N times and prints the best time in
 * milliseconds and the number of tokens instead. */
#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/tokenizer.h"

typedef struct {
    const char *model;
    bool special, frames;
    int64_t times;
} options;

static void read_all(strbuf *in) {
    char block[65536];
    size_t n;
    while ((n = fread(block, 1, sizeof block, stdin)) > 0)
        strbuf_add(in, block, n);
}

static int print_ids(const tokenizer *t, const options *o, str text) {
    token_vec ids = {0};
    err e;
    status s = tokenizer_encode(t, text, o->special, &ids, &e);
    if (s != OK) fprintf(stderr, "%s\n", e.text);
    for (size_t i = 0; i < ids.count; i++)
        printf(i ? " %d" : "%d", ids.at[i]);
    printf("\n");
    vec_free(&ids);
    return s == OK ? 0 : 1;
}

static int print_time(const tokenizer *t, const options *o, str text) {
    double best = 1e30;
    size_t count = 0;
    for (int64_t i = 0; i < o->times; i++) {
        token_vec ids = {0};
        double start = clock_ms();
        if (tokenizer_encode(t, text, o->special, &ids, NULL) != OK) return 1;
        best = MIN(best, clock_ms() - start);
        count = ids.count;
        vec_free(&ids);
    }
    printf("%.3f ms, %zu bytes, %zu tokens\n", best, text.len, count);
    return 0;
}

static int print_frames(const tokenizer *t, const options *o, str in) {
    while (in.len >= 4) {
        const uint8_t *p = (const uint8_t *)in.ptr;
        size_t n = (size_t)p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24;
        if (n > in.len - 4) return 1;
        if (print_ids(t, o, str_sub(in, 4, 4 + n)) != 0) return 1;
        in = str_sub(in, 4 + n, in.len);
    }
    return 0;
}

static bool parse(int argc, char **argv, options *o) {
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--special") == 0)
            o->special = true;
        else if (strcmp(argv[i], "--frames") == 0)
            o->frames = true;
        else if (strcmp(argv[i], "--time") == 0 && i + 1 < argc) {
            if (!str_to_i64(str_of(argv[++i]), &o->times)) return false;
        } else if (!o->model)
            o->model = argv[i];
        else
            return false;
    }
    return o->model != NULL;
}

int main(int argc, char **argv) {
    options o = {0};
    if (!parse(argc, argv, &o)) {
        fprintf(stderr, "use: tokenize_tool MODEL.gguf [--special] [--frames] [--time N] < TEXT\n");
        return 2;
    }
    gguf *g = NULL;
    tokenizer *t = NULL;
    err e;
    status s = gguf_open(&g, o.model, &e);
    if (s == OK) s = tokenizer_open(&t, g, &e);
    gguf_close(g);
    if (s != OK) {
        fprintf(stderr, "%s\n", e.text);
        return 1;
    }
    strbuf in;
    strbuf_init(&in, LIMIT_DOCUMENT_BYTES);
    read_all(&in);
    int rc = o.frames  ? print_frames(t, &o, strbuf_str(&in))
             : o.times ? print_time(t, &o, strbuf_str(&in))
                       : print_ids(t, &o, strbuf_str(&in));
    strbuf_deinit(&in);
    tokenizer_close(t);
    return rc;
}
