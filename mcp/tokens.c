/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the parsed file.  Reading is from disk each time: another process may have logged in. */
#include "mcp/tokens.h"

#include "engine/base/mem.h"
#include "mcp/state_file.h"

struct tokens {
    char *path; /* NULL: memory only */
    cJSON *root;
    int lock;
};

static void read_again(tokens *t) {
    if (!t->path) return;
    cJSON_Delete(t->root);
    t->root = state_read(t->path);
}

static cJSON *issuers(tokens *t) {
    return state_object(t->root, "issuers");
}

static void begin_change(tokens *t) {
    t->lock = t->path ? state_lock(t->path) : -1;
    read_again(t);
}

static void end_change(tokens *t) {
    if (t->path) (void)state_write(t->path, t->root); /* a failure has been told */
    state_unlock(t->lock);
}

tokens *tokens_open(const char *folder) {
    tokens *t = xcalloc(1, sizeof *t);
    t->path = state_path(folder, "tokens.json");
    t->root = cJSON_CreateObject();
    return t;
}

void tokens_free(tokens *t) {
    if (!t) return;
    cJSON_Delete(t->root);
    xfree(t->path);
    xfree(t);
}

cJSON *tokens_grant(tokens *t, const char *url, char **issuer) {
    const cJSON *i;
    read_again(t);
    cJSON_ArrayForEach(i, issuers(t)) {
        const cJSON *grants = cJSON_GetObjectItemCaseSensitive(i, "grants");
        const cJSON *g = cJSON_GetObjectItemCaseSensitive(grants, url);
        if (!cJSON_IsObject(g)) continue;
        *issuer = xstrdup(i->string);
        return cJSON_Duplicate(g, true);
    }
    return NULL;
}

static void drop_grants(tokens *t, const char *url) {
    cJSON *i;
    cJSON_ArrayForEach(i, issuers(t))
        cJSON_DeleteItemFromObjectCaseSensitive(cJSON_GetObjectItemCaseSensitive(i, "grants"), url);
}

void tokens_set_grant(tokens *t, const char *issuer, const char *url, cJSON *grant) {
    begin_change(t);
    drop_grants(t, url);
    cJSON *one = state_object(issuers(t), issuer);
    if (grant) cJSON_AddItemToObject(state_object(one, "grants"), url, grant);
    end_change(t);
}

void tokens_forget(tokens *t, const char *url) {
    begin_change(t);
    drop_grants(t, url);
    end_change(t);
}

cJSON *tokens_client(tokens *t, const char *issuer) {
    read_again(t);
    const cJSON *one = cJSON_GetObjectItemCaseSensitive(issuers(t), issuer);
    const cJSON *c = cJSON_GetObjectItemCaseSensitive(one, "client");
    return cJSON_IsObject(c) ? cJSON_Duplicate(c, true) : NULL;
}

void tokens_set_client(tokens *t, const char *issuer, cJSON *client) {
    begin_change(t);
    cJSON *one = state_object(issuers(t), issuer);
    cJSON_DeleteItemFromObjectCaseSensitive(one, "client");
    if (client) cJSON_AddItemToObject(one, "client", client);
    end_change(t);
}
