/* SPDX-License-Identifier: Apache-2.0 */
/* The handshake in both eras, and reading lists page by page.
 *
 *     stdio:  initialize --(-32022)--> server/discover
 *     HTTP :  server/discover --(any refusal)--> initialize        (also stdio with era "modern")
 *
 * Deviations that do no harm are taken and noted (`oddities`).  A list replaces the one before it
 * only when its last page is there.  Pure.  Thread: loop. */
#include "engine/base/hash.h"
#include "engine/base/limits.h"
#include "mcp/output.h"
#include "mcp/session_private.h"

static void send_initialize(session *s);
static void send_discover(session *s);

const char *session_reason(const rpc_answer *a) {
    if (a->message) return a->message;
    return a->status == ERR_LIMIT ? "no answer in time" : "the connection ended";
}

/* ---- what the server says of itself ---------------------------------------------------------- */

static void keep(char **to, const cJSON *object, const char *name) {
    const cJSON *m = cJSON_GetObjectItemCaseSensitive(object, name);
    if (!cJSON_IsString(m)) return;
    strbuf clean;
    strbuf_init(&clean, SIZE_MAX / 2);
    output_clean(&clean, str_sub(str_of(m->valuestring), 0, LIMIT_MCP_TEXT_BYTES));
    xfree(*to);
    *to = xstrdup(clean.ptr ? clean.ptr : "");
    strbuf_deinit(&clean);
}

/* A capability is offered when it is there as anything but null and false. */
static const cJSON *capability(session *s, const cJSON *all, const char *name) {
    const cJSON *c = cJSON_GetObjectItemCaseSensitive(all, name);
    if (cJSON_IsNull(c)) note_add(&s->oddities, "capabilities.%s is null", name);
    return !c || cJSON_IsNull(c) || cJSON_IsFalse(c) ? NULL : c;
}

static bool tells_changes(session *s, const cJSON *c) {
    const cJSON *misspelt = cJSON_GetObjectItemCaseSensitive(c, "list_changed");
    if (misspelt) note_add(&s->oddities, "a capability is spelled list_changed");
    return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(c, "listChanged")) ||
           cJSON_IsTrue(misspelt);
}

static void read_capabilities(session *s, const cJSON *result) {
    const cJSON *all = cJSON_GetObjectItemCaseSensitive(result, "capabilities");
    if (!cJSON_IsObject(all)) {
        note_add(&s->oddities, "no capabilities; asked for tools all the same");
        s->lists[LIST_TOOLS].offered = true;
        return;
    }
    const cJSON *tools = capability(s, all, "tools"), *prompts = capability(s, all, "prompts");
    const cJSON *resources = capability(s, all, "resources");
    s->lists[LIST_TOOLS].offered = tools != NULL;
    s->lists[LIST_PROMPTS].offered = prompts != NULL;
    s->lists[LIST_RESOURCES].offered = s->lists[LIST_TEMPLATES].offered = resources != NULL;
    s->completion = capability(s, all, "completions") != NULL;
    bool changes[] = {tells_changes(s, tools), tells_changes(s, prompts),
                      tells_changes(s, resources)};
    s->listens = changes[0] || changes[1] || changes[2];
}

static void read_info(session *s, const cJSON *info) {
    keep(&s->server_name, info, "name");
    keep(&s->server_version, info, "version");
    if (!s->server_name) note_add(&s->oddities, "no serverInfo.name");
    if (!s->server_version) note_add(&s->oddities, "no serverInfo.version");
}

/* ---- handshake ------------------------------------------------------------------------------- */

static bool is_legacy(const char *version) {
    static const char *const known[] = {"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"};
    for (size_t i = 0; i < COUNTOF(known); i++)
        if (strcmp(version, known[i]) == 0) return true;
    return false;
}

/* Whether the list of versions `list` has one that the era speaks. */
static bool lists_era(const cJSON *list, bool modern) {
    const cJSON *v;
    cJSON_ArrayForEach(v, list) {
        if (!cJSON_IsString(v)) continue;
        if (modern ? strcmp(v->valuestring, PROTOCOL_MODERN) == 0 : is_legacy(v->valuestring))
            return true;
    }
    return false;
}

static void take_initialize(session *s, const cJSON *result) {
    const cJSON *version = cJSON_GetObjectItemCaseSensitive(result, "protocolVersion");
    if (!cJSON_IsObject(result)) {
        session_fail(s, "the answer to initialize is not an object");
        return;
    }
    if (!cJSON_IsString(version)) note_add(&s->oddities, "no protocolVersion");
    const char *v = cJSON_IsString(version) ? version->valuestring : "2024-11-05";
    if (!is_legacy(v)) {
        session_fail(s, "the server speaks protocol \"%.40s\", which this program does not know",
                     v);
        return;
    }
    snprintf(s->protocol, sizeof s->protocol, "%s", v);
    read_info(s, cJSON_GetObjectItemCaseSensitive(result, "serverInfo"));
    keep(&s->instructions, result, "instructions");
    read_capabilities(s, result);
    session_notify(s, "notifications/initialized", NULL);
    session_read_lists(s);
}

static void on_initialize(void *ud, const rpc_answer *a) {
    session *s = ud;
    s->handshake = 0;
    if (s->state == SESSION_FAILED || a->status == ERR_CANCELLED) return;
    if (a->status == OK) {
        take_initialize(s, a->result);
        return;
    }
    const cJSON *supported = cJSON_GetObjectItemCaseSensitive(a->data, "supported");
    bool version = a->status == ERR_USAGE && a->code == CODE_VERSION;
    if (version && !s->fell_back && (!cJSON_IsArray(supported) || lists_era(supported, true))) {
        s->fell_back = true;
        s->modern = true;
        send_discover(s);
        return;
    }
    session_fail(s, "the server refused initialize: %.200s", session_reason(a));
}

static void send_initialize(session *s) {
    s->modern = s->probing = false;
    cJSON *p = cJSON_CreateObject();
    cJSON_AddItemToObject(p, "capabilities", session_capabilities(s));
    cJSON_AddItemToObject(p, "clientInfo", session_client_info());
    cJSON_AddStringToObject(p, "protocolVersion", PROTOCOL_LEGACY);
    s->handshake = session_send(s, "initialize", p, 0, on_initialize, s);
}

static void take_discover(session *s, const cJSON *result) {
    const cJSON *versions = cJSON_GetObjectItemCaseSensitive(result, "supportedVersions");
    const cJSON *meta = cJSON_GetObjectItemCaseSensitive(result, "_meta");
    if (!lists_era(versions, true)) {
        session_fail(s, "the server does not offer protocol %s", PROTOCOL_MODERN);
        return;
    }
    snprintf(s->protocol, sizeof s->protocol, "%s", PROTOCOL_MODERN);
    read_info(s, cJSON_GetObjectItemCaseSensitive(meta, META_PREFIX "serverInfo"));
    keep(&s->instructions, result, "instructions");
    read_capabilities(s, result);
    session_read_lists(s);
}

/* After a refused initialize there is no way back: what is left is a server without discover. */
static void go_on_without_discover(session *s) {
    note_add(&s->oddities, "no server/discover; asked for tools all the same");
    snprintf(s->protocol, sizeof s->protocol, "%s", PROTOCOL_MODERN);
    s->lists[LIST_TOOLS].offered = true;
    session_read_lists(s);
}

static void on_discover(void *ud, const rpc_answer *a) {
    session *s = ud;
    s->handshake = 0;
    s->probing = false;
    if (s->state == SESSION_FAILED || a->status == ERR_CANCELLED) return;
    const cJSON *supported = cJSON_GetObjectItemCaseSensitive(a->data, "supported");
    bool version = a->status == ERR_USAGE && a->code == CODE_VERSION;
    if (a->status == OK &&
        (s->fell_back ||
         lists_era(cJSON_GetObjectItemCaseSensitive(a->result, "supportedVersions"), true)))
        take_discover(s, a->result);
    else if (version && !s->fell_back && lists_era(supported, true)) {
        s->fell_back = true; /* it knows our version after all: asked once more */
        send_discover(s);
    } else if (s->fell_back)
        go_on_without_discover(s);
    else {
        s->fell_back = true;
        send_initialize(s);
    }
}

static void send_discover(session *s) {
    s->modern = true;
    s->probing = !s->fell_back;
    s->probe_ms = s->options.http ? 0 : s->now_ms + LIMIT_MCP_DISCOVER_MS;
    s->handshake = session_send(s, "server/discover", NULL, s->probe_ms, on_discover, s);
}

void session_start(session *s, double now_ms) {
    s->now_ms = now_ms;
    s->deadline_ms = now_ms + s->options.start_ms;
    bool modern_first =
        s->options.era == MCP_ERA_MODERN || (s->options.http && s->options.era == MCP_ERA_AUTO);
    if (modern_first)
        send_discover(s);
    else
        send_initialize(s);
}

/* ---- lists ----------------------------------------------------------------------------------- */

static void ask_page(session *s, list_kind k, const char *cursor);
static void next_list(session *s);

typedef struct {
    session *session;
    list_kind kind;
} page_wait;

static void list_reset(session_listing *l) {
    l->running = false;
    l->pages = 0;
    vec_clear(&l->cursors);
    catalogue_list_deinit(&l->next);
    catalogue_list_init(&l->next);
}

/* All pages are here. */
static void list_done(session *s, list_kind k) {
    session_listing *l = &s->lists[k];
    catalogue_list old = l->now;
    if (k == LIST_TOOLS && s->modern && s->options.http)
        catalogue_drop_unsendable(&l->next, &s->oddities);
    if (k == LIST_TOOLS && catalogue_compare(&l->next, &old))
        note_add(&s->oddities, "the definition of a tool changed while the server ran");
    l->now = l->next;
    catalogue_list_init(&l->next);
    l->fresh_ms = s->modern && l->ttl_ms > 0 ? s->now_ms + l->ttl_ms : 0;
    list_reset(l);
    catalogue_list_deinit(&old);
    if (s->state == SESSION_LISTING) {
        s->at++;
        next_list(s);
    } else {
        s->hooks.changed(s->hooks.ud);
    }
}

/* The rest of the list will not come: what is here stays (a later time: what was here before). */
static void list_broken(session *s, list_kind k, const rpc_answer *a) {
    session_listing *l = &s->lists[k];
    bool fatal = s->state == SESSION_LISTING && k == LIST_TOOLS && a->code != RPC_METHOD_NOT_FOUND;
    if (fatal) {
        session_fail(s, "%s failed: %.200s", list_method(k), session_reason(a));
        return;
    }
    note_add(&s->oddities, "%s failed: %.80s", list_method(k), session_reason(a));
    list_reset(l);
    if (s->state != SESSION_LISTING) return;
    s->at++;
    next_list(s);
}

/* The cursor of the next page, or NULL when this was the last, or has to be. */
static const char *next_cursor(session *s, list_kind k, const cJSON *result) {
    session_listing *l = &s->lists[k];
    const cJSON *m = cJSON_GetObjectItemCaseSensitive(result, "nextCursor");
    if (!cJSON_IsString(m) || !m->valuestring[0]) return NULL;
    size_t bytes = strlen(m->valuestring);
    uint64_t hash = hash64(0, m->valuestring, bytes);
    bool again = false;
    for (size_t i = 0; i < l->cursors.count; i++)
        again = again || l->cursors.at[i] == hash;
    if (again || bytes > LIMIT_MCP_CURSOR_BYTES || l->pages >= LIMIT_MCP_LIST_PAGES) {
        note_add(&s->oddities, "%s %s; stopped there", list_method(k),
                 again                            ? "repeats a cursor"
                 : bytes > LIMIT_MCP_CURSOR_BYTES ? "has an oversized cursor"
                                                  : "has too many pages");
        return NULL;
    }
    vec_push(&l->cursors, hash);
    return m->valuestring;
}

/* Of the whole list: the shortest time that a page names. */
static void read_freshness(session_listing *l, const cJSON *result) {
    const cJSON *ttl = cJSON_GetObjectItemCaseSensitive(result, "ttlMs");
    const cJSON *scope = cJSON_GetObjectItemCaseSensitive(result, "cacheScope");
    bool known = cJSON_IsNumber(ttl) && ttl->valuedouble >= 0;
    if (known && (l->ttl_ms <= 0 || ttl->valuedouble < l->ttl_ms))
        l->ttl_ms = ttl->valuedouble > 1 ? ttl->valuedouble : 1;
    if (cJSON_IsString(scope) && strcmp(scope->valuestring, "private") == 0) l->only_ours = true;
}

static void on_page(void *ud, const rpc_answer *a) {
    page_wait *w = ud;
    session *s = w->session;
    list_kind k = w->kind;
    xfree(w);
    if (s->state == SESSION_FAILED || a->status == ERR_CANCELLED) return;
    if (a->status != OK) {
        list_broken(s, k, a);
        return;
    }
    session_listing *l = &s->lists[k];
    err e;
    status st = catalogue_add(&l->next, k, a->result, &s->oddities, &e);
    if (st == ERR_FORMAT) {
        list_broken(s, k, &(rpc_answer){.status = st, .message = e.text});
        return;
    }
    read_freshness(l, a->result);
    l->next.bytes += a->bytes;
    l->pages++;
    if (st == ERR_LIMIT) note_add(&s->oddities, "%s", e.text);
    const char *cursor = st == OK ? next_cursor(s, k, a->result) : NULL;
    if (cursor)
        ask_page(s, k, cursor);
    else
        list_done(s, k);
}

static void ask_page(session *s, list_kind k, const char *cursor) {
    page_wait *w = xcalloc(1, sizeof *w);
    *w = (page_wait){s, k};
    cJSON *params = NULL;
    if (cursor) {
        params = cJSON_CreateObject();
        cJSON_AddStringToObject(params, "cursor", cursor);
    }
    session_send(s, list_method(k), params, s->now_ms + LIMIT_MCP_LIST_MS, on_page, w);
}

static void list_start(session *s, list_kind k) {
    session_listing *l = &s->lists[k];
    l->running = true;
    l->wanted = l->only_ours = false;
    l->ttl_ms = 0;
    l->begun_ms = s->now_ms;
    ask_page(s, k, NULL);
}

static void on_listen_end(void *ud, const rpc_answer *a) {
    session *s = ud;
    if (a->status == ERR_USAGE && s->state != SESSION_FAILED)
        note_add(&s->oddities, "subscriptions/listen refused: %.80s", session_reason(a));
}

/* Modern: changes are told on one long request. */
static void listen_for_changes(session *s) {
    if (!s->modern || !s->listens) return;
    cJSON *p = cJSON_CreateObject(), *n = cJSON_AddObjectToObject(p, "notifications");
    if (s->lists[LIST_TOOLS].offered) cJSON_AddTrueToObject(n, "toolsListChanged");
    if (s->lists[LIST_PROMPTS].offered) cJSON_AddTrueToObject(n, "promptsListChanged");
    if (s->lists[LIST_RESOURCES].offered) cJSON_AddTrueToObject(n, "resourcesListChanged");
    session_send(s, "subscriptions/listen", p, 0, on_listen_end, s);
}

static void next_list(session *s) {
    while (s->at < LIST_COUNT && !s->lists[s->at].offered)
        s->at++;
    if (s->at < LIST_COUNT) {
        list_start(s, s->at);
        return;
    }
    listen_for_changes(s);
    session_enter(s, SESSION_READY);
}

void session_read_lists(session *s) {
    session_enter(s, SESSION_LISTING);
    s->at = LIST_TOOLS;
    next_list(s);
}

void session_list_again(session *s, list_kind k, double now_ms) {
    session_listing *l = &s->lists[k];
    if (!l->offered || l->wanted) return;
    l->wanted = true;
    double earliest = l->begun_ms + LIMIT_MCP_RELIST_MS;
    l->due_ms = earliest > now_ms ? earliest : now_ms;
}

void session_freshen(session *s, double now_ms) {
    for (int k = 0; k < LIST_COUNT && s->state == SESSION_READY; k++) {
        const session_listing *l = &s->lists[k];
        if (l->fresh_ms > 0 && now_ms >= l->fresh_ms && !l->running)
            session_list_again(s, (list_kind)k, now_ms);
    }
}

bool session_is_private(const session *s) {
    bool any = false;
    for (int k = 0; k < LIST_COUNT; k++)
        any = any || s->lists[k].only_ours;
    return any;
}

void session_lists_tick(session *s, double *next) {
    for (int k = 0; k < LIST_COUNT && s->state != SESSION_FAILED; k++) {
        session_listing *l = &s->lists[k];
        if (l->running) {
            double until = l->begun_ms + (double)LIMIT_MCP_LIST_MS * (double)(l->pages + 1);
            until = until > s->now_ms ? until : s->now_ms + LIMIT_MCP_LIST_MS;
            *next = *next > 0 && *next < until ? *next : until;
        }
        if (!l->wanted || l->running || s->state != SESSION_READY) continue;
        if (s->now_ms >= l->due_ms)
            list_start(s, (list_kind)k);
        else
            *next = *next > 0 && *next < l->due_ms ? *next : l->due_ms;
    }
}

void session_lists_free(session *s) {
    for (int k = 0; k < LIST_COUNT; k++) {
        catalogue_list_deinit(&s->lists[k].now);
        catalogue_list_deinit(&s->lists[k].next);
        vec_free(&s->lists[k].cursors);
    }
}
