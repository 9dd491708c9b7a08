/* SPDX-License-Identifier: Apache-2.0 */
/* JSON-RPC 2.0 peer: which message is it, who gets it, and which answer belongs to what.
 *
 * Owns the frame reader and the table of outgoing requests.  Incoming requests are not tracked
 * here: the owner's promise objects (lsp/reply.h) see to it that each is answered once.
 *
 * Invariants: a pending entry leaves the table before its `done` runs, so `done` may start a new
 * request; `feeding` forbids rpc_free from inside a hook.  Thread: one at a time (the loop).
 */
#include "mcp/rpc.h"

#include <math.h>

#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/utf8.h"
#include "engine/base/vec.h"
#include "mcp/json_check.h"

typedef struct {
    int64_t id;
    double deadline_ms;
    rpc_done done;
    void *ud;
} pending;

struct rpc {
    rpc_hooks hooks;
    frame_mode mode;
    frame_reader reader;
    VEC(pending) pending;
    int64_t last_id;
    bool feeding, stopped;
};

/* ---- ids and texts --------------------------------------------------------------------------- */

bool rpc_id_equal(const rpc_id *a, const rpc_id *b) {
    if (a->is_text != b->is_text) return false;
    return a->is_text ? !strcmp(a->text, b->text) : a->number == b->number;
}

bool rpc_id_read(const cJSON *json, rpc_id *out) {
    *out = (rpc_id){0};
    if (cJSON_IsString(json)) {
        size_t n = strlen(json->valuestring);
        if (n >= sizeof out->text) return false;
        out->is_text = true;
        memcpy(out->text, json->valuestring, n + 1);
        return true;
    }
    if (!cJSON_IsNumber(json)) return false;
    double d = json->valuedouble;
    if (!(fabs(d) <= 9007199254740991.0) || floor(d) != d) return false; /* exact in a double */
    out->number = (int64_t)d;
    return true;
}

/* Numbers are printed by us: cJSON rounds to 15 digits. */
static cJSON *id_json(const rpc_id *id) {
    if (!id) return cJSON_CreateNull();
    if (id->is_text) return cJSON_CreateString(id->text);
    char digits[32];
    snprintf(digits, sizeof digits, "%lld", (long long)id->number);
    return cJSON_CreateRaw(digits);
}

void rpc_json_memory(void) {
    cJSON_InitHooks(&(cJSON_Hooks){.malloc_fn = xmalloc, .free_fn = xfree});
}

status rpc_parse(char *text, size_t len, cJSON **out, err *e) {
    rpc_json_memory();
    status s = json_check(text, len, e);
    if (s) return s;
    const char *end = NULL;
    cJSON *json = cJSON_ParseWithLengthOpts(text, len, &end, false);
    if (!json)
        return err_set(e, ERR_FORMAT, "the text is no JSON at byte %zu",
                       end ? (size_t)(end - text) : (size_t)0);
    if (str_trim((str){end, (size_t)(text + len - end)}).len) {
        cJSON_Delete(json);
        return err_set(e, ERR_FORMAT, "the JSON text goes on after its end, at byte %zu",
                       (size_t)(end - text));
    }
    *out = json;
    return OK;
}

/* ---- life ------------------------------------------------------------------------------------ */

rpc *rpc_new(frame_mode mode, const rpc_hooks *hooks) {
    rpc_json_memory();
    rpc *r = xcalloc(1, sizeof *r);
    r->hooks = *hooks;
    r->mode = mode;
    r->last_id = hooks->last_id;
    frame_reader_init(&r->reader, mode,
                      hooks->message_max ? hooks->message_max : LIMIT_MESSAGE_BYTES);
    r->reader.resync = hooks->junk != NULL;
    return r;
}

/* Takes the entry out of the table, then tells its owner. */
static void pending_end(rpc *r, size_t index, const rpc_answer *a) {
    pending p = r->pending.at[index];
    vec_remove(&r->pending, index);
    if (p.done) p.done(p.ud, a);
}

void rpc_free(rpc *r) {
    if (!r) return;
    ASSERT(!r->feeding);
    r->stopped = true;
    while (r->pending.count)
        pending_end(r, r->pending.count - 1,
                    &(rpc_answer){.status = ERR_CANCELLED, .message = "the connection has ended"});
    vec_free(&r->pending);
    frame_reader_deinit(&r->reader);
    xfree(r);
}

void rpc_stop(rpc *r) {
    r->stopped = true;
}

bool rpc_at_boundary(const rpc *r) {
    return frame_at_boundary(&r->reader);
}

/* ---- out ------------------------------------------------------------------------------------- */

static void send_json(rpc *r, cJSON *message) {
    char *text = cJSON_PrintUnformatted(message);
    strbuf framed;
    strbuf_init(&framed, SIZE_MAX / 2);
    frame_write(&framed, r->mode, str_of(text));
    r->hooks.write(r->hooks.ud, strbuf_str(&framed));
    strbuf_deinit(&framed);
    cJSON_free(text);
    cJSON_Delete(message); /* the hook may still look at what it writes */
}

static cJSON *message_new(void) {
    cJSON *m = cJSON_CreateObject();
    cJSON_AddStringToObject(m, "jsonrpc", "2.0");
    return m;
}

void rpc_notify(rpc *r, const char *method, cJSON *params) {
    cJSON *m = message_new();
    cJSON_AddStringToObject(m, "method", method);
    if (params) cJSON_AddItemToObject(m, "params", params);
    send_json(r, m);
}

void rpc_reply(rpc *r, const rpc_id *id, cJSON *result) {
    cJSON *m = message_new();
    cJSON_AddItemToObject(m, "id", id_json(id));
    cJSON_AddItemToObject(m, "result", result ? result : cJSON_CreateNull());
    send_json(r, m);
}

void rpc_reply_error(rpc *r, const rpc_id *id, int code, const char *message, cJSON *data) {
    cJSON *m = message_new();
    cJSON_AddItemToObject(m, "id", id_json(id));
    cJSON *error = cJSON_AddObjectToObject(m, "error");
    cJSON_AddNumberToObject(error, "code", code);
    cJSON_AddStringToObject(error, "message", message);
    if (data) cJSON_AddItemToObject(error, "data", data);
    send_json(r, m);
}

int64_t rpc_request(rpc *r, const char *method, cJSON *params, double deadline_ms, rpc_done done,
                    void *ud) {
    int64_t id = ++r->last_id;
    vec_push(&r->pending, ((pending){id, deadline_ms, done, ud}));
    cJSON *m = message_new();
    cJSON_AddNumberToObject(m, "id", (double)id);
    cJSON_AddStringToObject(m, "method", method);
    if (params) cJSON_AddItemToObject(m, "params", params);
    send_json(r, m);
    return id;
}

int64_t rpc_next_id(const rpc *r) {
    return r->last_id + 1;
}

/* The entry's index, or pending.count. */
static size_t pending_find(const rpc *r, int64_t id) {
    size_t i = 0;
    while (i < r->pending.count && r->pending.at[i].id != id)
        i++;
    return i;
}

bool rpc_drop(rpc *r, int64_t id) {
    size_t i = pending_find(r, id);
    if (i == r->pending.count) return false;
    vec_remove(&r->pending, i);
    return true;
}

bool rpc_end(rpc *r, int64_t id, const rpc_answer *a) {
    size_t i = pending_find(r, id);
    if (i == r->pending.count) return false;
    pending_end(r, i, a);
    return true;
}

void rpc_expire(rpc *r, double now_ms) {
    for (size_t i = r->pending.count; i-- > 0;) {
        if (i >= r->pending.count) continue; /* a `done` changed the table */
        double deadline = r->pending.at[i].deadline_ms;
        if (deadline <= 0 || now_ms < deadline) continue;
        pending_end(r, i, &(rpc_answer){.status = ERR_LIMIT, .message = "no answer in time"});
    }
}

void rpc_postpone(rpc *r, double by_ms) {
    for (size_t i = 0; i < r->pending.count; i++)
        if (r->pending.at[i].deadline_ms > 0) r->pending.at[i].deadline_ms += by_ms;
}

bool rpc_is_pending(const rpc *r, int64_t id) {
    return pending_find(r, id) < r->pending.count;
}

size_t rpc_pending(const rpc *r) {
    return r->pending.count;
}

/* ---- in -------------------------------------------------------------------------------------- */

static void junk(rpc *r, rpc_junk kind, str line) {
    if (r->hooks.junk)
        r->hooks.junk(r->hooks.ud, kind, line);
    else
        log_warn("rpc", "answer to no request of ours");
}

/* The number that an answer's id means: tolerant peers may send ours back as a text. */
static int64_t answer_id(const rpc *r, const rpc_id *id) {
    int64_t number;
    if (!id->is_text) return id->number;
    return r->hooks.junk && str_to_i64(str_of(id->text), &number) ? number : 0;
}

static void take_answer(rpc *r, const cJSON *message, const rpc_id *id, size_t bytes) {
    size_t i = pending_find(r, answer_id(r, id));
    if (i == r->pending.count) {
        junk(r, RPC_JUNK_LATE, (str){0});
        return;
    }
    const cJSON *error = cJSON_GetObjectItemCaseSensitive(message, "error");
    rpc_answer a = {.result = cJSON_GetObjectItemCaseSensitive(message, "result"), .bytes = bytes};
    if (cJSON_IsObject(error)) {
        const cJSON *code = cJSON_GetObjectItemCaseSensitive(error, "code");
        const cJSON *text = cJSON_GetObjectItemCaseSensitive(error, "message");
        a.status = ERR_USAGE;
        a.code = cJSON_IsNumber(code) ? code->valueint : RPC_INTERNAL_ERROR;
        a.message = cJSON_IsString(text) ? text->valuestring : "the peer gave no reason";
        a.data = cJSON_GetObjectItemCaseSensitive(error, "data");
        a.result = NULL;
    }
    pending_end(r, i, &a);
}

/* Which request of ours a text that cannot be parsed seems to answer: 0 when it does not look like
 * a message.  An id stands near the beginning or the end. */
static int64_t id_of_wreck(const rpc *r, str text) {
    str trimmed = str_trim(text);
    str parts[2] = {str_sub(trimmed, 0, 256),
                    str_sub(trimmed, trimmed.len - MIN(trimmed.len, 256), trimmed.len)};
    bool message = false;
    for (int i = 0; i < 2; i++)
        message = message || str_find(parts[i], STR("\"jsonrpc\"")) >= 0;
    if (!message || !str_starts_with(trimmed, STR("{"))) return 0;
    for (int i = 0; i < 2; i++) {
        ptrdiff_t at = str_find(parts[i], STR("\"id\":"));
        if (at < 0) continue;
        str rest = str_trim(str_sub(parts[i], (size_t)at + 5, parts[i].len));
        size_t n = 0;
        while (n < rest.len && rest.ptr[n] >= '0' && rest.ptr[n] <= '9')
            n++;
        int64_t id;
        if (str_to_i64(str_sub(rest, 0, n), &id) && pending_find(r, id) < r->pending.count)
            return id;
    }
    return 0;
}

/* A text that is no message, from a peer that is tolerated; or one that was too long. */
static void take_wreck(rpc *r, rpc_junk kind, str text, const char *why) {
    int64_t id = id_of_wreck(r, text);
    status s = kind == RPC_JUNK_LONG ? ERR_LIMIT : ERR_FORMAT;
    junk(r, kind, text);
    if (id) rpc_end(r, id, &(rpc_answer){.status = s, .message = why, .bytes = text.len});
}

static void refuse(rpc *r, const rpc_id *id, int code, const char *sentence) {
    log_warn("rpc", "refused a message code=%d why=\"%s\"", code, sentence);
    rpc_reply_error(r, id, code, sentence, NULL);
}

/* `text` is where `m` was read from. */
static void dispatch(rpc *r, const cJSON *m, str text) {
    if (r->hooks.junk && !cJSON_IsObject(m)) {
        junk(r, RPC_JUNK_LINE, text);
        return;
    }
    if (!cJSON_IsObject(m)) {
        refuse(r, NULL, RPC_INVALID_REQUEST, "a message is one JSON object");
        return;
    }
    const cJSON *method = cJSON_GetObjectItemCaseSensitive(m, "method");
    const cJSON *params = cJSON_GetObjectItemCaseSensitive(m, "params");
    const cJSON *id_item = cJSON_GetObjectItemCaseSensitive(m, "id");
    const cJSON *version = cJSON_GetObjectItemCaseSensitive(m, "jsonrpc");
    rpc_id id;
    bool has_id = id_item && rpc_id_read(id_item, &id);
    bool answer = cJSON_GetObjectItemCaseSensitive(m, "result") ||
                  cJSON_GetObjectItemCaseSensitive(m, "error");
    if (!method && has_id && answer) {
        take_answer(r, m, &id, text.len);
        return;
    }
    if (!method && cJSON_IsNull(id_item)) { /* the peer could not read something of ours */
        log_warn("rpc", "the peer reports an error without an id");
        return;
    }
    if (id_item && !has_id && r->hooks.junk) {
        junk(r, answer ? RPC_JUNK_LATE : RPC_JUNK_LINE, text);
        return;
    }
    if (id_item && !has_id) {
        refuse(r, NULL, RPC_INVALID_REQUEST, "an id is a string (at most 127 bytes) or an integer");
        return;
    }
    bool versioned = cJSON_IsString(version) && strcmp(version->valuestring, "2.0") == 0;
    const char *wrong =
        !cJSON_IsString(method)        ? "a message has a method or a result"
        : !versioned && !r->hooks.junk ? "jsonrpc must be \"2.0\""
        : params && !cJSON_IsObject(params) && !cJSON_IsArray(params) && !cJSON_IsNull(params)
            ? "params must be an object or an array"
            : NULL;
    if (wrong && r->hooks.junk) {
        junk(r, RPC_JUNK_LINE, text);
        return;
    }
    if (wrong) {
        refuse(r, has_id ? &id : NULL, RPC_INVALID_REQUEST, wrong);
        return;
    }
    if (cJSON_IsNull(params)) params = NULL;
    if (has_id)
        r->hooks.request(r->hooks.ud, &id, method->valuestring, params);
    else
        r->hooks.notification(r->hooks.ud, method->valuestring, params);
}

static void take_message(rpc *r, char *text, size_t len) {
    if (r->hooks.junk && !str_trim((str){text, len}).len) return;
    strbuf clean;
    strbuf_init(&clean, 4 * (size_t)LIMIT_MESSAGE_BYTES);
    if (!utf8_is_valid((str){text, len})) {
        log_warn("rpc", "a message has invalid UTF-8 bytes=%zu", len);
        utf8_sanitize(&clean, (str){text, len});
        text = clean.ptr;
        len = clean.len;
    }
    cJSON *json = NULL;
    err e;
    status s = rpc_parse(text, len, &json, &e);
    if (s && r->hooks.junk)
        take_wreck(r, RPC_JUNK_LINE, (str){text, len}, e.text);
    else if (s)
        refuse(r, NULL, s == ERR_LIMIT ? RPC_INVALID_REQUEST : RPC_PARSE_ERROR, e.text);
    else if (r->hooks.junk && cJSON_IsArray(json))
        for (const cJSON *item = json->child; item && !r->stopped; item = item->next)
            dispatch(r, item, (str){text, len});
    else
        dispatch(r, json, (str){text, len});
    cJSON_Delete(json);
    strbuf_deinit(&clean);
}

status rpc_feed(rpc *r, str bytes, err *e) {
    ASSERT(!r->feeding);
    r->feeding = true;
    status s = OK;
    while (!s && bytes.len && !r->stopped) {
        str piece = str_sub(bytes, 0, LIMIT_READ_BYTES);
        bytes = str_sub(bytes, piece.len, bytes.len);
        frame_feed(&r->reader, piece);
        bool got = true;
        while (!s && got && !r->stopped) {
            char *message;
            size_t len;
            s = frame_next(&r->reader, &message, &len, &got, e);
            if (s == ERR_LIMIT && r->hooks.junk && message) {
                take_wreck(r, RPC_JUNK_LONG, (str){message, len}, e->text);
                s = OK;
                got = true;
            } else if (!s && got) {
                take_message(r, message, len);
            }
        }
    }
    r->feeding = false;
    return s;
}
