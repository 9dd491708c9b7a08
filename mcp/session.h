/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The protocol of one MCP server, in both eras, as a pure machine: bytes and time come in, messages
 * and events go out.
 *
 *     HANDSHAKE --> LISTING --> READY        FAILED can follow each of them and is final
 *
 * Legacy (2024-11-05 to 2025-11-25): `initialize`, then requests.  Modern (2026-07-28): no
 * handshake; each request carries its envelope, questions of the server come as unfinished results
 * and are answered by asking again (at most LIMIT_MCP_ROUNDS times), and changes are told on one
 * long request.  On stdio `initialize` goes first; a server that refuses it by version is spoken to
 * in the modern way over the same stream.  Over HTTP it is the other way round.
 *
 * Hooks may call any function but session_free and session_feed.  Thread: one at a time (the loop).
 */
#include "mcp/catalogue.h"
#include "mcp/rpc.h"

typedef struct session session;

typedef enum { SESSION_HANDSHAKE, SESSION_LISTING, SESSION_READY, SESSION_FAILED } session_state;

/* A message on its way out. */
typedef struct {
    str line;           /* one JSON text and a newline */
    int64_t id;         /* of a request of ours; 0: a notification or an answer */
    const char *method; /* NULL: an answer */
    const char *name;   /* the tool, prompt or uri that it is about; NULL: none */
    const cJSON *params;
} session_message;

/* A question of the server: answer with session_answer or session_refuse, exactly once, now or
 * later. `call` is the handle of the request it belongs to; 0: not known. */
typedef struct {
    uint64_t number;
    int64_t call;
    const char *method; /* elicitation/create, sampling/createMessage, roots/list */
    const cJSON *params;
} session_question;

typedef struct {
    void *ud;
    void (*send)(void *ud, const session_message *m);
    void (*state)(void *ud, session_state now, const char *why); /* `why`: FAILED; else "" */
    void (*changed)(void *ud); /* a list was read again, after READY */
    void (*question)(void *ud, const session_question *q);
    void (*log)(void *ud, const char *level, const char *text);
    void (*progress)(void *ud, int64_t call, double done, double all, const char *text);
    void (*updated)(void *ud, const char *uri);
    void (*junk)(void *ud, rpc_junk kind, str line);
} session_hooks;

typedef struct {
    mcp_era era;
    bool http;
    bool forms, sampling, roots; /* which questions we can answer: declared, others are refused */
    uint32_t start_ms;           /* for the whole handshake */
} session_options;

session *session_new(const session_options *o, const session_hooks *hooks);
/* Hears and sends nothing any more; may be called from inside a hook. */
void session_mute(session *s);
/* Ends open calls with ERR_CANCELLED.  Accepts NULL.  Not from inside a hook. */
void session_free(session *s);
void session_start(session *s, double now_ms);
void session_feed(session *s, str bytes);
/* Deadlines, debounced lists.  Returns when to come again, on the same clock; 0: no need. */
double session_tick(session *s, double now_ms);

/* While held, no time passes for it: what it waits for is not the server's fault. */
void session_hold(session *s, bool on, double now_ms);

/* Lists that are no longer fresh (ttlMs) are read again, soon. */
void session_freshen(session *s, double now_ms);
bool session_is_private(const session *s); /* a list is for this user only (cacheScope) */

session_state session_state_of(const session *s);
bool session_is_modern(const session *s);
const char *session_protocol(const session *s); /* "" before it is settled */
/* Members of serverInfo, and the instructions; "" when there are none. */
const char *session_server_name(const session *s);
const char *session_server_version(const session *s);
const char *session_instructions(const session *s);
const char *session_oddities(const session *s);
bool session_has_completion(const session *s);
/* A modern probe is under way: a server that ends now should be tried in the legacy way. */
bool session_is_probing(const session *s);
const catalogue_list *session_list(const session *s, list_kind k);
/* Moves the list into `to`, whose own is freed; the session has none afterwards. */
void session_take_list(session *s, list_kind k, catalogue_list *to);

/* Sends a request; only when READY.  `params` (an object or NULL) is taken; `done` is never called
 * from inside.  Returns the handle, which is also its progress token. */
int64_t session_request(session *s, const char *method, cJSON *params, rpc_done done, void *ud);
/* Tells the server to stop and forgets the request without calling `done`. */
void session_cancel(session *s, int64_t call, const char *reason);
/* The transport lost the request or its answer: ends it with this status and sentence. */
void session_lost(session *s, int64_t id, status code, const char *why);
/* The server refused it before it was a message to it. */
void session_refused(session *s, int64_t id, int code, const char *why, const cJSON *data);
bool session_waits_for(const session *s, int64_t id);              /* an answer to this request */
void session_answer(session *s, uint64_t question, cJSON *result); /* takes `result` */
void session_refuse(session *s, uint64_t question, int code, const char *why);
void session_list_again(session *s, list_kind k, double now_ms);
size_t session_open_calls(const session *s);
