/* SPDX-License-Identifier: Apache-2.0 */
/* See inside.h.  What the serving side writes is kept until the loop turns: it writes from inside
 * of inside_write, and the session that reads may be the one that is writing.
 *
 *     session --inside_write--> serve_bytes ... on_write --> out --(idle)--> hooks.bytes
 */
#include "mcp/inside.h"

#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "mcp/serve.h"

struct inside {
    inside_hooks hooks;
    own_tools *tools;
    serve_client *client;
    serve *serve; /* NULL: it is being closed */
    strbuf out;
    uv_idle_t idle; /* runs while `out` has something */
};

static void on_idle(uv_idle_t *idle) {
    inside *in = idle->data;
    strbuf now = in->out;
    strbuf_init(&in->out, LIMIT_MCP_LINE_BYTES);
    uv_idle_stop(idle);
    in->hooks.bytes(in->hooks.ud, strbuf_str(&now)); /* may write, and close */
    strbuf_deinit(&now);
}

static void on_write(void *ud, str line, bool last) {
    inside *in = ud;
    UNUSED(last);
    strbuf_add_str(&in->out, line);
    uv_idle_start(&in->idle, on_idle);
}

status inside_open(inside **out, uv_loop_t *loop, const own_options *tools,
                   const inside_hooks *hooks, err *e) {
    inside *in = xcalloc(1, sizeof *in);
    status s = own_tools_new(&in->tools, loop, tools, e);
    if (s) {
        xfree(in);
        return s;
    }
    in->hooks = *hooks;
    strbuf_init(&in->out, LIMIT_MCP_LINE_BYTES);
    uv_idle_init(loop, &in->idle);
    in->idle.data = in;
    in->client = serve_client_new(in->tools);
    in->serve = serve_new(&(serve_options){.tools = in->tools, .client = in->client},
                          &(serve_hooks){in, on_write});
    *out = in;
    return OK;
}

bool inside_write(inside *in, str bytes) {
    err e;
    return in->serve && serve_bytes(in->serve, bytes, &e) == OK && !in->out.overflow;
}

static void on_idle_closed(uv_handle_t *h) {
    inside *in = h->data;
    strbuf_deinit(&in->out);
    in->hooks.closed(in->hooks.ud);
    xfree(in);
}

static void on_tools_closed(void *ud) {
    inside *in = ud;
    uv_close((uv_handle_t *)&in->idle, on_idle_closed);
}

void inside_close(inside *in) {
    if (!in->serve) return;
    uv_idle_stop(&in->idle);
    serve_free(in->serve);
    in->serve = NULL;
    serve_client_free(in->client);
    own_tools_close(in->tools, on_tools_closed, in);
}
