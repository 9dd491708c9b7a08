/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever a host sends to `inlined mcp serve`: each request that could be read gets at most one
 * answer, each answer is one line, and nothing is left running.  There is no folder and no program
 * in this world, so that tools end with a sentence; a file declares the other kinds. */
#define _GNU_SOURCE /* memfd_create */
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "mcp/param_headers.h"
#include "mcp/serve.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct {
    size_t lines;
    bool closed;
} world;

static const char DECLARED[] =
    "{\"tools\":{\"t\":{\"description\":\"d\",\"argv\":[\"none\",\"${a}\"],\"speaks\":true,"
    "\"schema\":{\"type\":\"object\"}}},"
    "\"prompts\":{\"p\":{\"description\":\"d\",\"arguments\":[{\"name\":\"a\",\"required\":true,"
    "\"values\":[\"x\",\"xy\"]}],\"messages\":[{\"role\":\"user\",\"text\":\"<${a}>\"}]}},"
    "\"resources\":{\"a:b\":{\"text\":\"t\"},\"a:f\":{\"file\":\"f\"}},"
    "\"resourceTemplates\":{\"a:{x}-{y}\":{\"file\":\"${x}/${y}\",\"values\":{\"x\":[\"1\"]}},"
    "\"b:{x}\":{\"argv\":[\"none\"]}}}";

/* The name of a file with that. */
static const char *declared(void) {
    static char path[40];
    if (path[0]) return path;
    int fd = memfd_create("declared", 0);
    ssize_t n = write(fd, DECLARED, sizeof DECLARED - 1);
    ASSERT(n == (ssize_t)sizeof DECLARED - 1);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return path;
}

static void on_write(void *ud, str line, bool last) {
    world *w = ud;
    if (last && !line.len) return; /* it was cancelled */
    ASSERT(line.len && line.ptr[line.len - 1] == '\n');
    ASSERT(memchr(line.ptr, '\n', line.len) == line.ptr + line.len - 1);
    w->lines++;
}

static void on_closed(void *ud) {
    ((world *)ud)->closed = true;
}

/* A header says what was encoded into it, and its own reading of any other is bounded. */
static void check_header(const uint8_t *data, size_t size) {
    strbuf code;
    char *text = xstrndup((const char *)data, strnlen((const char *)data, size));
    strbuf_init(&code, 1u << 20);
    param_header_value(&code, str_of(text));
    const char *value = code.ptr ? code.ptr : "";
    bool coded = strcmp(value, text) != 0;
    bool says = param_header_says(value, value);
    ASSERT(says || !coded);
    (void)param_header_says(text, "x");
    strbuf_deinit(&code);
    xfree(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    world w = {0};
    uv_loop_t loop;
    own_tools *tools;
    err e = {{0}};
    if (size > 60000) return 0;
    log_set_level(LOG_ERROR);
    uv_loop_init(&loop);
    status s = own_tools_new(
        &tools, &loop,
        &(own_options){.workspace = "/nonexistent", .search_path = "", .declared = declared()}, &e);
    ASSERT(s == OK);
    serve_client *client = serve_client_new(tools);
    serve *v =
        serve_new(&(serve_options){.tools = tools, .client = client}, &(serve_hooks){&w, on_write});
    serve_takes_news(v);
    check_header(data, size);
    size_t newlines = 1;
    for (size_t i = 0; i < size; i++)
        newlines += data[i] == '\n';
    for (size_t at = 0, n; at < size && !s; at += n) { /* in pieces of sizes that the input sets */
        n = MIN((size_t)data[at] + 1, size - at);
        s = serve_bytes(v, (str){(const char *)data + at, n}, &e);
    }
    for (int i = 0; i < 50 && !serve_is_idle(v); i++)
        uv_run(&loop, UV_RUN_ONCE);
    ASSERT(w.lines <= newlines);
    serve_input_ended(v);
    serve_free(v);
    serve_client_free(client);
    own_tools_close(tools, on_closed, &w);
    uv_run(&loop, UV_RUN_DEFAULT);
    ASSERT(w.closed);
    ASSERT(uv_loop_close(&loop) == 0);
    return 0;
}
