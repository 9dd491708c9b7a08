/* SPDX-License-Identifier: Apache-2.0 */
/* Who is told that a resource has changed.  Older revisions: what a client has subscribed to, on
 * the stream that takes its news.  2026-07-28: one long request each, subscriptions/listen, whose
 * notifications carry its id.  Lists never change while we run.  Thread: loop. */
#include "mcp/serve_private.h"

struct serve_listen {
    serve *owner;
    rpc_id id;
    VEC(own_watch *) watches;
};

/* ---- older revisions ------------------------------------------------------------------------- */

static void on_client_change(void *ud, const char *uri) {
    serve_client *c = ud;
    if (!c->news) return;
    cJSON *params = cJSON_CreateObject();
    cJSON_AddStringToObject(params, "uri", uri);
    serve_notify(c->news, "notifications/resources/updated", params);
}

/* The uri of the request; NULL: it was refused. */
static const char *uri_of(serve *s, const serve_request *q) {
    const char *uri = cJSON_GetStringValue(GET(q->params, "uri"));
    if (!uri) serve_refuse(s, q->id, RPC_INVALID_PARAMS, "\"uri\" is missing", NULL);
    return uri;
}

static size_t find(const serve_client *c, const char *uri) {
    for (size_t i = 0; i < c->uris.count; i++)
        if (!strcmp(c->uris.at[i], uri)) return i;
    return SIZE_MAX;
}

void serve_subscribe(serve *s, const serve_request *q) {
    serve_client *c = s->client;
    const char *uri = uri_of(s, q);
    if (!uri) return;
    if (find(c, uri) == SIZE_MAX) {
        own_watch *w = c->watches.count < LIMIT_OWN_SUBSCRIPTIONS
                           ? own_watch_new(c->tools, uri, on_client_change, c)
                           : NULL;
        if (!w) {
            serve_refuse(s, q->id, RPC_INVALID_PARAMS,
                         c->watches.count < LIMIT_OWN_SUBSCRIPTIONS
                             ? "there is no such resource"
                             : "there are too many subscriptions; end one",
                         NULL);
            return;
        }
        vec_push(&c->watches, w);
        vec_push(&c->uris, xstrdup(uri));
    }
    serve_answer(s, q->id, false, cJSON_CreateObject());
}

void serve_unsubscribe(serve *s, const serve_request *q) {
    serve_client *c = s->client;
    const char *uri = uri_of(s, q);
    if (!uri) return;
    size_t at = find(c, uri);
    if (at != SIZE_MAX) {
        own_watch_free(c->watches.at[at]);
        xfree(c->uris.at[at]);
        vec_remove(&c->watches, at);
        vec_remove(&c->uris, at);
    }
    serve_answer(s, q->id, false, cJSON_CreateObject());
}

/* ---- 2026-07-28 ------------------------------------------------------------------------------ */

static void tell(serve_listen *l, const char *method, cJSON *params) {
    cJSON *meta = cJSON_AddObjectToObject(params, "_meta");
    if (l->id.is_text)
        cJSON_AddStringToObject(meta, META "subscriptionId", l->id.text);
    else
        cJSON_AddNumberToObject(meta, META "subscriptionId", (double)l->id.number);
    serve_notify(l->owner, method, params);
}

static void on_change(void *ud, const char *uri) {
    cJSON *params = cJSON_CreateObject();
    cJSON_AddStringToObject(params, "uri", uri);
    tell(ud, "notifications/resources/updated", params);
}

void serve_listens(serve *s, const serve_request *q) {
    const cJSON *one, *wanted = GET(GET(q->params, "notifications"), "resourceSubscriptions");
    if (s->mute || s->listens.count >= LIMIT_OWN_SUBSCRIPTIONS) {
        serve_refuse(s, q->id, RPC_INVALID_PARAMS,
                     s->mute ? "this needs a host that accepts a stream of events"
                             : "there are too many subscriptions; end one",
                     NULL);
        return;
    }
    serve_listen *l = xcalloc(1, sizeof *l);
    *l = (serve_listen){.owner = s, .id = *q->id};
    vec_push(&s->listens, l);
    cJSON *params = cJSON_CreateObject();
    cJSON *taken = cJSON_AddObjectToObject(params, "notifications"), *uris = NULL;
    cJSON_ArrayForEach(one, wanted) {
        own_watch *w = cJSON_IsString(one) && l->watches.count < LIMIT_OWN_SUBSCRIPTIONS
                           ? own_watch_new(s->tools, one->valuestring, on_change, l)
                           : NULL;
        if (!w) continue; /* what is not in the acknowledgement was not taken */
        if (!uris) uris = cJSON_AddArrayToObject(taken, "resourceSubscriptions");
        cJSON_AddItemToArray(uris, cJSON_CreateString(one->valuestring));
        vec_push(&l->watches, w);
    }
    tell(l, "notifications/subscriptions/acknowledged", params);
}

static void forget(serve_listen *l) {
    for (size_t i = 0; i < l->watches.count; i++)
        own_watch_free(l->watches.at[i]);
    vec_free(&l->watches);
    xfree(l);
}

bool serve_cancel_listen(serve *s, const rpc_id *id) {
    for (size_t i = 0; i < s->listens.count; i++) {
        if (!rpc_id_equal(&s->listens.at[i]->id, id)) continue;
        forget(s->listens.at[i]);
        vec_remove(&s->listens, i);
        return true;
    }
    return false;
}

void serve_forget_listens(serve *s) {
    for (size_t i = 0; i < s->listens.count; i++)
        forget(s->listens.at[i]);
    vec_free(&s->listens);
}
