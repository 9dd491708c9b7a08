/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One HTTP request and its answer: the glue to libcurl.  Redirects are not followed here, because
 * what may be sent to the next host is a decision (hub.c).  Thread: any; blocks, and asks `keep_on`
 * ten times a second. */
#include "engine/base/limits.h"
#include "engine/base/status.h"
#include "engine/base/str.h"

typedef enum {
    HTTP_ANSWERED, /* code and headers are valid, and the body came whole */
    HTTP_BROKEN,   /* the connection ended early, or its bytes made no sense */
    HTTP_STALLED,  /* nothing came for too long */
    HTTP_UNREACHABLE,
    HTTP_UNTRUSTED, /* TLS: no certificate that the system trusts */
    HTTP_SENSELESS, /* an answer that cannot be followed */
    HTTP_STOPPED,   /* by keep_on or by sink */
} http_end;

typedef struct {
    http_end end;
    char why[160];                       /* in libcurl's words, unless HTTP_ANSWERED */
    int code;                            /* 200, 404, ...; 0: none came */
    char location[LIMIT_HTTP_URL_BYTES]; /* of a redirect, absolute; or "" */
    bool has_length, has_range;
    uint64_t length; /* of this body */
    uint64_t range_first, range_all;
    char etag[LIMIT_HTTP_FIELD_BYTES]; /* without quotes */
    /* What the hub says about the file itself, also when it redirects. */
    char linked_etag[LIMIT_HTTP_FIELD_BYTES], commit[LIMIT_HTTP_FIELD_BYTES];
    char error_code[LIMIT_HTTP_FIELD_BYTES]; /* "GatedRepo", "EntryNotFound", ... */
    uint64_t linked_size;                    /* 0: not said */
    int retry_after_s;                       /* 0: not said */
} http_reply;

typedef struct {
    const char *url;
    bool head;         /* headers only */
    uint64_t from;     /* ask for the bytes from here on; 0: all */
    const char *token; /* sent as bearer; NULL: none */
    int stall_s;       /* seconds without a byte until the peer counts as dead */
    /* The body of a 200 or 206, in pieces; false stops.  The reply's headers are valid by then. */
    bool (*sink)(void *ud, const http_reply *r, const void *bytes, size_t n);
    bool (*keep_on)(void *ud); /* false stops */
    void *ud;
} http_question;

void http_ask(const http_question *q, http_reply *r);

/* One header line into the reply.  Pure: for tests and fuzzing. */
void http_read_header(http_reply *r, str line);
/* Whether both URLs name the same scheme, host and port. */
bool http_same_origin(const char *a, const char *b);
bool http_is_secure(const char *url);   /* https */
bool http_is_loopback(const char *url); /* this machine itself */
