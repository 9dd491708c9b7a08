/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A JSON-RPC 2.0 peer over framed bytes; LSP and MCP are both speakers of it.
 *
 * Bytes come in by rpc_feed and go out by the `write` hook; nothing here does I/O.  Each incoming
 * request is handed to the owner, who answers it with exactly one rpc_reply or rpc_reply_error.
 * Each outgoing request ends in exactly one call of its `done`: with the answer, with the peer's
 * error, at its deadline, or at rpc_free.
 *
 * What comes in is checked before it is parsed: size, nesting (LIMIT_JSON_DEPTH), number of values,
 * UTF-8 (invalid bytes become U+FFFD).  Escapes that cannot be represented (a lone surrogate, NUL)
 * become one substitute character, so that positions after them stay right.
 * Thread: one at a time (the loop).
 */
#include <cjson/cJSON.h>

#include "mcp/frame.h"

enum {
    RPC_PARSE_ERROR = -32700,
    RPC_INVALID_REQUEST = -32600,
    RPC_METHOD_NOT_FOUND = -32601,
    RPC_INVALID_PARAMS = -32602,
    RPC_INTERNAL_ERROR = -32603,
};

/* An id as it came: a string or an integer; echoed in kind. */
typedef struct {
    bool is_text;
    int64_t number;
    char text[128]; /* longer ids are refused */
} rpc_id;
bool rpc_id_equal(const rpc_id *a, const rpc_id *b);
/* False when `json` is no id (absent, fractional, too long, another kind). */
bool rpc_id_read(const cJSON *json, rpc_id *out) MUST_USE;

/* cJSON takes memory like everybody here: running out is the end, with a sentence.  Once, before
 * the first JSON; rpc_parse and rpc_new do it, too. */
void rpc_json_memory(void);

/* Checks (see above) and parses one JSON text, which is changed in place where an escape must be
 * replaced.  ERR_FORMAT, ERR_LIMIT.  The result is freed with cJSON_Delete. */
status rpc_parse(char *text, size_t len, cJSON **out, err *e) MUST_USE;

typedef struct rpc rpc;

typedef enum {
    RPC_JUNK_LINE, /* no message at all */
    RPC_JUNK_LATE, /* an answer to no request of ours, or to one that was given up */
    RPC_JUNK_LONG, /* longer than message_max; `line` is an excerpt */
} rpc_junk;

typedef struct {
    void *ud;
    void (*write)(void *ud, str framed); /* copies */
    /* `params` is an object, an array or NULL, and borrowed during the call. */
    void (*request)(void *ud, const rpc_id *id, const char *method, const cJSON *params);
    void (*notification)(void *ud, const char *method, const cJSON *params);
    /* NULL: what is wrong is refused to the peer.  Set, for peers of which one knows that they err
     * (MCP servers): it goes here and nothing is sent back; an id of ours may come back as a text,
     * "jsonrpc" may be missing, an array is a batch, and a line that is too long (ERR_LIMIT), or
     * cannot be parsed (ERR_FORMAT), ends the request that it seems to answer. */
    void (*junk)(void *ud, rpc_junk kind, str line);
    size_t message_max; /* 0: LIMIT_MESSAGE_BYTES */
    int64_t last_id;    /* ids of requests count on from here: for peers that share their ids */
} rpc_hooks;

rpc *rpc_new(frame_mode mode, const rpc_hooks *hooks);
/* Ends open outgoing requests with ERR_CANCELLED; accepts NULL.  Not from inside a hook. */
void rpc_free(rpc *r);

/* Handles every whole message.  Not OK: the stream has lost its frame; close it.  What is wrong
 * inside a whole message is answered (or, for what needs no answer, logged), and the peer lives. */
status rpc_feed(rpc *r, str bytes, err *e) MUST_USE;
/* No further message is handled, not even one that rpc_feed has already in hand. */
void rpc_stop(rpc *r);
bool rpc_at_boundary(const rpc *r);

/* `params`, `result` and `data` are taken, and may be NULL (result NULL is JSON null). */
void rpc_notify(rpc *r, const char *method, cJSON *params);
void rpc_reply(rpc *r, const rpc_id *id, cJSON *result);
void rpc_reply_error(rpc *r, const rpc_id *id, int code, const char *message, cJSON *data);

typedef struct {
    /* OK; ERR_USAGE: the peer's error; ERR_LIMIT: deadline, or an answer that was too long;
     * ERR_CANCELLED: the connection ended; ERR_FORMAT: an answer came, but cannot be read; others:
     * as the owner says (rpc_end) */
    status status;
    const cJSON *result; /* OK: may be JSON null */
    int code;            /* ERR_USAGE: the peer's error code */
    const cJSON *data;   /* ERR_USAGE: the error's data, or NULL */
    size_t bytes;        /* of the message; 0: none came */
    const char *message; /* ERR_USAGE: the peer's sentence; otherwise ours */
    bool asked;          /* by a session: its owner was asked something before it came */
} rpc_answer;
typedef void (*rpc_done)(void *ud, const rpc_answer *a);
/* deadline_ms is absolute on clock_ms(); 0: none.  `done` may be NULL.  Returns the request's id */
int64_t rpc_request(rpc *r, const char *method, cJSON *params, double deadline_ms, rpc_done done,
                    void *ud);
/* The id that the next rpc_request will take. */
int64_t rpc_next_id(const rpc *r);
/* Forgets a request without calling its `done`; an answer that still comes is late.  False when it
 * has ended. */
bool rpc_drop(rpc *r, int64_t id);
/* Ends a request with an answer of the owner's.  False when it has ended. */
bool rpc_end(rpc *r, int64_t id, const rpc_answer *a);
/* Ends requests whose deadline has passed. */
void rpc_expire(rpc *r, double now_ms);
/* Moves every deadline into the future. */
void rpc_postpone(rpc *r, double by_ms);
bool rpc_is_pending(const rpc *r, int64_t id);
size_t rpc_pending(const rpc *r); /* outgoing requests without an answer */
