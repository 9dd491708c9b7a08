/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of what we offer.
 *
 *     own_tools_call -> WORK (a thread)  -> after_work  \
 *                    -> COMMAND (process)-> on_gone      > answered, freed
 *                    -> READY (an idle)  -> on_ready    /
 *
 * A call is freed only when its thread, process or handle has let go; cancelling clears the hooks
 * and hurries a command.  What a command that speaks says is own_talk.c's.
 * Thread: loop, except run_work. */
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "mcp/mcp.h"
#include "mcp/memory.h"
#include "mcp/output.h"
#include "mcp/own_private.h"

/* ---- the end of a call ----------------------------------------------------------------------- */

static void call_free(own_call *c) {
    strbuf_deinit(&c->out);
    strbuf_deinit(&c->file);
    if (c->entry->speaks) frame_reader_deinit(&c->lines);
    cJSON *const owned[] = {c->arguments, c->content, c->structured, c->client,
                            c->given,     c->asks,    c->got};
    for (size_t i = 0; i < COUNTOF(owned); i++)
        cJSON_Delete(owned[i]);
    xfree(c->name);
    xfree(c->path);
    xfree(c);
}

/* Answers and frees. */
static void finish(own_call *c) {
    own_tools *t = c->owner;
    strbuf cut;
    bool whole =
        c->entry->offer.kind >= OWN_RESOURCE; /* a resource is not for a model's eyes only */
    strbuf_init(&cut, LIMIT_MCP_OUTPUT_BYTES * 2);
    str all = strbuf_str(&c->out);
    if (all.len > LIMIT_MCP_OUTPUT_BYTES && !whole) {
        (void)mcp_text_cut(&cut, all, LIMIT_MCP_OUTPUT_BYTES);
        all = strbuf_str(&cut);
    }
    for (size_t i = 0; i < t->calls.count; i++) {
        if (t->calls.at[i] != c) continue;
        vec_remove(&t->calls, i);
        break;
    }
    if (!all.ptr) all = STR("");
    if (c->hooks.done && (!c->content || c->outcome != OWN_DONE)) {
        cJSON_Delete(c->content);
        c->content = own_blocks_of_text(c, all);
    }
    if (c->hooks.done)
        c->hooks.done(c->hooks.ud, &(own_answer){c->outcome, all, c->content, c->structured});
    strbuf_deinit(&cut);
    call_free(c);
    own_maybe_closed(t);
}

/* ---- what is known at once ------------------------------------------------------------------- */

static void on_idle_closed(uv_handle_t *h) {
    finish(h->data);
}

static void on_ready(uv_idle_t *idle) {
    uv_close((uv_handle_t *)idle, on_idle_closed);
}

static void answer_later(own_call *c) {
    uv_idle_init(c->owner->loop, &c->idle);
    c->idle.data = c;
    uv_idle_start(&c->idle, on_ready);
}

static void fail_later(own_call *c, const char *sentence) {
    c->outcome = OWN_FAILED;
    strbuf_clear(&c->out);
    strbuf_addf(&c->out, "%s", sentence);
    answer_later(c);
}

/* ---- code ------------------------------------------------------------------------------------ */

#define FIND_AGAIN_MS 50
#define FIND_MS 10000.0 /* for an index that is being built */

static void on_find_closed(uv_handle_t *h) {
    finish(h->data);
}

static void on_find(uv_timer_t *timer) {
    own_call *c = timer->data;
    own_tools *t = c->owner;
    bool busy = false;
    strbuf_clear(&c->out);
    if (c->hooks.done) {
        const own_code_request q = {c->entry->offer.name, c->arguments, strbuf_str(&c->file),
                                    c->trouble[0] ? c->trouble : NULL};
        c->outcome = t->code(t->code_ud, &q, &c->out, &busy) ? OWN_DONE : OWN_FAILED;
    }
    if (busy && clock_ms() < c->until_ms) return;
    if (busy) strbuf_addf(&c->out, "(not all files have been read yet)\n");
    uv_close((uv_handle_t *)timer, on_find_closed);
}

static void run_code(own_call *c) {
    uv_timer_init(c->owner->loop, &c->timer);
    c->timer.data = c;
    c->until_ms = clock_ms() + FIND_MS;
    uv_timer_start(&c->timer, on_find, 0, FIND_AGAIN_MS);
}

/* A prompt's messages: {"role", "text"}, or {"role", "content": BLOCK}. */
static status run_messages(own_call *c, err *e) {
    const cJSON *m;
    cJSON *all;
    status s =
        own_expand_json(c->entry->messages, c->arguments, c->owner->place.workspace, &all, e);
    c->content = cJSON_CreateArray();
    cJSON_ArrayForEach(m, all) {
        const cJSON *text = cJSON_GetObjectItemCaseSensitive(m, "text");
        cJSON *given = cJSON_GetObjectItemCaseSensitive(m, "content");
        cJSON *block = given ? cJSON_Duplicate(given, true) : cJSON_CreateObject(), *made = NULL;
        if (!given) {
            cJSON_AddStringToObject(block, "type", "text");
            cJSON_AddStringToObject(block, "text", text->valuestring);
        }
        if (!s) s = own_block(c, block, cJSON_GetObjectItemCaseSensitive(m, "role"), &made, e);
        if (made) cJSON_AddItemToArray(c->content, made);
        cJSON_Delete(block);
    }
    cJSON_Delete(all);
    if (!s) answer_later(c);
    return s;
}

/* ---- threads --------------------------------------------------------------------------------- */

static bool run_file(own_call *c) {
    strbuf path;
    err e = {{0}};
    strbuf_init(&path, LIMIT_PATH_BYTES);
    status s = own_expand_text(c->entry->file, c->arguments, c->owner->place.workspace, &path, &e);
    if (!s) s = own_read_file(&c->owner->place, path.ptr, &c->out, &c->binary, &e);
    strbuf_deinit(&path);
    if (s) strbuf_addf(&c->out, "%s", e.text);
    return !s;
}

/* The file that is asked about; whether there is one is for whom it is asked. */
static void read_asked(own_call *c) {
    const cJSON *path = cJSON_GetObjectItemCaseSensitive(c->arguments, "path");
    err e = {{0}};
    bool binary = false;
    strbuf_init(&c->file, LIMIT_OWN_READ_BYTES * 2);
    if (own_read_file(&c->owner->place, path->valuestring, &c->file, &binary, &e) || binary)
        snprintf(c->trouble, sizeof c->trouble, "%s", binary ? "it is not a text" : e.text);
}

static bool run_memory(own_call *c) {
    cJSON *result = NULL;
    err e = {{0}};
    if (memory_call(c->owner->memory_file, c->entry->offer.name, c->arguments, &result, &e)) {
        strbuf_addf(&c->out, "%s", e.text);
        return false;
    }
    char *text = cJSON_Print(result);
    output_clean(&c->out, str_of(text));
    cJSON_free(text);
    cJSON_Delete(result);
    return true;
}

/* What came of it, without secrets. */
static void mask(own_call *c) {
    const own_privacy *p = &c->owner->place.privacy;
    if (!p->mask || !c->out.len || c->binary) return;
    strbuf masked;
    strbuf_init(&masked, LIMIT_OWN_OUTPUT_BYTES * 2);
    p->mask(p->ud, strbuf_str(&c->out), &masked);
    strbuf_deinit(&c->out);
    c->out = masked;
}

static void sift(own_call *c) {
    strbuf shown;
    strbuf_init(&shown, LIMIT_OWN_OUTPUT_BYTES * 2);
    own_git_sift(&c->owner->place, c->entry->offer.name, strbuf_str(&c->out), c->full, &shown);
    strbuf_deinit(&c->out);
    c->out = shown;
}

static void run_work(uv_work_t *w) { /* a thread of libuv's */
    own_call *c = w->data;
    const own_place *at = &c->owner->place;
    bool good = true;
    if (at->privacy.look) at->privacy.look(at->privacy.ud);
    if (c->entry->git)
        sift(c);
    else if (c->entry->code)
        read_asked(c);
    else if (c->entry->memory)
        good = run_memory(c);
    else if (c->entry->output)
        good = own_read_output(c->path, c->arguments, &c->out);
    else
        good = c->entry->file ? run_file(c) : c->entry->run(at, c->arguments, &c->out);
    if (!c->entry->memory) mask(c);
    if (!good) c->outcome = OWN_FAILED;
}

static void after_work(uv_work_t *w, int rc) {
    own_call *c = w->data;
    if (rc) c->outcome = OWN_FAILED; /* cancelled before it began */
    if (c->entry->code && !rc)
        run_code(c);
    else
        finish(c);
}

/* ---- commands -------------------------------------------------------------------------------- */

static void on_timer(uv_timer_t *timer);

void own_call_arm(own_call *c, double ms) {
    if (uv_is_closing((uv_handle_t *)&c->timer)) return;
    uv_timer_start(&c->timer, on_timer, (uint64_t)MAX(ms, 0), 0);
}

static void on_bytes(void *ud, str bytes) {
    own_call *c = ud;
    if (c->outcome != OWN_DONE || c->full) return;
    if (c->entry->speaks) {
        own_talk_bytes(c, bytes);
        return;
    }
    size_t room = LIMIT_OWN_OUTPUT_BYTES - MIN(c->out.len, (size_t)LIMIT_OWN_OUTPUT_BYTES);
    if (c->entry->git) /* names of files are judged as they are */
        strbuf_add_str(&c->out, str_sub(bytes, 0, room));
    else
        output_clean(&c->out, str_sub(bytes, 0, room));
    c->full = bytes.len > room;
}

static void command_done(own_call *c) {
    if (!c->process_gone || !c->timer_gone) return;
    if (c->entry->git && c->outcome == OWN_DONE) {
        c->work.data = c;
        uv_queue_work(c->owner->loop, &c->work, run_work, after_work);
        return;
    }
    if (c->full) strbuf_addf(&c->out, "\n(there was more)\n");
    finish(c);
}

static void on_gone(void *ud) {
    own_call *c = ud;
    c->process_gone = true;
    command_done(c);
}

static void on_timer_closed(uv_handle_t *h) {
    own_call *c = h->data;
    c->timer_gone = true;
    command_done(c);
}

static void on_ended(void *ud, const char *why) {
    own_call *c = ud;
    int code = process_exit_code(c->process);
    if (code != 0 && c->outcome == OWN_DONE) {
        c->outcome = OWN_FAILED;
        if (c->timed_out)
            strbuf_addf(&c->out, "\nit was ended after %u ms\n", c->entry->timeout_ms);
        else
            strbuf_addf(&c->out, "\n%s\n", why);
        process_stderr_tail(c->process, &c->out, LIMIT_MCP_TEXT_BYTES);
    }
    if (!uv_is_closing((uv_handle_t *)&c->timer))
        uv_close((uv_handle_t *)&c->timer, on_timer_closed);
    process_stop(c->process);
}

/* Ends it and what it started; on_ended is not called for it any more. */
void own_call_end(own_call *c) {
    if (uv_is_closing((uv_handle_t *)&c->timer)) return;
    uv_close((uv_handle_t *)&c->timer, on_timer_closed);
    process_kill(c->process);
}

void own_call_fail(own_call *c, const char *sentence) {
    c->outcome = OWN_FAILED;
    strbuf_clear(&c->out);
    output_clean(&c->out, str_of(sentence));
    own_call_end(c);
}

static void on_timer(uv_timer_t *timer) {
    own_call *c = timer->data;
    if (c->asks) {
        own_talk_timer(c);
        return;
    }
    c->timed_out = true;
    c->outcome = OWN_FAILED;
    strbuf_addf(&c->out, "\nit was ended: it took more than %u ms\n", c->entry->timeout_ms);
    own_call_end(c);
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

static void command_started(own_call *c) {
    uv_timer_init(c->owner->loop, &c->timer);
    c->timer.data = c;
    c->until_ms = clock_ms() + c->entry->timeout_ms;
    own_call_arm(c, c->entry->timeout_ms);
    if (c->entry->speaks)
        own_talk_start(c);
    else
        process_close_input(c->process);
}

static status start_command(own_call *c, err *e) {
    own_tools *t = c->owner;
    arena a;
    own_words words = {0}, env = {0};
    arena_init(&a);
    status s = own_expand(c->entry, c->arguments, t->place.workspace, &a, &words, e);
    if (!s) {
        collect_env(c->entry, &a, &env);
        const process_options o = {.command = words.at[0],
                                   .args = words.at + 1,
                                   .n_args = words.count - 1,
                                   .env = env.at,
                                   .n_env = env.count,
                                   .cwd = t->place.workspace,
                                   .search = t->search_path};
        s = process_start(&c->process, t->loop, &o,
                          &(process_hooks){c, on_bytes, on_ended, on_gone}, e);
    }
    if (!s) command_started(c);
    vec_free(&words);
    vec_free(&env);
    arena_deinit(&a);
    return s;
}

/* ---- calls ----------------------------------------------------------------------------------- */

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

static status check_prompt(const own_offer *o, const cJSON *arguments, err *e) {
    const cJSON *one;
    cJSON_ArrayForEach(one, o->arguments) {
        const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(one, "name"));
        const cJSON *given = cJSON_GetObjectItemCaseSensitive(arguments, name);
        bool required = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(one, "required"));
        if (given ? !cJSON_IsString(given) : required)
            return err_set(e, ERR_USAGE, "the argument \"%.80s\" is %s", name,
                           given ? "not a text" : "missing");
    }
    return OK;
}

static status check_arguments(const own_tools *t, const own_call *c, err *e) {
    const own_offer *o = &c->entry->offer;
    bool clock = !strcmp(o->name, "current_time") || !strcmp(o->name, "convert_time");
    if (t->calls.count > LIMIT_OWN_CALLS)
        return err_set(e, ERR_LIMIT, "more than %d calls are running", LIMIT_OWN_CALLS);
    if (c->entry->git) {
        status s = own_git_check(&t->place, c->arguments, e);
        if (s) return s;
    }
    if (o->kind == OWN_PROMPT) return check_prompt(o, c->arguments, e);
    if (o->kind != OWN_TOOL) return OK;
    status s = own_check(o->schema, c->arguments, e);
    return s || !clock ? s : check_zones(c->arguments, e);
}

/* A resource may be one of a pattern's: then the arguments are what stands in its places. */
static const own_entry *find(const own_tools *t, const own_request *request, cJSON **arguments) {
    for (size_t i = 0; i < t->entries.count; i++) {
        const own_entry *entry = &t->entries.at[i];
        if (entry->offer.kind == request->kind && !strcmp(entry->offer.name, request->name)) {
            *arguments = request->arguments ? cJSON_Duplicate(request->arguments, true)
                                            : cJSON_CreateObject();
            return entry;
        }
    }
    for (size_t i = 0; i < t->entries.count && request->kind == OWN_RESOURCE; i++) {
        const own_entry *entry = &t->entries.at[i];
        if (entry->offer.kind == OWN_TEMPLATE &&
            own_uri_match(entry->offer.name, request->name, arguments))
            return entry;
    }
    return NULL;
}

/* What is open is known without its file; what is defined, by the index. */
static bool reads_file(const own_call *c) {
    const cJSON *path = cJSON_GetObjectItemCaseSensitive(c->arguments, "path");
    return !strcmp(c->entry->offer.name, "diagnostics") && cJSON_IsString(path);
}

static bool find_output(own_call *c) {
    const own_tools *t = c->owner;
    const cJSON *number = cJSON_GetObjectItemCaseSensitive(c->arguments, "output");
    const char *path = t->outputs(t->outputs_ud, (uint64_t)number->valuedouble);
    if (path) c->path = xstrdup(path);
    return path != NULL;
}

static status start(own_call *c, err *e) {
    const own_entry *entry = c->entry;
    status s = check_arguments(c->owner, c, e);
    if (s) return s;
    if (entry->argv) return start_command(c, e);
    if (entry->code && !reads_file(c)) {
        run_code(c);
        return OK;
    }
    if (entry->messages) return run_messages(c, e);
    if (entry->text) {
        strbuf_addf(&c->out, "%s", entry->text);
        answer_later(c);
        return OK;
    }
    if (entry->output && !find_output(c))
        return err_set(e, ERR_NOT_FOUND, "there is no output of that number (any more)");
    c->work.data = c;
    uv_queue_work(c->owner->loop, &c->work, run_work, after_work);
    return OK;
}

uint64_t own_tools_call(own_tools *t, const own_request *request, const own_hooks *hooks) {
    err e = {{0}};
    cJSON *arguments = NULL;
    const own_entry *entry = t->closing ? NULL : find(t, request, &arguments);
    if (!entry) return 0;
    own_call *c = xcalloc(1, sizeof *c);
    *c = (own_call){.owner = t, .id = ++t->last, .entry = entry, .hooks = *hooks};
    c->name = xstrdup(request->name);
    c->arguments = arguments;
    if (request->client) c->client = cJSON_Duplicate(request->client, true);
    if (request->answers) c->given = cJSON_Duplicate(request->answers, true);
    strbuf_init(&c->out, LIMIT_OWN_OUTPUT_BYTES * 2);
    vec_push(&t->calls, c);
    if (start(c, &e)) fail_later(c, e.text);
    return c->id;
}

void own_tools_cancel(own_tools *t, uint64_t id) {
    for (size_t i = 0; i < t->calls.count; i++) {
        own_call *c = t->calls.at[i];
        if (c->id != id) continue;
        c->hooks = (own_hooks){0};
        if (c->process) own_call_end(c);
        return;
    }
}
