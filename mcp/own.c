/* SPDX-License-Identifier: Apache-2.0 */
/* Our own tools: the set, and calls of it.
 *
 *     own_tools_call -> WORK (a thread)  -> after_work  \
 *                    -> COMMAND (process)-> on_gone      > answered, freed
 *                    -> READY (an idle)  -> on_ready    /
 *
 * A call is freed only when its thread, process or handle has let go; cancelling clears `done` and
 * hurries a command.  Built-in tools and a project's stand in one list; a name may be there once.
 * Thread: loop, except run_work. */
#include "mcp/own.h"

#include <unistd.h>

#include "engine/base/file.h"
#include "engine/base/limits.h"
#include "mcp/jsonc.h"
#include "mcp/memory.h"
#include "mcp/output.h"
#include "mcp/own_private.h"
#include "mcp/own_tools_json.h"
#include "mcp/process.h"

typedef struct call call;

struct own_tools {
    uv_loop_t *loop;
    char *workspace, *memory_file, *search_path;
    cJSON *built_in, *declared; /* what the entries point into */
    own_entries entries;
    VEC(call *) calls;
    uint64_t last;
    bool closing;
    void (*closed)(void *ud);
    void *closed_ud;
};

struct call {
    own_tools *owner;
    uint64_t id;
    const own_entry *entry;
    cJSON *arguments;
    own_done done; /* NULL: cancelled */
    void *ud;
    strbuf out;
    bool failed, timed_out, full;
    uv_work_t work;
    uv_idle_t idle;
    uv_timer_t timer;
    process *process;
    bool process_gone, timer_gone;
};

/* ---- the end of a call ----------------------------------------------------------------------- */

static void maybe_closed(own_tools *t) {
    if (!t->closing || t->calls.count) return;
    void (*closed)(void *ud) = t->closed;
    void *ud = t->closed_ud;
    vec_free(&t->entries);
    vec_free(&t->calls);
    cJSON_Delete(t->built_in);
    cJSON_Delete(t->declared);
    xfree(t->workspace);
    xfree(t->memory_file);
    xfree(t->search_path);
    xfree(t);
    closed(ud);
}

/* Answers and frees. */
static void finish(call *c) {
    own_tools *t = c->owner;
    strbuf cut;
    strbuf_init(&cut, LIMIT_MCP_OUTPUT_BYTES * 2);
    str all = strbuf_str(&c->out);
    if (all.len > LIMIT_MCP_OUTPUT_BYTES) {
        (void)output_cut(&cut, all, LIMIT_MCP_OUTPUT_BYTES);
        all = strbuf_str(&cut);
    }
    for (size_t i = 0; i < t->calls.count; i++) {
        if (t->calls.at[i] != c) continue;
        vec_remove(&t->calls, i);
        break;
    }
    if (c->done) c->done(c->ud, &(own_answer){c->failed, all.ptr ? all : STR("")});
    strbuf_deinit(&cut);
    strbuf_deinit(&c->out);
    cJSON_Delete(c->arguments);
    xfree(c);
    maybe_closed(t);
}

/* ---- what is known at once ------------------------------------------------------------------- */

static void on_idle_closed(uv_handle_t *h) {
    finish(h->data);
}

static void on_ready(uv_idle_t *idle) {
    uv_close((uv_handle_t *)idle, on_idle_closed);
}

static void answer_later(call *c) {
    uv_idle_init(c->owner->loop, &c->idle);
    c->idle.data = c;
    uv_idle_start(&c->idle, on_ready);
}

static void fail_later(call *c, const char *sentence) {
    c->failed = true;
    strbuf_clear(&c->out);
    strbuf_addf(&c->out, "%s", sentence);
    answer_later(c);
}

static void run_memory(call *c) {
    cJSON *result;
    err e;
    if (memory_call(c->owner->memory_file, c->entry->tool.name, c->arguments, &result, &e)) {
        fail_later(c, e.text);
        return;
    }
    char *text = cJSON_Print(result);
    output_clean(&c->out, str_of(text));
    cJSON_free(text);
    cJSON_Delete(result);
    answer_later(c);
}

/* ---- threads --------------------------------------------------------------------------------- */

static void run_work(uv_work_t *w) { /* a thread of libuv's */
    call *c = w->data;
    c->failed = !c->entry->run(c->owner->workspace, c->arguments, &c->out);
}

static void after_work(uv_work_t *w, int rc) {
    call *c = w->data;
    if (rc) c->failed = true; /* cancelled before it began */
    finish(c);
}

/* ---- commands -------------------------------------------------------------------------------- */

static void on_bytes(void *ud, str bytes) {
    call *c = ud;
    if (c->full) return;
    size_t room = LIMIT_OWN_OUTPUT_BYTES - MIN(c->out.len, (size_t)LIMIT_OWN_OUTPUT_BYTES);
    output_clean(&c->out, str_sub(bytes, 0, room));
    c->full = bytes.len > room;
}

static void command_done(call *c) {
    if (!c->process_gone || !c->timer_gone) return;
    if (c->full) strbuf_addf(&c->out, "\n(there was more)\n");
    finish(c);
}

static void on_gone(void *ud) {
    call *c = ud;
    c->process_gone = true;
    command_done(c);
}

static void on_timer_closed(uv_handle_t *h) {
    call *c = h->data;
    c->timer_gone = true;
    command_done(c);
}

static void on_ended(void *ud, const char *why) {
    call *c = ud;
    int code = process_exit_code(c->process);
    c->failed |= code != 0;
    if (c->timed_out)
        strbuf_addf(&c->out, "\nit was ended after %u ms\n", c->entry->timeout_ms);
    else if (code != 0)
        strbuf_addf(&c->out, "\n%s\n", why);
    if (code != 0) process_stderr_tail(c->process, &c->out, LIMIT_MCP_TEXT_BYTES);
    uv_close((uv_handle_t *)&c->timer, on_timer_closed);
    process_stop(c->process);
}

/* Ends it and what it started; on_ended is not called for it any more. */
static void end_command(call *c) {
    if (uv_is_closing((uv_handle_t *)&c->timer)) return;
    uv_close((uv_handle_t *)&c->timer, on_timer_closed);
    process_kill(c->process);
}

static void on_timer(uv_timer_t *timer) {
    call *c = timer->data;
    c->timed_out = c->failed = true;
    strbuf_addf(&c->out, "\nit was ended: it took more than %u ms\n", c->entry->timeout_ms);
    end_command(c);
}

static const char *const INHERITED[] = {"HOME",    "LANG",           "LC_ALL",
                                        "LOGNAME", "PATH",           "TMPDIR",
                                        "USER",    "XDG_CACHE_HOME", "XDG_CONFIG_HOME"};

static void collect_env(const own_entry *entry, arena *a, own_words *env) {
    const cJSON *m;
    for (size_t i = 0; i < COUNTOF(INHERITED); i++) {
        const char *value = getenv(INHERITED[i]);
        bool set = cJSON_GetObjectItemCaseSensitive(entry->env, INHERITED[i]) != NULL;
        if (value && !set) vec_push(env, arena_printf(a, "%s=%s", INHERITED[i], value));
    }
    cJSON_ArrayForEach(m, entry->env)
        vec_push(env, arena_printf(a, "%s=%s", m->string, m->valuestring));
    vec_push(env, "GIT_OPTIONAL_LOCKS=0"); /* looking must not write */
    vec_push(env, "GIT_TERMINAL_PROMPT=0");
}

static status start_command(call *c, err *e) {
    own_tools *t = c->owner;
    arena a;
    own_words words = {0}, env = {0};
    arena_init(&a);
    status s = own_expand(c->entry, c->arguments, t->workspace, &a, &words, e);
    if (!s) {
        collect_env(c->entry, &a, &env);
        const process_options o = {.command = words.at[0],
                                   .args = words.at + 1,
                                   .n_args = words.count - 1,
                                   .env = env.at,
                                   .n_env = env.count,
                                   .cwd = t->workspace,
                                   .search = t->search_path};
        s = process_start(&c->process, t->loop, &o,
                          &(process_hooks){c, on_bytes, on_ended, on_gone}, e);
    }
    if (!s) {
        process_close_input(c->process);
        uv_timer_init(t->loop, &c->timer);
        c->timer.data = c;
        uv_timer_start(&c->timer, on_timer, c->entry->timeout_ms, 0);
    }
    vec_free(&words);
    vec_free(&env);
    arena_deinit(&a);
    return s;
}

/* ---- calls ----------------------------------------------------------------------------------- */

static const own_entry *find(const own_tools *t, const char *name) {
    for (size_t i = 0; i < t->entries.count; i++)
        if (!strcmp(t->entries.at[i].tool.name, name)) return &t->entries.at[i];
    return NULL;
}

/* `date` takes a zone that it does not know for UTC. */
static status check_zones(const cJSON *arguments, err *e) {
    static const char *const members[] = {"timezone", "from", "to"};
    for (size_t i = 0; i < COUNTOF(members); i++) {
        char path[256];
        const cJSON *zone = cJSON_GetObjectItemCaseSensitive(arguments, members[i]);
        if (!cJSON_IsString(zone) || !strcmp(zone->valuestring, "UTC")) continue;
        snprintf(path, sizeof path, "/usr/share/zoneinfo/%.200s", zone->valuestring);
        if (access(path, R_OK))
            return err_set(e, ERR_USAGE, "there is no time zone \"%.80s\" on this system",
                           zone->valuestring);
    }
    return OK;
}

static status check_arguments(const own_tools *t, const call *c, err *e) {
    bool clock = !strcmp(c->entry->tool.name, "current_time") ||
                 !strcmp(c->entry->tool.name, "convert_time");
    if (t->calls.count > LIMIT_OWN_CALLS)
        return err_set(e, ERR_LIMIT, "more than %d calls are running", LIMIT_OWN_CALLS);
    status s = own_check(c->entry->tool.schema, c->arguments, e);
    return s || !clock ? s : check_zones(c->arguments, e);
}

uint64_t own_tools_call(own_tools *t, const char *name, const cJSON *arguments, own_done done,
                        void *ud) {
    const own_entry *entry = find(t, name);
    err e = {{0}};
    if (!entry || t->closing) return 0;
    call *c = xcalloc(1, sizeof *c);
    *c = (call){.owner = t, .id = ++t->last, .entry = entry, .done = done, .ud = ud};
    c->arguments = arguments ? cJSON_Duplicate(arguments, true) : cJSON_CreateObject();
    strbuf_init(&c->out, LIMIT_OWN_OUTPUT_BYTES * 2);
    vec_push(&t->calls, c);
    status s = check_arguments(t, c, &e);
    if (!s && entry->argv) s = start_command(c, &e);
    if (s) {
        fail_later(c, e.text);
    } else if (entry->memory) {
        run_memory(c);
    } else if (entry->run) {
        c->work.data = c;
        uv_queue_work(t->loop, &c->work, run_work, after_work);
    }
    return c->id;
}

void own_tools_cancel(own_tools *t, uint64_t id) {
    for (size_t i = 0; i < t->calls.count; i++) {
        call *c = t->calls.at[i];
        if (c->id != id) continue;
        c->done = NULL;
        if (c->process) end_command(c);
        return;
    }
}

/* ---- the set --------------------------------------------------------------------------------- */

static status add_built_in(own_tools *t, err *e) {
    size_t offset;
    status s =
        jsonc_parse((str){(const char *)own_tools_json, own_tools_bytes}, &t->built_in, &offset, e);
    if (!s) s = own_declared(&t->entries, t->built_in, true, e);
    ASSERT(s == OK); /* it is ours */
    for (size_t i = t->entries.count; i-- > 0;) {
        own_entry *entry = &t->entries.at[i];
        if (entry->argv) continue;
        entry->run = own_files(entry->tool.name);
        entry->memory = !entry->run;
        if (entry->memory && !t->memory_file) vec_remove(&t->entries, i);
    }
    return s;
}

static status add_declared(own_tools *t, const char *file, err *e) {
    strbuf text;
    size_t offset = 0;
    int line = 1, column = 1;
    strbuf_init(&text, LIMIT_MCP_CONFIG_BYTES);
    status s = file_read(file, LIMIT_MCP_CONFIG_BYTES, &text, e);
    if (!s && (s = jsonc_parse(strbuf_str(&text), &t->declared, &offset, e))) {
        text_place(strbuf_str(&text), offset, &line, &column);
        err_prefix(e, s, "%.200s:%d:%d", file, line, column);
    } else if (!s && (s = own_declared(&t->entries, t->declared, false, e))) {
        err_prefix(e, s, "%.200s", file);
    }
    strbuf_deinit(&text);
    return s;
}

static void on_nothing(void *ud) {
    UNUSED(ud);
}

status own_tools_new(own_tools **out, uv_loop_t *loop, const own_options *o, err *e) {
    own_tools *t = xcalloc(1, sizeof *t);
    *t = (own_tools){.loop = loop,
                     .workspace = xstrdup(o->workspace),
                     .memory_file = o->memory_file ? xstrdup(o->memory_file) : NULL,
                     .search_path = xstrdup(o->search_path ? o->search_path : "")};
    status s = add_built_in(t, e);
    if (!s && o->declared) s = add_declared(t, o->declared, e);
    if (s)
        own_tools_close(t, on_nothing, NULL);
    else
        *out = t;
    return s;
}

void own_tools_close(own_tools *t, void (*closed)(void *ud), void *ud) {
    t->closed = closed;
    t->closed_ud = ud;
    t->closing = true;
    for (size_t i = t->calls.count; i-- > 0;)
        own_tools_cancel(t, t->calls.at[i]->id);
    maybe_closed(t);
}

const own_tool *own_tool_at(const own_tools *t, size_t index) {
    return index < t->entries.count ? &t->entries.at[index].tool : NULL;
}
