/* SPDX-License-Identifier: Apache-2.0 */
/* What there is, for a host: lists, all in one page, in a fixed order; and completion.
 * Thread: loop. */
#include "mcp/serve_private.h"

#define LIST_TTL_MS 300000  /* what we offer changes only with a restart */
#define COMPLETIONS_MAX 100 /* of one answer, as the protocol says */

static void add_text(cJSON *o, const char *name, const char *text) {
    if (text) cJSON_AddStringToObject(o, name, text);
}

static cJSON *tool_json(const own_offer *t) {
    cJSON *o = cJSON_CreateObject(), *hints;
    cJSON_AddStringToObject(o, "name", t->name);
    add_text(o, "title", t->title);
    cJSON_AddStringToObject(o, "description", t->description);
    cJSON_AddItemToObject(o, "inputSchema", cJSON_Duplicate(t->schema, true));
    if (t->output_schema)
        cJSON_AddItemToObject(o, "outputSchema", cJSON_Duplicate(t->output_schema, true));
    hints = cJSON_AddObjectToObject(o, "annotations");
    cJSON_AddBoolToObject(hints, "readOnlyHint", t->read_only);
    cJSON_AddBoolToObject(hints, "destructiveHint", t->destructive);
    cJSON_AddBoolToObject(hints, "idempotentHint", t->idempotent);
    cJSON_AddBoolToObject(hints, "openWorldHint", t->open_world);
    return o;
}

static cJSON *prompt_json(const own_offer *p) {
    cJSON *o = cJSON_CreateObject(), *list = NULL;
    const cJSON *one;
    cJSON_AddStringToObject(o, "name", p->name);
    add_text(o, "title", p->title);
    cJSON_AddStringToObject(o, "description", p->description);
    if (p->arguments) list = cJSON_AddArrayToObject(o, "arguments");
    cJSON_ArrayForEach(one, p->arguments) {
        cJSON *argument = cJSON_CreateObject();
        cJSON_AddStringToObject(argument, "name", GET(one, "name")->valuestring);
        add_text(argument, "description", cJSON_GetStringValue(GET(one, "description")));
        cJSON_AddBoolToObject(argument, "required", cJSON_IsTrue(GET(one, "required")));
        cJSON_AddItemToArray(list, argument);
    }
    return o;
}

static cJSON *resource_json(const own_offer *r) {
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, r->kind == OWN_TEMPLATE ? "uriTemplate" : "uri", r->name);
    cJSON_AddStringToObject(o, "name", r->title ? r->title : r->name);
    add_text(o, "title", r->title);
    add_text(o, "description", r->description);
    add_text(o, "mimeType", r->mime_type);
    return o;
}

/* All in one page: a cursor is none of ours. */
static void list(serve *s, const serve_request *q, own_kind kind) {
    static const char *const members[] = {"tools", "prompts", "resources", "resourceTemplates"};
    const own_offer *o;
    if (GET(q->params, "cursor")) {
        serve_refuse(s, q->id, RPC_INVALID_PARAMS, "this cursor is not one of ours", NULL);
        return;
    }
    cJSON *result = cJSON_CreateObject(), *all = cJSON_AddArrayToObject(result, members[kind]);
    for (size_t i = 0; (o = own_offer_at(s->tools, kind, i)); i++)
        cJSON_AddItemToArray(all, kind == OWN_TOOL     ? tool_json(o)
                                  : kind == OWN_PROMPT ? prompt_json(o)
                                                       : resource_json(o));
    serve_add_caching(result, q->modern, LIST_TTL_MS);
    serve_answer(s, q->id, q->modern, result);
}

void serve_list_tools(serve *s, const serve_request *q) {
    list(s, q, OWN_TOOL);
}

void serve_list_prompts(serve *s, const serve_request *q) {
    list(s, q, OWN_PROMPT);
}

void serve_list_resources(serve *s, const serve_request *q) {
    list(s, q, OWN_RESOURCE);
}

void serve_list_templates(serve *s, const serve_request *q) {
    list(s, q, OWN_TEMPLATE);
}

void serve_complete(serve *s, const serve_request *q) {
    const cJSON *ref = GET(q->params, "ref"), *argument = GET(q->params, "argument");
    const char *type = cJSON_GetStringValue(GET(ref, "type"));
    const char *name = cJSON_GetStringValue(GET(argument, "name"));
    const char *text = cJSON_GetStringValue(GET(argument, "value"));
    bool prompt = type && !strcmp(type, "ref/prompt");
    const char *of = cJSON_GetStringValue(GET(ref, prompt ? "name" : "uri"));
    const own_offer *o =
        of ? own_offer_named(s->tools, prompt ? OWN_PROMPT : OWN_TEMPLATE, of) : NULL;
    if (!o || !name || !text) {
        serve_refuse(s, q->id, RPC_INVALID_PARAMS,
                     "\"ref\" names a prompt or a template, \"argument\" has a name and a value",
                     NULL);
        return;
    }
    cJSON *result = cJSON_CreateObject(), *done = cJSON_AddObjectToObject(result, "completion");
    cJSON *values = cJSON_AddArrayToObject(done, "values");
    size_t n = own_complete(s->tools, o, name, text, COMPLETIONS_MAX, values);
    cJSON_AddNumberToObject(done, "total", (double)n);
    cJSON_AddBoolToObject(done, "hasMore", n > COMPLETIONS_MAX);
    serve_answer(s, q->id, q->modern, result);
}
