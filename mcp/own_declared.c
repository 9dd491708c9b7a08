/* SPDX-License-Identifier: Apache-2.0 */
/* Commands as tools: what a file may say about them, and the words that come of it.
 *
 *     {"tools": {"run_tests": {
 *        "description": "Runs the tests whose names match.",
 *        "argv": ["ctest", "--test-dir", "build", "-R", "${pattern}"],
 *        "schema": {"type": "object", "properties": {"pattern": {"type": "string"}}},
 *        "timeoutMs": 60000, "readOnly": true, "env": {"CTEST_OUTPUT_ON_FAILURE": "1"}}}}
 *
 * ${NAME} stands for an argument, ${workspaceFolder} for the folder.  A word that names an argument
 * which was not given is left out; a word that is nothing but ${NAME} becomes one word for each
 * item of a list.  Such a word may not begin with '-': it would be an option that the author of the
 * file did not write.  Thread: any. */
#include "engine/base/limits.h"
#include "mcp/own_private.h"

#define GET(object, name) cJSON_GetObjectItemCaseSensitive(object, name)

/* ---- reading --------------------------------------------------------------------------------- */

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

static status read_tool(own_entry *t, const cJSON *m, bool built_in, err *e) {
    const char *name = m->string;
    const cJSON *about = GET(m, "description"), *schema = GET(m, "schema");
    const cJSON *timeout = GET(m, "timeoutMs"), *argv = GET(m, "argv"), *env = GET(m, "env");
    if (!is_name(name)) return err_set(e, ERR_FORMAT, "\"%.80s\" is no name for a tool", name);
    if (!cJSON_IsString(about) || !cJSON_IsObject(schema))
        return err_set(e, ERR_FORMAT, "the tool %s needs a \"description\" and a \"schema\"", name);
    const cJSON *type = GET(schema, "type");
    if (!cJSON_IsString(type) || strcmp(type->valuestring, "object"))
        return err_set(e, ERR_FORMAT, "the schema of %s is not of type object", name);
    bool command = cJSON_IsArray(argv) && cJSON_GetArraySize(argv) > 0 && are_texts(argv);
    if (!command && !(built_in && !argv))
        return err_set(e, ERR_FORMAT, "the tool %s needs \"argv\", a list of texts", name);
    if (env && (!cJSON_IsObject(env) || !are_texts(env)))
        return err_set(e, ERR_FORMAT, "\"env\" of %s is not an object of texts", name);
    if (timeout && !(cJSON_IsNumber(timeout) && timeout->valuedouble >= 1 &&
                     timeout->valuedouble <= LIMIT_OWN_TIMEOUT_MS))
        return err_set(e, ERR_FORMAT, "\"timeoutMs\" of %s is not between 1 and %d", name,
                       LIMIT_OWN_TIMEOUT_MS);
    bool reads = cJSON_IsTrue(GET(m, "readOnly"));
    *t = (own_entry){.tool = {.name = name,
                              .description = about->valuestring,
                              .schema = schema,
                              .read_only = reads,
                              .destructive = !reads && !cJSON_IsFalse(GET(m, "destructive")),
                              .idempotent = reads || cJSON_IsTrue(GET(m, "idempotent")),
                              .open_world = cJSON_IsTrue(GET(m, "openWorld"))},
                     .argv = argv,
                     .env = env,
                     .timeout_ms =
                         timeout ? (uint32_t)timeout->valuedouble : LIMIT_OWN_TIMEOUT_DEFAULT_MS};
    return OK;
}

static bool is_taken(const own_entries *all, const char *name) {
    for (size_t i = 0; i < all->count; i++)
        if (!strcmp(all->at[i].tool.name, name)) return true;
    return false;
}

status own_declared(own_entries *out, const cJSON *root, bool built_in, err *e) {
    const cJSON *m, *tools = GET(root, "tools");
    if (!cJSON_IsObject(tools)) return err_set(e, ERR_FORMAT, "it has no object \"tools\"");
    cJSON_ArrayForEach(m, tools) {
        own_entry t;
        status s = read_tool(&t, m, built_in, e);
        if (s) return s;
        if (is_taken(out, t.tool.name))
            return err_set(e, ERR_FORMAT, "there are two tools %.80s", t.tool.name);
        if (out->count >= LIMIT_OWN_TOOLS)
            return err_set(e, ERR_LIMIT, "there are more than %d tools", LIMIT_OWN_TOOLS);
        vec_push(out, t);
    }
    return OK;
}

/* ---- expanding ------------------------------------------------------------------------------- */

typedef struct {
    const cJSON *arguments;
    const char *workspace;
    arena *memory;
    own_words *out;
} expansion;

static const char *text_of(const cJSON *v, arena *a) {
    if (cJSON_IsString(v)) return arena_str(a, str_of(v->valuestring)).ptr;
    char *text = cJSON_PrintUnformatted(v);
    const char *copy = arena_str(a, str_of(text)).ptr;
    cJSON_free(text);
    return copy;
}

/* The name in ${NAME} at `at`, and what follows; false: there is none here. */
static bool placeholder(const char *at, str *name, const char **rest) {
    const char *end = at[0] == '$' && at[1] == '{' ? strchr(at, '}') : NULL;
    if (!end) return false;
    *name = (str){at + 2, (size_t)(end - at) - 2};
    *rest = end + 1;
    return true;
}

static const cJSON *argument(const expansion *x, str name) {
    const cJSON *m;
    cJSON_ArrayForEach(m, x->arguments) if (str_eq(str_of(m->string), name)) return m;
    return NULL;
}

static status push_own_word(const expansion *x, const cJSON *v, err *e) {
    const char *word = text_of(v, x->memory);
    if (word[0] == '-')
        return err_set(e, ERR_USAGE, "the argument \"%.80s\" may not begin with -", word);
    if (x->out->count >= LIMIT_OWN_WORDS)
        return err_set(e, ERR_LIMIT, "the command has more than %d words", LIMIT_OWN_WORDS);
    vec_push(x->out, word);
    return OK;
}

/* A word that is one placeholder. */
static status expand_whole(const expansion *x, const cJSON *v, err *e) {
    const cJSON *item;
    status s = OK;
    if (!cJSON_IsArray(v)) return push_own_word(x, v, e);
    cJSON_ArrayForEach(item, v) if (!s) s = push_own_word(x, item, e);
    return s;
}

static status expand_word(const expansion *x, const char *word, err *e) {
    strbuf out;
    str name;
    const char *rest;
    bool left_out = false;
    if (placeholder(word, &name, &rest) && !*rest && !str_eq(name, STR("workspaceFolder"))) {
        const cJSON *v = argument(x, name);
        return v ? expand_whole(x, v, e) : OK;
    }
    strbuf_init(&out, LIMIT_OWN_ARGUMENT_BYTES * 4);
    while (*word) {
        if (!placeholder(word, &name, &rest)) {
            strbuf_add_char(&out, *word++);
            continue;
        }
        const cJSON *v = argument(x, name);
        if (str_eq(name, STR("workspaceFolder")))
            strbuf_addf(&out, "%s", x->workspace);
        else if (v)
            strbuf_addf(&out, "%s", text_of(v, x->memory));
        else
            left_out = true;
        word = rest;
    }
    status s = out.overflow ? err_set(e, ERR_LIMIT, "the arguments are too long") : OK;
    if (!s && !left_out) vec_push(x->out, arena_str(x->memory, strbuf_str(&out)).ptr);
    strbuf_deinit(&out);
    return s;
}

status own_expand(const own_entry *entry, const cJSON *arguments, const char *workspace, arena *a,
                  own_words *out, err *e) {
    const expansion x = {arguments, workspace, a, out};
    const cJSON *word;
    status s = OK;
    cJSON_ArrayForEach(word, entry->argv) if (!s) s = expand_word(&x, word->valuestring, e);
    if (!s && !out->count) s = err_set(e, ERR_USAGE, "the command has no words");
    return s;
}
