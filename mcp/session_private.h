/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The parts of a session that its files share. */
#include "mcp/session.h"

#define PROTOCOL_LEGACY "2025-11-25" /* asked for; an older one is taken */
#define PROTOCOL_MODERN "2026-07-28"
#define META_PREFIX "io.modelcontextprotocol/"
enum { CODE_VERSION = -32022, CODE_NOT_FOUND = -32002 };

/* A list that may be under way. */
typedef struct {
    catalogue_list now, next;
    bool offered, running, wanted; /* wanted: to be read again at `due_ms` */
    double due_ms, begun_ms;
    double ttl_ms, fresh_ms; /* of what comes; until when it is fresh: 0: no limit is known */
    bool only_ours;          /* cacheScope "private" */
    size_t pages;
    VEC(uint64_t) cursors; /* hashes of those that were followed */
} session_listing;

/* A request of the owner's; on the heap, because answers point to it. */
typedef struct {
    session *session;
    int64_t handle, id; /* id: of the message that is under way now */
    char *method;
    cJSON *params; /* modern: to ask again */
    rpc_done done;
    void *ud;
    int rounds;
    bool asked;       /* the owner was asked something meanwhile */
    size_t waiting;   /* questions of this round without an answer */
    cJSON *responses; /* of this round */
    char *state;      /* the server's requestState, or NULL */
} session_call;

typedef struct {
    uint64_t number;
    session_call *call; /* a question within an unfinished result; NULL: a request of the server */
    char *key;          /* its name there */
    rpc_id id;          /* of the request */
} open_question;

struct session {
    session_options options;
    session_hooks hooks;
    rpc *rpc;
    session_state state;
    bool modern, fell_back, probing, completion, listens;
    char protocol[16];
    char *server_name, *server_version, *instructions;
    strbuf oddities;
    double held_ms;             /* since when it is held; 0: it is not */
    double now_ms, deadline_ms; /* deadline: of the handshake */
    double probe_ms;            /* until when server/discover may be answered; 0: no limit */
    int64_t handshake;          /* id of initialize or server/discover while it is under way */
    session_message out;        /* what the next write belongs to */
    session_listing lists[LIST_COUNT];
    list_kind at; /* LISTING: the list that is being read */
    VEC(session_call *) calls;
    VEC(open_question) questions;
    uint64_t last_question;
};

/* ---- session.c ---- */
/* Sends with the envelope of the era; takes `params` (may be NULL).  deadline 0: none. */
int64_t session_send(session *s, const char *method, cJSON *params, double deadline_ms,
                     rpc_done done, void *ud);
/* New objects: what we can do, and who we are. */
cJSON *session_capabilities(const session *s);
cJSON *session_client_info(void);
void session_notify(session *s, const char *method, cJSON *params);
void session_fail(session *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
void session_enter(session *s, session_state now);

/* ---- session_start.c ---- */
void session_read_lists(session *s); /* after the handshake */
void session_lists_tick(session *s, double *next);
void session_lists_free(session *s);
/* Why an answer is not there, in words. */
const char *session_reason(const rpc_answer *a);

/* ---- session_call.c ---- */
void session_on_request(void *ud, const rpc_id *id, const char *method, const cJSON *params);
void session_calls_free(session *s);
const char *session_subject(const char *method, const cJSON *params);
