/* SPDX-License-Identifier: Apache-2.0 */
/* What we offer: the set, what is known of it, and who is told of changes.  Built-in tools and a
 * project's stand in one list; a name may be there once of each kind.  Calls are own_call.c's.
 * Thread: loop. */
#include "mcp/own.h"

#include <strings.h>
#include <unistd.h>

#include "engine/base/file.h"
#include "engine/base/limits.h"
#include "mcp/jsonc.h"
#include "mcp/own_private.h"
#include "mcp/own_tools_json.h"

#define GET(object, name) cJSON_GetObjectItemCaseSensitive(object, name)

void own_maybe_closed(own_tools *t) {
    if (!t->closing || t->calls.count || t->watches) return;
    void (*closed)(void *ud) = t->closed;
    void *ud = t->closed_ud;
    vec_free(&t->entries);
    vec_free(&t->calls);
    cJSON_Delete(t->built_in);
    cJSON_Delete(t->declared);
    xfree(t->place.workspace);
    xfree(t->memory_file);
    xfree(t->search_path);
    xfree(t);
    closed(ud);
}

/* ---- life ------------------------------------------------------------------------------------ */

static bool is_about_code(const char *name) {
    return !strcmp(name, "find_symbol") || !strcmp(name, "list_symbols") ||
           !strcmp(name, "diagnostics");
}

static status add_built_in(own_tools *t, err *e) {
    size_t offset;
    status s = jsonc_parse((str){(const char *)own_tools_json, own_tools_bytes}, &t->built_in, NULL,
                           &offset, e);
    if (!s) s = own_declared(&t->entries, t->built_in, true, e);
    ASSERT(s == OK); /* it is ours */
    for (size_t i = t->entries.count; i-- > 0;) {
        own_entry *entry = &t->entries.at[i];
        entry->git = entry->argv && str_starts_with(str_of(entry->offer.name), STR("git_"));
        if (entry->argv) continue;
        entry->run = own_files(entry->offer.name);
        entry->code = is_about_code(entry->offer.name);
        entry->output = !strcmp(entry->offer.name, "read_output");
        entry->memory = !entry->run && !entry->code && !entry->output;
        if ((entry->memory && !t->memory_file) || (entry->code && !t->code) ||
            (entry->output && !t->outputs))
            vec_remove(&t->entries, i);
    }
    return s;
}

static status add_declared(own_tools *t, const char *file, err *e) {
    strbuf text;
    size_t offset = 0;
    int line = 1, column = 1;
    strbuf_init(&text, LIMIT_MCP_CONFIG_BYTES);
    status s = file_read(file, LIMIT_MCP_CONFIG_BYTES, &text, e);
    if (!s && (s = jsonc_parse(strbuf_str(&text), &t->declared, NULL, &offset, e))) {
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
                     .place = {xstrdup(o->workspace), o->privacy},
                     .memory_file = o->memory_file ? xstrdup(o->memory_file) : NULL,
                     .search_path = xstrdup(o->search_path ? o->search_path : ""),
                     .code = o->code,
                     .code_ud = o->ud,
                     .outputs = o->outputs,
                     .outputs_ud = o->outputs_ud};
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
    own_maybe_closed(t);
}

/* ---- what there is --------------------------------------------------------------------------- */

const own_offer *own_offer_at(const own_tools *t, own_kind kind, size_t index) {
    for (size_t i = 0; i < t->entries.count; i++)
        if (t->entries.at[i].offer.kind == kind && index-- == 0) return &t->entries.at[i].offer;
    return NULL;
}

const own_offer *own_offer_named(const own_tools *t, own_kind kind, const char *name) {
    const own_offer *o;
    for (size_t i = 0; (o = own_offer_at(t, kind, i)); i++)
        if (!strcmp(o->name, name)) return o;
    return NULL;
}

static const cJSON *values_of(const own_tools *t, const own_offer *offer, const char *argument) {
    const cJSON *one;
    for (size_t i = 0; i < t->entries.count; i++)
        if (&t->entries.at[i].offer == offer && t->entries.at[i].values)
            return GET(t->entries.at[i].values, argument);
    cJSON_ArrayForEach(one, offer->arguments) {
        const char *name = cJSON_GetStringValue(GET(one, "name"));
        if (name && !strcmp(name, argument)) return GET(one, "values");
    }
    return NULL;
}

size_t own_complete(const own_tools *t, const own_offer *offer, const char *argument,
                    const char *text, size_t max, cJSON *out) {
    const cJSON *value;
    size_t n = 0;
    cJSON_ArrayForEach(value, values_of(t, offer, argument)) {
        if (strncasecmp(value->valuestring, text, strlen(text)) != 0) continue;
        if (n++ < max) cJSON_AddItemToArray(out, cJSON_CreateString(value->valuestring));
    }
    return n;
}

/* ---- changes --------------------------------------------------------------------------------- */

#define WATCH_MS 1000

struct own_watch {
    own_tools *owner;
    uv_fs_poll_t poll; /* of a path: an editor replaces files, and then notices of them end */
    bool missing;      /* the file: the poll says so at first, which is no news */
    char *uri;
    void (*changed)(void *ud, const char *uri);
    void *ud;
};

static void on_change(uv_fs_poll_t *poll, int rc, const uv_stat_t *before, const uv_stat_t *now) {
    own_watch *w = poll->data;
    bool gone = rc < 0, news = !gone || !w->missing; /* one that goes away has changed, too */
    UNUSED(before);
    UNUSED(now);
    w->missing = gone;
    if (news) w->changed(w->ud, w->uri);
}

/* Appends the path of the file behind a resource; false: it is no file, or there is none. */
static bool file_behind(own_tools *t, const char *uri, strbuf *path, bool *known) {
    *known = false;
    for (size_t i = 0; i < t->entries.count; i++) {
        const own_entry *entry = &t->entries.at[i];
        cJSON *arguments = NULL;
        err e;
        bool same = entry->offer.kind == OWN_RESOURCE && !strcmp(entry->offer.name, uri);
        if (!same && !(entry->offer.kind == OWN_TEMPLATE &&
                       own_uri_match(entry->offer.name, uri, &arguments)))
            continue;
        *known = true;
        strbuf_addf(path, "%s/", t->place.workspace);
        bool good = entry->file &&
                    own_expand_text(entry->file, arguments, t->place.workspace, path, &e) == OK;
        cJSON_Delete(arguments);
        return good;
    }
    return false;
}

own_watch *own_watch_new(own_tools *t, const char *uri, void (*changed)(void *ud, const char *uri),
                         void *ud) {
    strbuf path;
    bool known;
    strbuf_init(&path, LIMIT_PATH_BYTES);
    bool is_file = file_behind(t, uri, &path, &known) && !path.overflow;
    if (!known || t->closing) {
        strbuf_deinit(&path);
        return NULL;
    }
    own_watch *w = xcalloc(1, sizeof *w);
    *w = (own_watch){.owner = t, .uri = xstrdup(uri), .changed = changed, .ud = ud};
    uv_fs_poll_init(t->loop, &w->poll);
    w->poll.data = w;
    w->missing = is_file && access(path.ptr, F_OK) != 0;
    if (is_file) uv_fs_poll_start(&w->poll, on_change, path.ptr, WATCH_MS);
    t->watches++;
    strbuf_deinit(&path);
    return w;
}

static void on_watch_closed(uv_handle_t *h) {
    own_watch *w = h->data;
    own_tools *t = w->owner;
    t->watches--;
    xfree(w->uri);
    xfree(w);
    own_maybe_closed(t);
}

void own_watch_free(own_watch *w) {
    if (w) uv_close((uv_handle_t *)&w->poll, on_watch_closed);
}
