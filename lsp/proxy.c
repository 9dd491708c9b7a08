/* SPDX-License-Identifier: Apache-2.0 */
/* The proxy's memory.
 *
 *            proxy_daemon_here                     answer to initialize
 *     AWAY ---------------------> (nothing to tell yet) RELAYING
 *      ^   \--- initialize was seen: REPLAYING -------------> RELAYING: initialized, settings,
 *      |                                                       folders, documents, what waited
 *      +----------------- proxy_daemon_gone --------------------+
 *
 * Only in RELAYING are the editor's messages handled; else their bytes wait.  So a message is
 * either in the memory below, or has not been looked at.
 *
 * Each request of the editor is answered once: by the daemon; or, when that is gone, with -32801;
 * but initialize waits for the next daemon's answer, and shutdown gets its null.  Answers to an
 * initialize that the editor has had an answer to are swallowed.  The daemon's own requests get the
 * number of the daemon into their id, because every daemon begins to count at 1 and an editor may
 * answer late; registrations that the editor knows already are answered here.  Progress that a dead
 * daemon left open is ended.
 *
 * Invariant: `open` holds exactly the ids of requests that went to a daemon (or wait for one) and
 * were not answered.  Thread: one at a time.
 */
#include "lsp/proxy.h"

#include <cjson/cJSON.h>

#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/base/utf8.h"
#include "engine/base/vec.h"
#include "lsp/did_change.h"
#include "mcp/rpc.h"

typedef struct {
    rpc_id id;
    bool initialize, shutdown;
} open_request;

typedef struct {
    char *uri, *language;
} open_document;

struct proxy {
    proxy_hooks hooks;
    frame_reader editor, daemon;
    strbuf held; /* the editor's bytes while nobody is there */
    bool connected, replaying;
    unsigned generation;                       /* of daemons */
    char *initialize, *initialized, *settings; /* messages as they came; NULL: not yet */
    bool answered;                             /* the editor has the answer to initialize */
    VEC(char *) folders;                       /* didChangeWorkspaceFolders */
    VEC(char *) notebooks;                     /* all their messages, in order */
    VEC(open_request) open;
    VEC(char *) registered; /* ids of registrations */
    VEC(char *) progress;   /* tokens between begin and end, as JSON */
    VEC(open_document) documents;
    context *mirror; /* their texts */
    position_encoding encoding;
    bool shut, left, version_told;
};

proxy *proxy_new(const proxy_hooks *hooks) {
    proxy *p = xcalloc(1, sizeof *p);
    p->hooks = *hooks;
    p->encoding = ENCODING_UTF16;
    p->mirror = context_new();
    strbuf_init(&p->held, LIMIT_WRITE_QUEUE_BYTES);
    frame_reader_init(&p->editor, FRAME_HEADERS, LIMIT_MESSAGE_BYTES);
    frame_reader_init(&p->daemon, FRAME_HEADERS, LIMIT_MESSAGE_BYTES);
    return p;
}

#define FREE_ALL(list)                                                                             \
 do {                                                                                              \
  for (size_t i_ = 0; i_ < (list).count; i_++)                                                     \
   xfree((list).at[i_]);                                                                           \
  vec_free(&(list));                                                                               \
 } while (0)

void proxy_free(proxy *p) {
    if (!p) return;
    for (size_t i = 0; i < p->documents.count; i++) {
        xfree(p->documents.at[i].uri);
        xfree(p->documents.at[i].language);
    }
    vec_free(&p->documents);
    vec_free(&p->open);
    FREE_ALL(p->folders);
    FREE_ALL(p->notebooks);
    FREE_ALL(p->registered);
    FREE_ALL(p->progress);
    xfree(p->initialize);
    xfree(p->initialized);
    xfree(p->settings);
    context_free(p->mirror);
    strbuf_deinit(&p->held);
    frame_reader_deinit(&p->editor);
    frame_reader_deinit(&p->daemon);
    xfree(p);
}

/* ---- sending --------------------------------------------------------------------------------- */

static void send_text(proxy *p, bool daemon, str body) {
    strbuf framed;
    strbuf_init(&framed, (size_t)2 * LIMIT_MESSAGE_BYTES);
    frame_write(&framed, FRAME_HEADERS, body);
    (daemon ? p->hooks.to_daemon : p->hooks.to_editor)(p->hooks.ud, strbuf_str(&framed));
    strbuf_deinit(&framed);
}

static void send_json(proxy *p, bool daemon, cJSON *json) { /* takes json */
    char *text = cJSON_PrintUnformatted(json);
    send_text(p, daemon, str_of(text));
    cJSON_free(text);
    cJSON_Delete(json);
}

static cJSON *message(const char *method, cJSON *params) { /* takes params */
    cJSON *m = cJSON_CreateObject();
    cJSON_AddStringToObject(m, "jsonrpc", "2.0");
    cJSON_AddStringToObject(m, "method", method);
    if (params) cJSON_AddItemToObject(m, "params", params);
    return m;
}

static void add_id(cJSON *m, const rpc_id *id) {
    if (id->is_text)
        cJSON_AddStringToObject(m, "id", id->text);
    else
        cJSON_AddNumberToObject(m, "id", (double)id->number);
}

/* code 0: the result null. */
static void answer(proxy *p, const rpc_id *id, int code, const char *sentence) {
    cJSON *m = cJSON_CreateObject();
    cJSON_AddStringToObject(m, "jsonrpc", "2.0");
    add_id(m, id);
    if (code) {
        cJSON *error = cJSON_AddObjectToObject(m, "error");
        cJSON_AddNumberToObject(error, "code", code);
        cJSON_AddStringToObject(error, "message", sentence);
    } else {
        cJSON_AddNullToObject(m, "result");
    }
    send_json(p, false, m);
}

void proxy_tell(proxy *p, const char *sentence) {
    send_json(p, false, message("window/showMessage", protocol_message(MESSAGE_ERROR, sentence)));
}

/* The socket's name keeps builds apart, but a person can name a socket, too. */
static void compare_versions(proxy *p, const cJSON *result) {
    const cJSON *its = protocol_get(protocol_get(result, "serverInfo"), "version");
    char version[40] = "an unknown version", sentence[300];
    if (cJSON_IsString(its)) snprintf(version, sizeof version, "%s", its->valuestring);
    version[utf8_complete_prefix(str_of(version))] = '\0';
    if (!cJSON_IsObject(result) || p->version_told || !strcmp(version, INLINED_VERSION)) return;
    p->version_told = true;
    snprintf(sentence, sizeof sentence,
             "inlined " INLINED_VERSION " talks to a daemon of %s: close all editors that use it, "
             "so that it ends, and open this one again; or start inlined without --socket",
             version);
    log_warn("proxy", "%s", sentence);
    proxy_tell(p, sentence);
}

/* ---- documents ------------------------------------------------------------------------------- */

static void forget_document(proxy *p, str uri) {
    for (size_t i = p->documents.count; i-- > 0;) {
        if (!str_eq(str_of(p->documents.at[i].uri), uri)) continue;
        xfree(p->documents.at[i].uri);
        xfree(p->documents.at[i].language);
        vec_remove(&p->documents, i);
    }
    document *d = context_find(p->mirror, uri);
    if (d) context_close(p->mirror, d);
}

static void did_open(proxy *p, const cJSON *params) {
    lsp_document in;
    err e;
    document *d;
    if (protocol_read_document(protocol_get(params, "textDocument"), &in, &e)) return;
    forget_document(p, in.uri);
    if (context_open(p->mirror, in.uri, (str){"", 0}, in.language, in.text, in.version, &d, &e))
        return; /* the daemon refuses it, too */
    vec_push(&p->documents, ((open_document){xstrndup(in.uri.ptr, in.uri.len),
                                             xstrndup(in.language.ptr, in.language.len)}));
}

/* As text_sync.c does: what comes before a wrong change stays, and the version does not move. */
static void did_change(proxy *p, const cJSON *params) {
    str uri;
    int64_t version;
    err e = {{0}};
    const cJSON *change, *changes = protocol_get(params, "contentChanges");
    if (protocol_read_document_id(protocol_get(params, "textDocument"), &uri, &version, &e)) return;
    document *d = context_find(p->mirror, uri);
    if (!d || !cJSON_IsArray(changes)) return;
    cJSON_ArrayForEach(change, changes) {
        did_change_edit done;
        if (did_change_apply(d, p->encoding, change, &done, &e)) return;
    }
    document_set_version(d, version);
}

static void did_close(proxy *p, const cJSON *params) {
    str uri;
    int64_t version;
    err e;
    if (!protocol_read_document_id(protocol_get(params, "textDocument"), &uri, &version, &e))
        forget_document(p, uri);
}

static void open_again(proxy *p, const open_document *o) {
    const document *d = context_find(p->mirror, str_of(o->uri));
    if (!d) return;
    str text = document_text(d);
    cJSON *params = cJSON_CreateObject(), *item = cJSON_AddObjectToObject(params, "textDocument");
    char *copy = xstrndup(text.ptr ? text.ptr : "", text.len);
    cJSON_AddStringToObject(item, "uri", o->uri);
    cJSON_AddStringToObject(item, "languageId", o->language);
    cJSON_AddNumberToObject(item, "version", (double)document_version(d));
    cJSON_AddStringToObject(item, "text", copy);
    xfree(copy);
    send_json(p, true, message("textDocument/didOpen", params));
}

/* ---- from the editor ------------------------------------------------------------------------- */

static void keep(char **slot, str body) {
    xfree(*slot);
    *slot = xstrndup(body.ptr, body.len);
}

static void note_notification(proxy *p, const char *method, const cJSON *params, str body) {
    if (!strcmp(method, "textDocument/didChange")) did_change(p, params);
    if (!strcmp(method, "textDocument/didOpen")) did_open(p, params);
    if (!strcmp(method, "textDocument/didClose")) did_close(p, params);
    if (!strcmp(method, "initialized")) keep(&p->initialized, body);
    if (!strcmp(method, "workspace/didChangeConfiguration")) keep(&p->settings, body);
    if (!strcmp(method, "workspace/didChangeWorkspaceFolders"))
        vec_push(&p->folders, xstrndup(body.ptr, body.len));
    if (!strncmp(method, "notebookDocument/", 17))
        vec_push(&p->notebooks, xstrndup(body.ptr, body.len));
    if (!strcmp(method, "exit")) p->left = true;
}

static void note_request(proxy *p, const char *method, const rpc_id *id, str body) {
    open_request r = {.id = *id,
                      .initialize = !strcmp(method, "initialize") && !p->initialize,
                      .shutdown = !strcmp(method, "shutdown")};
    if (r.initialize) keep(&p->initialize, body);
    vec_push(&p->open, r);
}

/* An answer of the editor: for this daemon it goes on under the daemon's own id. */
static void answer_of_editor(proxy *p, cJSON *json, const rpc_id *id) {
    unsigned generation = 0;
    long long number = 0;
    bool ours = id->is_text && sscanf(id->text, "%u:%lld", &generation, &number) == 2;
    if (!ours || generation != p->generation) return; /* to a daemon that is gone */
    cJSON_ReplaceItemInObjectCaseSensitive(json, "id", cJSON_CreateNumber((double)number));
    char *text = cJSON_PrintUnformatted(json);
    send_text(p, true, str_of(text));
    cJSON_free(text);
}

static void editor_message(proxy *p, str body) {
    char *copy = xstrndup(body.ptr, body.len);
    cJSON *json = NULL;
    err e;
    rpc_id id;
    if (rpc_parse(copy, body.len, &json, &e)) json = NULL; /* the daemon says what is wrong */
    const cJSON *method = protocol_get(json, "method");
    bool has_id = json && rpc_id_read(protocol_get(json, "id"), &id);
    if (json && !method && has_id) {
        answer_of_editor(p, json, &id);
    } else {
        if (cJSON_IsString(method) && has_id)
            note_request(p, method->valuestring, &id, body);
        else if (cJSON_IsString(method))
            note_notification(p, method->valuestring, protocol_get(json, "params"), body);
        send_text(p, true, body);
    }
    cJSON_Delete(json);
    xfree(copy);
}

static status pump_editor(proxy *p, err *e) {
    bool got = true;
    while (p->connected && !p->replaying) {
        char *text;
        size_t len;
        status s = frame_next(&p->editor, &text, &len, &got, e);
        if (s) return s;
        if (!got) return OK;
        editor_message(p, (str){text, len});
    }
    return OK;
}

status proxy_from_editor(proxy *p, str bytes, err *e) {
    bool relaying = p->connected && !p->replaying;
    if (relaying && !p->held.len) {
        frame_feed(&p->editor, bytes);
        return pump_editor(p, e);
    }
    if (p->held.len + bytes.len > LIMIT_WRITE_QUEUE_BYTES)
        return err_set(e, ERR_LIMIT, "the editor has sent %d MB while no daemon was there",
                       (int)(LIMIT_WRITE_QUEUE_BYTES >> 20));
    strbuf_add_str(&p->held, bytes);
    return OK;
}

static void let_go(proxy *p) {
    err e;
    strbuf waited = p->held;
    strbuf_init(&p->held, LIMIT_WRITE_QUEUE_BYTES);
    frame_feed(&p->editor, strbuf_str(&waited));
    if (pump_editor(p, &e)) log_warn("proxy", "%s", e.text); /* the next bytes end it */
    strbuf_deinit(&waited);
}

/* ---- from the daemon ------------------------------------------------------------------------- */

static bool take_open(proxy *p, const rpc_id *id, open_request *out) {
    for (size_t i = 0; i < p->open.count; i++) {
        if (!rpc_id_equal(&p->open.at[i].id, id)) continue;
        *out = p->open.at[i];
        vec_remove(&p->open, i);
        return true;
    }
    return false;
}

static void read_encoding(proxy *p, const cJSON *result) {
    const cJSON *word = protocol_get(protocol_get(result, "capabilities"), "positionEncoding");
    p->encoding = ENCODING_UTF16;
    if (!cJSON_IsString(word)) return;
    if (!strcmp(word->valuestring, "utf-8")) p->encoding = ENCODING_UTF8;
    if (!strcmp(word->valuestring, "utf-32")) p->encoding = ENCODING_UTF32;
}

static void replay_rest(proxy *p) {
    p->replaying = false;
    if (p->initialized) send_text(p, true, str_of(p->initialized));
    if (p->settings) send_text(p, true, str_of(p->settings));
    for (size_t i = 0; i < p->folders.count; i++)
        send_text(p, true, str_of(p->folders.at[i]));
    for (size_t i = 0; i < p->documents.count; i++)
        open_again(p, &p->documents.at[i]);
    for (size_t i = 0; i < p->notebooks.count; i++)
        send_text(p, true, str_of(p->notebooks.at[i]));
    let_go(p);
}

static void daemon_answer(proxy *p, const cJSON *json, const rpc_id *id, str body) {
    open_request r;
    bool replayed = p->replaying;
    const cJSON *result = protocol_get(json, "result");
    if (replayed && p->answered) { /* the first thing that a new daemon says */
        read_encoding(p, result);
        compare_versions(p, result);
        replay_rest(p);
        return;
    }
    if (!take_open(p, id, &r)) return;
    if (r.initialize) {
        p->answered = true;
        read_encoding(p, result);
    }
    p->shut |= r.shutdown;
    send_text(p, false, body);
    if (r.initialize) compare_versions(p, result);
    if (replayed) replay_rest(p);
}

/* True: the editor knows it from an earlier daemon. */
static bool is_known_registration(proxy *p, const cJSON *params) {
    const cJSON *one, *list = protocol_get(params, "registrations");
    bool known = cJSON_IsArray(list) && cJSON_GetArraySize(list) > 0;
    cJSON_ArrayForEach(one, list) {
        const cJSON *id = protocol_get(one, "id");
        if (!cJSON_IsString(id)) return false;
        bool found = false;
        for (size_t i = 0; i < p->registered.count && !found; i++)
            found = !strcmp(p->registered.at[i], id->valuestring);
        if (!found) vec_push(&p->registered, xstrdup(id->valuestring));
        known = known && found;
    }
    return known;
}

static void forget_registrations(proxy *p, const cJSON *params) {
    const cJSON *one;
    cJSON_ArrayForEach(one, protocol_get(params, "unregisterations")) {
        const cJSON *id = protocol_get(one, "id");
        for (size_t i = p->registered.count; i-- > 0 && cJSON_IsString(id);) {
            if (strcmp(p->registered.at[i], id->valuestring) != 0) continue;
            xfree(p->registered.at[i]);
            vec_remove(&p->registered, i);
        }
    }
}

static void daemon_request(proxy *p, cJSON *json, const char *method, const rpc_id *id) {
    const cJSON *params = protocol_get(json, "params");
    if (!strcmp(method, "client/registerCapability") && is_known_registration(p, params)) {
        cJSON *m = cJSON_CreateObject();
        cJSON_AddStringToObject(m, "jsonrpc", "2.0");
        add_id(m, id);
        cJSON_AddNullToObject(m, "result");
        send_json(p, true, m);
        return;
    }
    if (!strcmp(method, "client/unregisterCapability")) forget_registrations(p, params);
    char unique[64];
    snprintf(unique, sizeof unique, "%u:%lld", p->generation, (long long)id->number);
    cJSON_ReplaceItemInObjectCaseSensitive(json, "id", cJSON_CreateString(unique));
    char *text = cJSON_PrintUnformatted(json);
    send_text(p, false, str_of(text));
    cJSON_free(text);
}

static void note_progress(proxy *p, const cJSON *params) {
    const cJSON *kind = protocol_get(protocol_get(params, "value"), "kind");
    const cJSON *token = protocol_get(params, "token");
    if (!cJSON_IsString(kind) || !token) return;
    bool begins = !strcmp(kind->valuestring, "begin"), ends = !strcmp(kind->valuestring, "end");
    if (!begins && !ends) return;
    char *text = cJSON_PrintUnformatted(token);
    for (size_t i = p->progress.count; i-- > 0;) {
        if (strcmp(p->progress.at[i], text) != 0) continue;
        xfree(p->progress.at[i]);
        vec_remove(&p->progress, i);
    }
    if (begins) vec_push(&p->progress, xstrdup(text));
    cJSON_free(text);
}

static void daemon_message(proxy *p, str body) {
    char *copy = xstrndup(body.ptr, body.len);
    cJSON *json = NULL;
    err e;
    rpc_id id;
    if (rpc_parse(copy, body.len, &json, &e)) {
        log_warn("proxy", "the daemon said nonsense: %s", e.text);
        xfree(copy);
        return;
    }
    const cJSON *method = protocol_get(json, "method");
    bool has_id = rpc_id_read(protocol_get(json, "id"), &id);
    if (!cJSON_IsString(method)) {
        if (has_id)
            daemon_answer(p, json, &id, body);
        else
            send_text(p, false, body); /* an error about what could not be read */
    } else if (has_id) {
        daemon_request(p, json, method->valuestring, &id);
    } else {
        if (!strcmp(method->valuestring, "$/progress"))
            note_progress(p, protocol_get(json, "params"));
        send_text(p, false, body);
    }
    cJSON_Delete(json);
    xfree(copy);
}

status proxy_from_daemon(proxy *p, str bytes, err *e) {
    frame_feed(&p->daemon, bytes);
    for (bool got = true; got;) {
        char *text;
        size_t len;
        status s = frame_next(&p->daemon, &text, &len, &got, e);
        if (s) return s;
        if (got) daemon_message(p, (str){text, len});
    }
    return OK;
}

/* ---- daemons come and go --------------------------------------------------------------------- */

void proxy_daemon_here(proxy *p) {
    ASSERT(!p->connected);
    p->connected = true;
    p->generation++;
    p->replaying = p->initialize != NULL;
    if (p->replaying)
        send_text(p, true, str_of(p->initialize));
    else
        let_go(p);
}

void proxy_daemon_gone(proxy *p) {
    if (!p->connected) return;
    p->connected = p->replaying = false;
    frame_reader_deinit(&p->daemon);
    frame_reader_init(&p->daemon, FRAME_HEADERS, LIMIT_MESSAGE_BYTES);
    for (size_t i = p->open.count; i-- > 0;) {
        open_request r = p->open.at[i];
        if (r.initialize) continue;
        vec_remove(&p->open, i);
        p->shut |= r.shutdown;
        answer(p, &r.id, r.shutdown ? 0 : LSP_CONTENT_MODIFIED, "the daemon was started again");
    }
    while (p->progress.count) {
        char *token = p->progress.at[--p->progress.count];
        cJSON *params = cJSON_CreateObject(), *value;
        cJSON_AddItemToObject(params, "token", cJSON_Parse(token));
        value = cJSON_AddObjectToObject(params, "value");
        cJSON_AddStringToObject(value, "kind", "end");
        send_json(p, false, message("$/progress", params));
        xfree(token);
    }
}

int proxy_exit_code(const proxy *p) {
    if (!p->left) return -1;
    return p->shut ? 0 : 1;
}

size_t proxy_open_requests(const proxy *p) {
    return p->open.count;
}
