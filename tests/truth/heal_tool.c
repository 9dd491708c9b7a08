/* SPDX-License-Identifier: Apache-2.0 */
/* What the engine writes after a prefix, with and without token healing.
 *
 *     truth_heal MODEL.gguf heal|plain FILE...
 *
 * Each FILE is a prefix: everything before a cursor.  For each, one line on stdout: the rest of the
 * cursor's line as the model writes it, greedy, up to the first newline; control characters and
 * backslashes are escaped as in JSON.  Both ways take the same path but for the `heal` flag.
 * It uses the engine's public face only.  Thread: main, and the engine's own.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "engine/base/mem.h"
#include "engine/engine.h"

#define PREFIX_BYTES (64u << 10)
#define TOKENS 48

typedef struct {
    bool loaded, failed, done;
    char sentence[384];
} waiting;

static void print_escaped(str s) {
    for (size_t i = 0; i < s.len && s.ptr[i] != '\n'; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c < 0x20 || c == '\\') {
            printf("\\u%04x", c);
        } else {
            putchar(c);
        }
    }
    putchar('\n');
}

static void on_event(void *ud, const engine_event *ev) {
    waiting *w = ud;
    if (ev->kind == EV_LOADED) w->loaded = true;
    if (ev->kind == EV_LOAD_FAILED) {
        w->failed = true;
        snprintf(w->sentence, sizeof w->sentence, "%s", ev->error->text);
    }
    if (ev->kind != EV_DONE) return;
    w->done = true;
    if (ev->result->status == OK) {
        print_escaped(ev->result->text);
    } else {
        w->failed = true;
        snprintf(w->sentence, sizeof w->sentence, "%s", ev->result->error.text);
    }
}

static void pump_until(engine *g, waiting *w, const bool *flag) {
    const struct timespec pause = {.tv_nsec = 2000000};
    while (!*flag && !w->failed) {
        engine_drain(g, on_event, w);
        nanosleep(&pause, NULL);
    }
}

static status read_file(const char *path, strbuf *out, err *e) {
    char block[4096];
    size_t n;
    FILE *f = fopen(path, "rb");
    if (!f) return err_set(e, ERR_NOT_FOUND, "%s: cannot read", path);
    while ((n = fread(block, 1, sizeof block, f)) > 0)
        strbuf_add(out, block, n);
    fclose(f);
    return out->overflow ? err_set(e, ERR_LIMIT, "%s: too long for a prefix", path) : OK;
}

static status complete(engine *g, waiting *w, const char *path, bool heal, err *e) {
    strbuf prefix;
    strbuf_init(&prefix, PREFIX_BYTES);
    status s = read_file(path, &prefix, e);
    engine_job job = {
        .priority = PRIO_USER,
        .prompt = {.kind = PROMPT_COMPLETION, .prefix = strbuf_str(&prefix), .heal = heal},
        .sampling = {.top_p = 1, .repeat_penalty = 1},
        .tokens_max = TOKENS,
        .stop = STOP_LINE};
    job_id id;
    w->done = false;
    if (s == OK) s = engine_submit(g, &job, &id, e);
    if (s == OK) pump_until(g, w, &w->done);
    strbuf_deinit(&prefix);
    return s == OK && w->failed ? err_set(e, ERR_DEVICE, "%s", w->sentence) : s;
}

int main(int argc, char **argv) {
    err e = {{0}};
    waiting w = {0};
    engine *g = NULL;
    if (argc < 4) {
        fprintf(stderr, "usage: truth_heal MODEL.gguf heal|plain FILE...\n");
        return 2;
    }
    status s = engine_start(&g, &(engine_options){.device = K_CPU}, &e);
    if (s == OK) {
        engine_load(g, 0, &(engine_model_options){.path = argv[1], .name = "truth"});
        pump_until(g, &w, &w.loaded);
        if (w.failed) s = err_set(&e, ERR_FORMAT, "%s", w.sentence);
    }
    for (int i = 3; s == OK && i < argc; i++)
        s = complete(g, &w, argv[i], strcmp(argv[2], "heal") == 0, &e);
    engine_stop(g);
    if (s != OK) fprintf(stderr, "truth_heal: %s\n", e.text);
    return s == OK ? 0 : 1;
}
