/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the files of the HTTP server share. */
#include "engine/base/limits.h"
#include "engine/base/vec.h"
#include "mcp/http_loop.h"
#include "mcp/rpc.h"
#include "mcp/serve.h"
#include "mcp/serve_http.h"

#define GET(object, name) cJSON_GetObjectItemCaseSensitive(object, name)
#define META "io.modelcontextprotocol/"

typedef struct http_session http_session;
typedef struct http_request http_request;
typedef struct http_link http_link;

struct http_session {
    char id[OWN_TOKEN_BYTES];
    serve_client *client;
    double used_ms; /* on clock_ms() */
    size_t streams; /* requests that hold it */
    int64_t bases;  /* of ids that its streams have got */
    bool ended;     /* freed with its last stream */
};

/* A connection: how long what comes in may take. */
struct http_link {
    int fd;
    double since_ms;
    bool busy; /* a whole request is here, and not answered */
    bool shut; /* it was let go */
};

struct serve_http {
    http_loop http;
    own_tools *tools;
    uv_timer_t tick;
    char *token;
    int port, open;
    bool closing;
    VEC(http_request *) requests;
    VEC(http_session *) sessions;
    VEC(http_link *) links;
    void (*closed)(void *ud);
    void *closed_ud;
};

struct http_request {
    serve_http *owner;
    struct MHD_Connection
        *connection; /* NULL: it has gone, and the call is not cancelled by that */
    http_link *link;
    http_session *session;               /* or NULL */
    serve_client *client;                /* its own, where there is no session */
    serve *serve;                        /* NULL: it is not a request, or it was refused */
    strbuf body, answer;                 /* the answer; of a stream: what is not sent yet */
    double sent_ms;                      /* of a stream: when something was said last */
    unsigned refused;                    /* status; 0: go on */
    bool fed, suspended, modern, begins; /* begins: an initialize */
    bool streams, ended;
};

/* serve_http_check.c: what may come in. */
const char *http_header(const http_request *r, const char *name);
bool http_accepts_events(const http_request *r);
/* 0, or the status that refuses it. */
unsigned http_judge(const http_request *r, const char *url, const char *method);
/* Whether a message may be handed on; else `answer` has the refusal. */
bool http_check_message(http_request *r, const cJSON *message);
/* The status that goes with an answer: the newest revision has some for its errors. */
unsigned http_status_of(str answer, bool modern);
void http_add_error(strbuf *out, const cJSON *id, int code, const char *sentence);

/* serve_sessions.c */
http_session *http_session_new(serve_http *s); /* NULL: there are too many */
http_session *http_session_find(const serve_http *s, const char *id);
void http_session_hold(http_session *h);
void http_session_release(serve_http *s, http_session *h);
void http_session_end(serve_http *s, http_session *h);
