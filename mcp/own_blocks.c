/* SPDX-License-Identifier: Apache-2.0 */
/* What a command or a file has made, as MCP wants it: blocks of a tool, messages of a prompt,
 * contents of a resource.  Texts are cleaned; unknown kinds of blocks are refused.
 * Thread: loop. */
#include "engine/base/limits.h"
#include "mcp/output.h"
#include "mcp/own_private.h"

#define GET(object, name) cJSON_GetObjectItemCaseSensitive(object, name)

/* Replaces a member's text by its cleaned one. */
static void clean_member(cJSON *object, const char *name) {
    cJSON *m = GET(object, name);
    strbuf text;
    if (!cJSON_IsString(m)) return;
    strbuf_init(&text, LIMIT_OWN_LINE_BYTES * 2);
    output_clean(&text, str_of(m->valuestring));
    cJSON_SetValuestring(m, text.ptr ? text.ptr : "");
    strbuf_deinit(&text);
}

static bool is_base64(const cJSON *m) {
    if (!cJSON_IsString(m)) return false;
    size_t n = strlen(m->valuestring);
    return n % 4 == 0 && strspn(m->valuestring, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvw"
                                                "xyz0123456789+/=") == n;
}

static bool is_resource(const cJSON *r) {
    return cJSON_IsString(GET(r, "uri")) &&
           (cJSON_IsString(GET(r, "text")) || is_base64(GET(r, "blob")));
}

static status check_block(const cJSON *block, err *e) {
    const char *type = cJSON_GetStringValue(GET(block, "type"));
    bool media = type && (!strcmp(type, "image") || !strcmp(type, "audio"));
    if (type && !strcmp(type, "text") && cJSON_IsString(GET(block, "text"))) return OK;
    if (media && is_base64(GET(block, "data")) && cJSON_IsString(GET(block, "mimeType"))) return OK;
    if (type && !strcmp(type, "resource") && is_resource(GET(block, "resource"))) return OK;
    if (type && !strcmp(type, "resource_link") && cJSON_IsString(GET(block, "uri")) &&
        cJSON_IsString(GET(block, "name")))
        return OK;
    return err_set(e, ERR_FORMAT, "a \"content\" of type \"%.40s\" is not what MCP knows",
                   type ? type : "");
}

/* Of a resource that is read: what it holds, under its own address. */
static cJSON *contents_of(const own_call *c, const cJSON *block) {
    const cJSON *inner = GET(block, "resource"), *mime = GET(block, "mimeType");
    cJSON *o = inner ? cJSON_Duplicate(inner, true) : cJSON_CreateObject();
    if (inner) return o;
    const char *type = cJSON_GetStringValue(mime);
    if (!type) type = c->entry->offer.mime_type;
    cJSON_AddStringToObject(o, "uri", c->name);
    if (type) cJSON_AddStringToObject(o, "mimeType", type);
    if (GET(block, "data"))
        cJSON_AddItemToObject(o, "blob", cJSON_Duplicate(GET(block, "data"), true));
    else
        cJSON_AddItemToObject(o, "text", cJSON_Duplicate(GET(block, "text"), true));
    return o;
}

static cJSON *message_of(cJSON *block, const cJSON *role) {
    cJSON *o = cJSON_CreateObject();
    bool answers = cJSON_IsString(role) && !strcmp(role->valuestring, "assistant");
    cJSON_AddStringToObject(o, "role", answers ? "assistant" : "user");
    cJSON_AddItemToObject(o, "content", block);
    return o;
}

status own_block(const own_call *c, const cJSON *block, const cJSON *role, cJSON **out, err *e) {
    status s = check_block(block, e);
    own_kind kind = c->entry->offer.kind;
    if (s) return s;
    if (kind >= OWN_RESOURCE && GET(block, "uri"))
        return err_set(e, ERR_FORMAT, "a resource cannot be a resource_link");
    cJSON *copy = kind >= OWN_RESOURCE ? contents_of(c, block) : cJSON_Duplicate(block, true);
    clean_member(copy, "text");
    clean_member(GET(copy, "resource"), "text");
    *out = kind == OWN_PROMPT ? message_of(copy, role) : copy;
    return OK;
}

cJSON *own_blocks_of_text(const own_call *c, str text) {
    cJSON *list = cJSON_CreateArray(), *block = cJSON_CreateObject(), *item;
    char *copy = xstrndup(text.ptr ? text.ptr : "", text.len);
    cJSON_AddStringToObject(block, "type", c->binary ? "blob" : "text");
    cJSON_AddStringToObject(block, c->binary ? "data" : "text", copy);
    xfree(copy);
    if (c->entry->offer.kind < OWN_RESOURCE) {
        item = c->entry->offer.kind == OWN_PROMPT ? message_of(block, NULL) : block;
    } else {
        item = contents_of(c, block);
        cJSON_Delete(block);
    }
    cJSON_AddItemToArray(list, item);
    return list;
}
