/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of tools, resources and prompts out of the pages that a server sends.
 *
 * An item's definition is a copy of what came, with every member; its texts are cleaned copies.
 * Names are compared by their bytes.  Pure.  Thread: loop. */
#include "mcp/catalogue.h"

#include <stdarg.h>

#include "engine/base/hash.h"
#include "engine/base/limits.h"
#include "mcp/canonical.h"
#include "mcp/output.h"
#include "mcp/param_headers.h"

static const char *const METHODS[LIST_COUNT] = {
    [LIST_TOOLS] = "tools/list",
    [LIST_RESOURCES] = "resources/list",
    [LIST_TEMPLATES] = "resources/templates/list",
    [LIST_PROMPTS] = "prompts/list",
};
static const char *const MEMBERS[LIST_COUNT] = {
    [LIST_TOOLS] = "tools",
    [LIST_RESOURCES] = "resources",
    [LIST_TEMPLATES] = "resourceTemplates",
    [LIST_PROMPTS] = "prompts",
};

const char *list_method(list_kind k) {
    return METHODS[k];
}

const char *list_member(list_kind k) {
    return MEMBERS[k];
}

void note_add(strbuf *notes, const char *fmt, ...) {
    char text[256];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (notes->len && str_find(strbuf_str(notes), str_of(text)) >= 0) return;
    strbuf_addf(notes, "%s%s", notes->len ? "; " : "", text);
}

void catalogue_list_init(catalogue_list *l) {
    *l = (catalogue_list){0};
    arena_init(&l->texts);
}

void catalogue_list_deinit(catalogue_list *l) {
    for (size_t i = 0; i < l->definitions.count; i++)
        cJSON_Delete(l->definitions.at[i]);
    vec_free(&l->definitions);
    vec_free(&l->tools);
    vec_free(&l->resources);
    vec_free(&l->prompts);
    arena_deinit(&l->texts);
    *l = (catalogue_list){0};
}

/* ---- members --------------------------------------------------------------------------------- */

/* A cleaned copy of a text member, at most LIMIT_MCP_TEXT_BYTES; "" when there is none. */
static const char *text_of(catalogue_list *l, const cJSON *item, const char *member) {
    const cJSON *m = cJSON_GetObjectItemCaseSensitive(item, member);
    if (!cJSON_IsString(m)) return "";
    strbuf clean;
    strbuf_init(&clean, SIZE_MAX / 2);
    output_clean(&clean, str_sub(str_of(m->valuestring), 0, LIMIT_MCP_TEXT_BYTES));
    str copy = arena_str(&l->texts, strbuf_str(&clean));
    strbuf_deinit(&clean);
    return copy.ptr;
}

static bool hint(const cJSON *annotations, const char *name, bool otherwise) {
    const cJSON *m = cJSON_GetObjectItemCaseSensitive(annotations, name);
    return cJSON_IsBool(m) ? cJSON_IsTrue(m) : otherwise;
}

static int by_bytes(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The words of a text, sorted: there are servers that print an unordered table into a description,
 * and so change the order of its words at every start (mcp-time). */
static char *sorted_words(const char *text) {
    static const char blanks[] = " ,\t\r\n";
    VEC(char *) words = {0};
    while (*(text += strspn(text, blanks))) {
        size_t n = strcspn(text, blanks);
        vec_push(&words, xstrndup(text, n));
        text += n;
    }
    if (words.count) qsort(words.at, words.count, sizeof(char *), by_bytes);
    strbuf out;
    strbuf_init(&out, SIZE_MAX / 2);
    strbuf_add_char(&out, ' ');
    for (size_t i = 0; i < words.count; i++) {
        strbuf_addf(&out, "%s ", words.at[i]);
        xfree(words.at[i]);
    }
    vec_free(&words);
    return strbuf_take(&out);
}

/* Every text of a member "description", at any depth. */
static void sort_descriptions(cJSON *json) {
    for (cJSON *m = json->child; m; m = m->next) {
        if (m->string && strcmp(m->string, "description") == 0 && cJSON_IsString(m)) {
            char *sorted = sorted_words(m->valuestring);
            cJSON *text = cJSON_CreateString(sorted);
            char *own = m->valuestring;
            m->valuestring = text->valuestring;
            text->valuestring = own;
            cJSON_Delete(text);
            xfree(sorted);
        }
        if (m->child) sort_descriptions(m);
    }
}

static void pin(const cJSON *item, char out[static 65]) {
    static const char *const pinned[] = {"annotations", "description",  "inputSchema",
                                         "name",        "outputSchema", "title"};
    cJSON *view = cJSON_CreateObject();
    for (size_t i = 0; i < COUNTOF(pinned); i++) {
        const cJSON *m = cJSON_GetObjectItemCaseSensitive(item, pinned[i]);
        if (m) cJSON_AddItemToObject(view, pinned[i], cJSON_Duplicate(m, true));
    }
    sort_descriptions(view);
    canonical_hash(view, out);
    cJSON_Delete(view);
}

static void add_tool(catalogue_list *l, const cJSON *item, const char *name) {
    const cJSON *a = cJSON_GetObjectItemCaseSensitive(item, "annotations");
    mcp_tool t = {
        .name = name,
        .title = text_of(l, item, "title"),
        .description = text_of(l, item, "description"),
        .definition = item,
        .annotated = cJSON_IsObject(a) && a->child,
        .read_only = hint(a, "readOnlyHint", false),
        .destructive = hint(a, "destructiveHint", true),
        .idempotent = hint(a, "idempotentHint", false),
        .open_world = hint(a, "openWorldHint", true),
    };
    pin(item, t.pin);
    vec_push(&l->tools, t);
}

/* ---- items ----------------------------------------------------------------------------------- */

static bool is_known(const catalogue_list *l, list_kind k, const char *name) {
    size_t i = 0;
    switch (k) {
    case LIST_TOOLS: return catalogue_tool(l, name) != NULL;
    case LIST_PROMPTS:
        while (i < l->prompts.count && strcmp(l->prompts.at[i].name, name) != 0)
            i++;
        return i < l->prompts.count;
    case LIST_RESOURCES:
    case LIST_TEMPLATES:
        while (i < l->resources.count && strcmp(l->resources.at[i].uri, name) != 0)
            i++;
        return i < l->resources.count;
    case LIST_COUNT: break;
    }
    ASSERT(0);
}

static const char *key_member(list_kind k) {
    return k == LIST_RESOURCES ? "uri" : k == LIST_TEMPLATES ? "uriTemplate" : "name";
}

static void add_item(catalogue_list *l, list_kind k, const cJSON *from, strbuf *notes) {
    const cJSON *key = cJSON_GetObjectItemCaseSensitive(from, key_member(k));
    if (!cJSON_IsString(key) || !key->valuestring[0]) {
        note_add(notes, "%s: an item has no %s", METHODS[k], key_member(k));
        return;
    }
    if (strlen(key->valuestring) > LIMIT_MCP_TEXT_BYTES) {
        note_add(notes, "%s: a name has more than %d bytes", METHODS[k], LIMIT_MCP_TEXT_BYTES);
        return;
    }
    const char *name = text_of(l, from, key_member(k));
    if (is_known(l, k, name)) {
        note_add(notes, "%s has \"%.60s\" more than once", METHODS[k], name);
        return;
    }
    cJSON *item = cJSON_Duplicate(from, true);
    vec_push(&l->definitions, item);
    if (k == LIST_TOOLS) {
        add_tool(l, item, name);
    } else if (k == LIST_PROMPTS) {
        vec_push(&l->prompts, ((mcp_prompt){name, text_of(l, item, "description"), item}));
    } else {
        vec_push(&l->resources, ((mcp_resource){name, text_of(l, item, "name"),
                                                text_of(l, item, "mimeType"),
                                                k == LIST_TEMPLATES, item}));
    }
}

status catalogue_add(catalogue_list *l, list_kind k, const cJSON *result, strbuf *notes, err *e) {
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(result, MEMBERS[k]);
    if (!cJSON_IsArray(list))
        return err_set(e, ERR_FORMAT, "the answer to %s has no list \"%s\"", METHODS[k],
                       MEMBERS[k]);
    for (const cJSON *item = list->child; item; item = item->next) {
        if (l->items == LIMIT_MCP_LIST_ITEMS)
            return err_set(e, ERR_LIMIT, "%s has more than %d items", METHODS[k],
                           LIMIT_MCP_LIST_ITEMS);
        l->items++;
        add_item(l, k, item, notes);
    }
    return OK;
}

const mcp_tool *catalogue_tool(const catalogue_list *l, const char *name) {
    for (size_t i = 0; i < l->tools.count; i++)
        if (strcmp(l->tools.at[i].name, name) == 0) return &l->tools.at[i];
    return NULL;
}

void catalogue_drop_unsendable(catalogue_list *l, strbuf *notes) {
    for (size_t i = l->tools.count; i-- > 0;) {
        const mcp_tool *t = &l->tools.at[i];
        err e;
        const cJSON *schema = cJSON_GetObjectItemCaseSensitive(t->definition, "inputSchema");
        if (param_headers_check(schema, &e) == OK) continue;
        note_add(notes, "tool %.60s is left out: %.120s", t->name, e.text);
        vec_remove(&l->tools, i);
    }
}

size_t catalogue_compare(catalogue_list *l, const catalogue_list *old) {
    size_t changed = 0;
    for (size_t i = 0; i < l->tools.count; i++) {
        mcp_tool *t = &l->tools.at[i];
        const mcp_tool *before = catalogue_tool(old, t->name);
        if (!before) continue;
        t->quarantined = before->quarantined || strcmp(before->pin, t->pin) != 0;
        changed += t->quarantined;
    }
    return changed;
}
