/* SPDX-License-Identifier: Apache-2.0 */
/* Drives a host for tests: a loop, a guard against waiting for ever, and what must be gone after.
 * Owns the loop and the host; one driver at a time (libuv's own descriptors are counted). */
#include "tests/mcp/host_driver.h"

#include <dirent.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/file.h"

static int open_fds(void) {
    int n = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

int driver_children(long owner) {
    int n = 0;
    char marker[40];
    snprintf(marker, sizeof marker, "owner=%ld", owner);
    DIR *dir = opendir("/proc");
    const struct dirent *entry;
    while ((entry = readdir(dir))) {
        char path[300];
        strbuf line;
        err e;
        strbuf_init(&line, 1u << 16);
        snprintf(path, sizeof path, "/proc/%s/cmdline", entry->d_name);
        bool read = entry->d_name[0] >= '0' && entry->d_name[0] <= '9' &&
                    file_read(path, 1u << 16, &line, &e) == OK;
        n += read && str_find(strbuf_str(&line), str_of(marker)) >= 0;
        strbuf_deinit(&line);
    }
    closedir(dir);
    return n;
}

static void on_ask(void *ud, const mcp_question *q) {
    driver *d = ud;
    d->questions++;
    d->asked = q->kind;
    mcp_decide(d->host, q->id, d->decide, NULL);
}

static void on_progress(void *ud, uint64_t call, double done, double all, const char *text) {
    UNUSED(call);
    UNUSED(done);
    UNUSED(all);
    UNUSED(text);
    ((driver *)ud)->progress++;
}

static void on_changed(void *ud, const char *server) {
    UNUSED(server);
    uv_stop(&((driver *)ud)->loop);
}

static void on_guard(uv_timer_t *t) {
    ((driver *)t->data)->late = true;
}

void driver_open(driver *d, bool ask) {
    driver_open_at(d, ask, NULL);
}

void driver_open_at(driver *d, bool ask, const char *state_dir) {
    driver_open_with(d, ask, state_dir, NULL);
}

void driver_open_with(driver *d, bool ask, const char *state_dir, const char *redis_url) {
    static bool warm; /* libuv opens a few descriptors for good at the first child */
    *d = (driver){.decide = MCP_DENY, .fds = open_fds(), .checked = warm};
    warm = true;
    uv_loop_init(&d->loop);
    uv_timer_init(&d->loop, &d->guard);
    d->guard.data = d;
    mcp_hooks hooks = {.ud = d, .changed = on_changed, .progress = on_progress};
    if (ask) hooks.ask = on_ask;
    const mcp_options options = {.workspace = "/tmp",
                                 .cache_dir = "/tmp/inlined-host-test",
                                 .state_dir = state_dir,
                                 .redis = redis_url};
    d->host = mcp_host_new(&d->loop, &options, &hooks);
}

static void on_closed(void *ud) {
    ((driver *)ud)->closed = true;
}

void driver_run(driver *d, int ms) {
    d->late = false;
    uv_update_time(&d->loop);
    uv_timer_start(&d->guard, on_guard, (uint64_t)ms, 0);
    while (!d->late)
        uv_run(&d->loop, UV_RUN_ONCE);
}

void driver_close(driver *d) {
    mcp_host_close(d->host, on_closed, d);
    d->late = false;
    uv_update_time(&d->loop);
    uv_timer_start(&d->guard, on_guard, 60000, 0);
    while (!d->closed && !d->late)
        uv_run(&d->loop, UV_RUN_ONCE);
    assert_true(d->closed);
    for (int i = 0; i < 1000 && driver_children(getpid()); i++)
        usleep(10000);
    assert_int_equal(driver_children(getpid()), 0);
    uv_close((uv_handle_t *)&d->guard, NULL);
    uv_run(&d->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&d->loop), 0);
    if (d->checked) assert_int_equal(open_fds(), d->fds);
}

mcp_definition *hostile(const char *mode) {
    mcp_definition *d = mcp_definition_new(*mode ? mode : "good");
    d->command = HOSTILE_SERVER;
    d->scope = MCP_USER;
    d->args.at = NULL;
    vec_push(&d->args, (const char *)arena_str(&d->memory, str_of(mode)).ptr);
    vec_push(&d->args, (const char *)arena_printf(&d->memory, "owner=%ld", (long)getpid()));
    return d;
}

void driver_configure(driver *d, mcp_definition **servers, size_t n) {
    mcp_config c;
    mcp_config_init(&c);
    for (size_t i = 0; i < n; i++)
        vec_push(&c.servers, servers[i]);
    mcp_host_configure(d->host, &c);
    mcp_config_deinit(&c);
}

typedef struct {
    driver *d;
    got *out;
} wait;

static void on_done(void *ud, const mcp_answer *a) {
    wait *w = ud;
    got *g = w->out;
    g->ended++;
    g->order = ++w->d->answers;
    g->outcome = a->outcome;
    snprintf(g->text, sizeof g->text, "%.*s", (int)MIN(a->text.len, 500), a->text.ptr);
    snprintf(g->message, sizeof g->message, "%s", a->message ? a->message : "");
    snprintf(g->spill, sizeof g->spill, "%s", a->spill ? a->spill : "");
    g->text_len = a->text.len;
    g->truncated = a->truncated;
    g->cached = a->cached;
    g->run_us = a->run_us;
    g->age_ms = a->age_ms;
    uv_stop(&w->d->loop); /* uv_run looks for work once more before it returns */
    xfree(w);
}

uint64_t driver_order(driver *d, const mcp_order *o, got *out) {
    wait *w = xcalloc(1, sizeof *w);
    *w = (wait){d, out};
    *out = (got){0};
    uint64_t id = mcp_call(d->host, o, on_done, w);
    assert_int_equal(out->ended, 0); /* never from inside */
    return id;
}

void driver_call(driver *d, const char *server, const char *tool, got *out) {
    driver_order(
        d, &(mcp_order){.server = server, .name = tool, .purpose = MCP_FOR_USER, .approved = true},
        out);
}

void driver_wait(driver *d, const got *first, size_t n, int ms) {
    d->late = false;
    uv_update_time(&d->loop);
    uv_timer_start(&d->guard, on_guard, (uint64_t)ms, 0);
    size_t ended = 0;
    while (ended < n && !d->late) {
        uv_run(&d->loop, UV_RUN_ONCE);
        ended = 0;
        for (size_t i = 0; i < n; i++)
            ended += first[i].ended > 0;
    }
    assert_int_equal(ended, n);
}

mcp_server_info driver_info(driver *d, const char *server) {
    mcp_server_info s;
    assert_true(mcp_server_get(d->host, server, &s));
    return s;
}

void driver_wait_state(driver *d, const char *server, mcp_state state, int ms) {
    d->late = false;
    uv_update_time(&d->loop);
    uv_timer_start(&d->guard, on_guard, (uint64_t)ms, 0);
    while (driver_info(d, server).state != state && !d->late)
        uv_run(&d->loop, UV_RUN_ONCE);
    assert_string_equal(mcp_state_name(driver_info(d, server).state), mcp_state_name(state));
}
