/* SPDX-License-Identifier: Apache-2.0 */
/* How long an editor waits for the menu of code actions and for a hover, without any model:
 *
 *     bench_actions FILE... [--rounds N]      a table: file, lines, what, p50, p95, p99, worst (ms)
 *
 * A server in this process is fed with messages and answers; the time is from the bytes of a
 * request to the bytes of its answer.  Before each request the document is edited, as a person
 * does, so that its tree is never fresh.  Places are spread over the file.  Thread: one.
 */
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/clock.h"
#include "engine/base/file.h"
#include "engine/base/mem.h"
#include "tests/lsp/lsp_peer.h"

#define URI "file:///bench/file"
#define FILE_BYTES (8u << 20)

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void print_row(const char *path, size_t lines, const char *what, double *ms, int n) {
    qsort(ms, (size_t)n, sizeof *ms, by_size);
    printf("%s,%zu,%s,%.3f,%.3f,%.3f,%.3f\n", path, lines, what, ms[n / 2], ms[n * 95 / 100],
           ms[n * 99 / 100], ms[n - 1]);
}

static const char *language_of(const char *path) {
    static const char *const ends[][2] = {
        {".py", "python"}, {".c", "c"}, {".h", "c"}, {".go", "go"}, {".ts", "typescript"}};
    for (size_t i = 0; i < COUNTOF(ends); i++)
        if (str_ends_with(str_of(path), str_of(ends[i][0]))) return ends[i][1];
    return "plaintext";
}

static void begin(lsp_peer *p, const char *path, const char *text) {
    lsp_peer_open(p);
    lsp_peer_send(p, "{\"id\":0,\"method\":\"initialize\",\"params\":{\"processId\":null,"
                     "\"capabilities\":{\"general\":{\"positionEncodings\":[\"utf-8\"]},"
                     "\"workspace\":{\"applyEdit\":true,\"workspaceEdit\":{\"documentChanges\":"
                     "true}},\"textDocument\":{\"codeAction\":{\"codeActionLiteralSupport\":{},"
                     "\"dataSupport\":true,\"resolveSupport\":{\"properties\":[\"edit\"]}}}}}}");
    lsp_peer_send(p, "{\"method\":\"initialized\",\"params\":{}}");
    cJSON *m = cJSON_CreateObject();
    cJSON_AddStringToObject(m, "method", "textDocument/didOpen");
    cJSON *d = cJSON_AddObjectToObject(cJSON_AddObjectToObject(m, "params"), "textDocument");
    cJSON_AddStringToObject(d, "uri", URI);
    cJSON_AddStringToObject(d, "languageId", language_of(path));
    cJSON_AddNumberToObject(d, "version", 1);
    cJSON_AddStringToObject(d, "text", text);
    char *json = cJSON_PrintUnformatted(m);
    lsp_peer_send(p, json);
    cJSON_free(json);
    cJSON_Delete(m);
}

/* One request about a line, right after an edit of another one. */
static double ask(lsp_peer *p, const char *method, size_t line, size_t edited) {
    char json[500];
    lsp_peer_edit(p, URI, (int)edited, 0, (int)edited, 0, " ");
    lsp_peer_edit(p, URI, (int)edited, 0, (int)edited, 1, "");
    snprintf(json, sizeof json,
             "{\"id\":1,\"method\":\"textDocument/%s\",\"params\":{\"textDocument\":{\"uri\":"
             "\"" URI "\"},\"position\":{\"line\":%zu,\"character\":5},\"range\":{\"start\":{"
             "\"line\":%zu,\"character\":5},\"end\":{\"line\":%zu,\"character\":5}},\"context\":{"
             "\"diagnostics\":[]}}}",
             method, line, line, line);
    double before = clock_ms();
    lsp_peer_send(p, json);
    double took = clock_ms() - before;
    cJSON *a = lsp_peer_answer(p, 1);
    ASSERT(a);
    cJSON_Delete(a);
    lsp_peer_forget(p);
    return took;
}

static void measure(const char *path, int rounds) {
    static const char *const methods[] = {"codeAction", "hover"};
    strbuf text;
    err e = {{0}};
    strbuf_init(&text, FILE_BYTES);
    if (file_read(path, FILE_BYTES, &text, &e)) {
        fprintf(stderr, "%s\n", e.text);
        exit(1);
    }
    size_t lines = str_count_lines(strbuf_str(&text));
    double *ms = xcalloc((size_t)rounds, sizeof *ms);
    lsp_peer p;
    begin(&p, path, text.ptr ? text.ptr : "");
    for (int i = 0; i < 200; i++) /* the first parse of it all, in several goes */
        (void)ask(&p, "codeAction", 0, 0);
    for (size_t k = 0; k < COUNTOF(methods); k++) {
        for (int i = 0; i < rounds; i++) {
            size_t line = (size_t)i * 7919 % MAX(lines, 1),
                   edited = (size_t)i * 104729 % MAX(lines, 1);
            ms[i] = ask(&p, methods[k], line, edited);
        }
        print_row(path, lines, methods[k], ms, rounds);
    }
    lsp_peer_close(&p);
    strbuf_deinit(&text);
    xfree(ms);
}

int main(int argc, char **argv) {
    int64_t rounds = 1000;
    for (int i = 1; i + 1 < argc; i++)
        if (!strcmp(argv[i], "--rounds") && !str_to_i64(str_of(argv[i + 1]), &rounds)) return 2;
    if (argc < 2 || rounds < 1 || rounds > 1000000) return 2;
    printf("file,lines,request,p50_ms,p95_ms,p99_ms,worst_ms\n");
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--rounds"))
            i++;
        else
            measure(argv[i], (int)rounds);
    }
    return 0;
}
