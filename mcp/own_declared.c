/* SPDX-License-Identifier: Apache-2.0 */
/* What a file may declare, see docs/MCP.md:
 *
 *     {"tools": {"run_tests": {
 *        "description": "Runs the tests whose names match.",
 *        "argv": ["ctest", "--test-dir", "build", "-R", "${pattern}"],
 *        "schema": {"type": "object", "properties": {"pattern": {"type": "string"}}},
 *        "timeoutMs": 60000, "readOnly": true, "env": {"CTEST_OUTPUT_ON_FAILURE": "1"}}},
 *      "prompts": {"review": {"description": "...",
 *        "arguments": [{"name": "file", "required": true, "values": ["a.c", "b.c"]}],
 *        "messages": [{"role": "user", "text": "Review ${file}."}]}},
 *      "resources": {"doc://style": {"description": "...", "file": "docs/STYLE.md"}},
 *      "resourceTemplates": {"doc://{page}": {"file": "docs/${page}.md", "values": {"page": []}}}}
 *
 * All of it is checked before any of it is used.  Thread: any. */
#include "engine/base/limits.h"
#include "mcp/own_private.h"
#include "mcp/param_headers.h"

#define GET(object, name) cJSON_GetObjectItemCaseSensitive(object, name)

/* ---- members --------------------------------------------------------------------------------- */

static bool is_name(const char *name) {
    size_t n = strlen(name);
    for (size_t i = 0; i < n; i++) {
        char c = name[i];
        bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '_' || c == '-' || c == '.';
        if (!good) return false;
    }
    return n > 0 && n <= 64;
}

static bool are_texts(const cJSON *list) {
    const cJSON *item;
    cJSON_ArrayForEach(item, list) if (!cJSON_IsString(item)) return false;
    return true;
}

static const char *text_of(const cJSON *m, const char *name) {
    return cJSON_GetStringValue(GET(m, name));
}

/* Which members may be texts only. */
static status check_texts(const cJSON *m, err *e) {
    static const char *const names[] = {"title", "description", "mimeType", "text", "file"};
    for (size_t i = 0; i < COUNTOF(names); i++) {
        const cJSON *one = GET(m, names[i]);
        if (one && !cJSON_IsString(one))
            return err_set(e, ERR_FORMAT, "\"%s\" of %.80s is not a text", names[i], m->string);
    }
    return OK;
}

/* The members that all kinds may have: a command and its time. */
static status read_command(own_entry *t, const cJSON *m, err *e) {
    const char *name = m->string;
    const cJSON *timeout = GET(m, "timeoutMs"), *env = GET(m, "env");
    t->argv = GET(m, "argv");
    if (t->argv &&
        !(cJSON_IsArray(t->argv) && cJSON_GetArraySize(t->argv) > 0 && are_texts(t->argv)))
        return err_set(e, ERR_FORMAT, "%.80s needs \"argv\", a list of texts", name);
    if (env && (!cJSON_IsObject(env) || !are_texts(env)))
        return err_set(e, ERR_FORMAT, "\"env\" of %.80s is not an object of texts", name);
    if (timeout && !(cJSON_IsNumber(timeout) && timeout->valuedouble >= 1 &&
                     timeout->valuedouble <= LIMIT_OWN_TIMEOUT_MS))
        return err_set(e, ERR_FORMAT, "\"timeoutMs\" of %.80s is not between 1 and %d", name,
                       LIMIT_OWN_TIMEOUT_MS);
    t->env = env;
    t->speaks = cJSON_IsTrue(GET(m, "speaks"));
    t->timeout_ms = timeout ? (uint32_t)timeout->valuedouble : LIMIT_OWN_TIMEOUT_DEFAULT_MS;
    t->offer.name = name;
    t->offer.title = text_of(m, "title");
    t->offer.description = text_of(m, "description");
    t->offer.mime_type = text_of(m, "mimeType");
    return check_texts(m, e);
}

/* ---- kinds ----------------------------------------------------------------------------------- */

static status read_tool(own_entry *t, const cJSON *m, bool built_in, err *e) {
    const char *name = m->string;
    const cJSON *schema = GET(m, "schema"), *output = GET(m, "outputSchema");
    if (!is_name(name)) return err_set(e, ERR_FORMAT, "\"%.80s\" is no name for a tool", name);
    if (!text_of(m, "description") || !cJSON_IsObject(schema))
        return err_set(e, ERR_FORMAT, "the tool %s needs a \"description\" and a \"schema\"", name);
    const char *type = text_of(schema, "type");
    if (!type || strcmp(type, "object"))
        return err_set(e, ERR_FORMAT, "the schema of %s is not of type object", name);
    if (output && !cJSON_IsObject(output))
        return err_set(e, ERR_FORMAT, "\"outputSchema\" of %s is not a schema", name);
    status s = read_command(t, m, e);
    if (!s) s = param_headers_check(schema, e);
    if (s) return s;
    if (!t->argv && !built_in)
        return err_set(e, ERR_FORMAT, "the tool %s needs \"argv\", a list of texts", name);
    bool reads = cJSON_IsTrue(GET(m, "readOnly"));
    t->offer.schema = schema;
    t->offer.output_schema = output;
    t->offer.read_only = reads;
    t->offer.destructive = !reads && !cJSON_IsFalse(GET(m, "destructive"));
    t->offer.idempotent = reads || cJSON_IsTrue(GET(m, "idempotent"));
    t->offer.open_world = cJSON_IsTrue(GET(m, "openWorld"));
    return OK;
}

static status check_messages(const cJSON *list, const char *name, err *e) {
    const cJSON *one;
    bool good = cJSON_IsArray(list) && cJSON_GetArraySize(list) > 0;
    cJSON_ArrayForEach(one, list) {
        const char *role = text_of(one, "role");
        good &= role && (!strcmp(role, "user") || !strcmp(role, "assistant"));
        good &= text_of(one, "text") || cJSON_IsObject(GET(one, "content"));
    }
    if (good) return OK;
    return err_set(e, ERR_FORMAT,
                   "the prompt %s needs \"argv\", or \"messages\": a list of {\"role\", \"text\"}",
                   name);
}

static status read_prompt(own_entry *t, const cJSON *m, err *e) {
    const cJSON *one, *arguments = GET(m, "arguments");
    if (!is_name(m->string))
        return err_set(e, ERR_FORMAT, "\"%.80s\" is no name for a prompt", m->string);
    if (!text_of(m, "description"))
        return err_set(e, ERR_FORMAT, "the prompt %s needs a \"description\"", m->string);
    bool good = !arguments || cJSON_IsArray(arguments);
    cJSON_ArrayForEach(one, arguments) {
        const cJSON *values = GET(one, "values");
        good &= text_of(one, "name") && (!values || (cJSON_IsArray(values) && are_texts(values)));
    }
    if (!good)
        return err_set(e, ERR_FORMAT, "the arguments of %s are not a list of {\"name\"}",
                       m->string);
    status s = read_command(t, m, e);
    t->offer.arguments = arguments;
    t->messages = GET(m, "messages");
    return s || t->argv ? s : check_messages(t->messages, m->string, e);
}

static status read_resource(own_entry *t, const cJSON *m, err *e) {
    const cJSON *values = GET(m, "values"), *one;
    const char *uri = m->string;
    bool template = t->offer.kind == OWN_TEMPLATE;
    if (strlen(uri) > LIMIT_OWN_URI_BYTES || str_find(str_of(uri), STR(":")) < 1)
        return err_set(e, ERR_FORMAT, "\"%.80s\" is no address of a resource", uri);
    if (template && !own_uri_is_pattern(uri))
        return err_set(e, ERR_FORMAT, "\"%.80s\" is no address with places like {name}", uri);
    status s = read_command(t, m, e);
    if (s) return s;
    t->text = text_of(m, "text");
    t->file = text_of(m, "file");
    t->values = values;
    if (!t->argv + !t->text + !t->file != 2)
        return err_set(e, ERR_FORMAT, "%.80s needs one of \"text\", \"file\" and \"argv\"", uri);
    bool good = !values || cJSON_IsObject(values);
    cJSON_ArrayForEach(one, values) good &=
        cJSON_IsArray(one) && are_texts(one) && own_uri_has(uri, one->string);
    if (!good) return err_set(e, ERR_FORMAT, "the values of %.80s are not lists of texts", uri);
    return OK;
}

/* ---- all ------------------------------------------------------------------------------------- */

static size_t count(const own_entries *all, own_kind kind, const char *name) {
    size_t n = 0;
    for (size_t i = 0; i < all->count; i++)
        if (all->at[i].offer.kind == kind && (!name || !strcmp(all->at[i].offer.name, name))) n++;
    return n;
}

/* clang-format off */
static const struct {
    const char *member;
    own_kind kind;
    const char *one;
} KINDS[] = {
    {"tools",             OWN_TOOL,     "tools"},
    {"prompts",           OWN_PROMPT,   "prompts"},
    {"resources",         OWN_RESOURCE, "resources"},
    {"resourceTemplates", OWN_TEMPLATE, "resource templates"},
};
/* clang-format on */

static status read_kind(own_entries *out, const cJSON *list, size_t which, bool built_in, err *e) {
    const cJSON *m;
    own_kind kind = KINDS[which].kind;
    if (list && !cJSON_IsObject(list))
        return err_set(e, ERR_FORMAT, "\"%s\" is not an object", KINDS[which].member);
    cJSON_ArrayForEach(m, list) {
        own_entry t = {.offer = {.kind = kind}};
        status s = kind == OWN_TOOL     ? read_tool(&t, m, built_in, e)
                   : kind == OWN_PROMPT ? read_prompt(&t, m, e)
                                        : read_resource(&t, m, e);
        if (s) return s;
        if (count(out, kind, m->string))
            return err_set(e, ERR_FORMAT, "there are two %s %.80s", KINDS[which].one, m->string);
        if (count(out, kind, NULL) >= LIMIT_OWN_TOOLS)
            return err_set(e, ERR_LIMIT, "there are more than %d %s", LIMIT_OWN_TOOLS,
                           KINDS[which].one);
        vec_push(out, t);
    }
    return OK;
}

status own_declared(own_entries *out, const cJSON *root, bool built_in, err *e) {
    bool any = false;
    status s = OK;
    for (size_t i = 0; i < COUNTOF(KINDS) && !s; i++) {
        const cJSON *list = GET(root, KINDS[i].member);
        any |= list != NULL;
        s = read_kind(out, list, i, built_in, e);
    }
    if (s || any) return s;
    return err_set(e, ERR_FORMAT,
                   "it has no object \"tools\", \"prompts\", \"resources\" or "
                   "\"resourceTemplates\"");
}
