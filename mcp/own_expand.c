/* SPDX-License-Identifier: Apache-2.0 */
/* ${NAME} in what a file declares: an argument; ${workspaceFolder}: the folder.
 *
 * Of a command, a word that names an argument which was not given is left out; a word that is
 * nothing but ${NAME} becomes one word for each item of a list.  Such a word may not begin with
 * '-': it would be an option that the author of the file did not write.  In other texts an argument
 * that was not given is empty.  Thread: any. */
#include "engine/base/limits.h"
#include "mcp/own_private.h"

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

static const cJSON *argument(const cJSON *arguments, str name) {
    const cJSON *m;
    cJSON_ArrayForEach(m, arguments) if (str_eq(str_of(m->string), name)) return m;
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
        const cJSON *v = argument(x->arguments, name);
        return v ? expand_whole(x, v, e) : OK;
    }
    strbuf_init(&out, LIMIT_OWN_ARGUMENT_BYTES * 4);
    while (*word) {
        if (!placeholder(word, &name, &rest)) {
            strbuf_add_char(&out, *word++);
            continue;
        }
        const cJSON *v = argument(x->arguments, name);
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

/* ---- texts ----------------------------------------------------------------------------------- */

static void add_value(strbuf *out, const cJSON *v) {
    char *text = cJSON_IsString(v) ? NULL : cJSON_PrintUnformatted(v);
    strbuf_addf(out, "%s", text ? text : v->valuestring);
    cJSON_free(text);
}

status own_expand_text(const char *text, const cJSON *arguments, const char *workspace, strbuf *out,
                       err *e) {
    str name;
    const char *rest;
    while (*text) {
        if (!placeholder(text, &name, &rest)) {
            strbuf_add_char(out, *text++);
            continue;
        }
        const cJSON *v = argument(arguments, name);
        if (str_eq(name, STR("workspaceFolder")))
            strbuf_addf(out, "%s", workspace);
        else if (v)
            add_value(out, v);
        text = rest;
    }
    return out->overflow ? err_set(e, ERR_LIMIT, "the arguments are too long") : OK;
}

static status expand_member(cJSON *m, const cJSON *arguments, const char *workspace, err *e) {
    cJSON *child;
    strbuf text;
    status s = OK;
    if (cJSON_IsString(m)) {
        strbuf_init(&text, LIMIT_OWN_ARGUMENT_BYTES * 4);
        s = own_expand_text(m->valuestring, arguments, workspace, &text, e);
        if (!s) cJSON_SetValuestring(m, text.ptr ? text.ptr : "");
        strbuf_deinit(&text);
    }
    cJSON_ArrayForEach(child, m) if (!s) s = expand_member(child, arguments, workspace, e);
    return s;
}

status own_expand_json(const cJSON *json, const cJSON *arguments, const char *workspace,
                       cJSON **out, err *e) {
    *out = cJSON_Duplicate(json, true);
    status s = expand_member(*out, arguments, workspace, e);
    if (s) {
        cJSON_Delete(*out);
        *out = NULL;
    }
    return s;
}
