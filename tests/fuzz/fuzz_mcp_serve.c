/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever a host sends to `inlined mcp serve`: each request that could be read gets at most one
 * answer, each answer is one line, and nothing is left running.  There is no folder and no program
 * in this world, so that tools end with a sentence. */
#include <stdint.h>
#include <string.h>

#include "engine/base/log.h"
#include "mcp/serve.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct {
    size_t lines;
    bool closed;
} world;

static void on_write(void *ud, str line) {
    world *w = ud;
    ASSERT(line.len && line.ptr[line.len - 1] == '\n');
    ASSERT(memchr(line.ptr, '\n', line.len) == line.ptr + line.len - 1);
    w->lines++;
}

static void on_closed(void *ud) {
    ((world *)ud)->closed = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    world w = {0};
    uv_loop_t loop;
    own_tools *tools;
    err e = {{0}};
    if (size > 60000) return 0;
    log_set_level(LOG_ERROR);
    uv_loop_init(&loop);
    status s = own_tools_new(&tools, &loop,
                             &(own_options){.workspace = "/nonexistent", .search_path = ""}, &e);
    ASSERT(s == OK);
    serve *v = serve_new(tools, &(serve_hooks){&w, on_write});
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
    serve_free(v);
    own_tools_close(tools, on_closed, &w);
    uv_run(&loop, UV_RUN_DEFAULT);
    ASSERT(w.closed);
    ASSERT(uv_loop_close(&loop) == 0);
    return 0;
}
