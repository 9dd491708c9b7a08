/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the files of `serve` share. */
#include "engine/base/limits.h"
#include "engine/base/vec.h"
#include "mcp/rpc.h"
#include "mcp/serve.h"

#define GET(object, name) cJSON_GetObjectItemCaseSensitive(object, name)
#define META "io.modelcontextprotocol/"
#define LACKS_CAPABILITY (-32021)
#define UNSUPPORTED_VERSION (-32022)
#define LOG_NONE 8

/* A request as it came; valid while it is handled. */
typedef struct {
    const rpc_id *id;
    const cJSON *params;
    const cJSON *client; /* capabilities of the host, or NULL */
    int log_level;       /* what it wants to hear, from here up */
    bool modern;
} serve_request;

typedef struct serve_running serve_running; /* serve_call.c */
typedef struct serve_listen serve_listen;   /* serve_watch.c */

struct serve_client {
    own_tools *tools;
    cJSON *capabilities; /* NULL: it has not begun */
    int log_level;
    VEC(own_watch *) watches; /* of the older revisions */
    VEC(char *) uris;         /* theirs */
    serve *news;              /* or NULL */
};

struct serve {
    own_tools *tools;
    serve_client *client;
    serve_hooks hooks;
    rpc *rpc;
    bool mute, ended, partial; /* partial: what is written now is not the answer */
    VEC(serve_running *) calls;
    VEC(serve_listen *) listens;
};

/* serve.c */
void serve_answer(serve *s, const rpc_id *id, bool modern, cJSON *result); /* takes it */
void serve_answer_as(serve *s, const rpc_id *id, bool modern, const char *type, cJSON *result);
void serve_add_caching(cJSON *result, bool modern, int ttl_ms);
void serve_refuse(serve *s, const rpc_id *id, int code, const char *sentence, cJSON *data);
void serve_notify(serve *s, const char *method, cJSON *params);
int serve_level(const char *name); /* 0 (debug) to 7 (emergency); -1: it is none */
cJSON *serve_capabilities(const own_tools *t, bool modern);

typedef void serve_handler(serve *s, const serve_request *q);
serve_handler serve_call_tool, serve_get_prompt, serve_read_resource;
serve_handler serve_list_tools, serve_list_prompts, serve_list_resources, serve_list_templates;
serve_handler serve_complete;
serve_handler serve_subscribe, serve_unsubscribe, serve_listens;

/* False: there is none of this id. */
bool serve_cancel_call(serve *s, const rpc_id *id);
bool serve_cancel_listen(serve *s, const rpc_id *id);
bool serve_call_has(const serve *s, const rpc_id *id);
void serve_forget_calls(serve *s);
void serve_forget_listens(serve *s);
