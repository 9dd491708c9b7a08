/* SPDX-License-Identifier: Apache-2.0 */
/* Which language a file is in, and one way to find a key in all of them.
 * No state.  Thread: any. */
#include "mcp/config_tree.h"

#include <stdlib.h>

#include "engine/base/utf8.h"
#include "mcp/jsonc.h"

/* By the first line that says something. */
static tree_kind kind_of(str text) {
    str line;
    if (str_starts_with(text, STR("\xEF\xBB\xBF"))) text = str_sub(text, 3, text.len);
    while (str_split(&text, '\n', &line)) {
        line = str_trim(line);
        if (!line.len || line.ptr[0] == '#') continue;
        if (line.ptr[0] == '{' || line.ptr[0] == '/') return TREE_JSON;
        ptrdiff_t equals = str_find(line, STR("=")), colon = str_find(line, STR(":"));
        bool table = line.ptr[0] == '[' && str_find(line, STR("]")) > 0;
        if (table || (equals > 0 && (colon < 0 || equals < colon))) return TREE_TOML;
        return colon > 0 || str_eq(line, STR("---")) ? TREE_YAML : TREE_JSON;
    }
    return TREE_JSON;
}

/* ---- keys of JSON that are there twice ------------------------------------------------------- */

typedef struct {
    cJSON *item;
    size_t order;
} member;

static int by_name(const void *a, const void *b) {
    const member *x = a, *y = b;
    int names = strcmp(x->item->string, y->item->string);
    return names ? names : (x->order > y->order) - (x->order < y->order);
}

/* Sorted, so that a huge object costs no more than its size. */
static void keep_last(config_tree *d, cJSON *object) {
    VEC(member) members = {0};
    cJSON *m;
    cJSON_ArrayForEach(m, object) vec_push(&members, ((member){m, members.count}));
    if (members.count > 1) qsort(members.at, members.count, sizeof members.at[0], by_name);
    const cJSON *latest = NULL; /* of the keys that are there more than once */
    for (size_t i = members.count; i-- > 1;) {
        cJSON *earlier = members.at[i - 1].item;
        const cJSON *kept = latest ? latest : members.at[i].item;
        latest = strcmp(earlier->string, kept->string) == 0 ? kept : NULL;
        if (!latest) continue;
        if (!d->twice) d->twice = latest;
        cJSON_Delete(cJSON_DetachItemViaPointer(object, earlier));
    }
    vec_free(&members);
}

/* The parser has bounded the depth. */
static void make_unique(config_tree *d, cJSON *item) {
    if (cJSON_IsObject(item)) keep_last(d, item);
    cJSON *m;
    cJSON_ArrayForEach(m, item) if (cJSON_IsObject(m) || cJSON_IsArray(m)) make_unique(d, m);
}

/* ---- places ---------------------------------------------------------------------------------- */

static int by_item(const void *a, const void *b) {
    uintptr_t x = (uintptr_t)((const tree_place *)a)->item;
    uintptr_t y = (uintptr_t)((const tree_place *)b)->item;
    return (x > y) - (x < y);
}

static void find_place(const config_tree *d, const cJSON *item, size_t *offset) {
    tree_place wanted = {.item = item};
    const tree_place *p =
        d->places.count ? bsearch(&wanted, d->places.at, d->places.count, sizeof wanted, by_item)
                        : NULL;
    if (p) *offset = p->offset;
}

size_t config_tree_find(const config_tree *d, const char *const *path, size_t n) {
    size_t found = 0;
    const cJSON *item = d->root;
    for (size_t i = 0; i < n && item; i++) {
        item = cJSON_GetObjectItemCaseSensitive(item, path[i]);
        if (item) find_place(d, item, &found);
    }
    return d->kind == TREE_YAML ? yaml_offset(d->text, found) : found;
}

size_t config_tree_twice(const config_tree *d) {
    size_t found = 0;
    find_place(d, d->twice, &found);
    return found;
}

/* ---- reading --------------------------------------------------------------------------------- */

status config_tree_read(config_tree *d, str text, size_t *offset, err *e) {
    *d = (config_tree){.kind = kind_of(text), .text = text};
    *offset = 0;
    if (!utf8_is_valid(text)) return err_set(e, ERR_FORMAT, "it is not UTF-8");
    status s = d->kind == TREE_TOML   ? toml_parse(text, &d->root, &d->places, offset, e)
               : d->kind == TREE_YAML ? yaml_parse(text, &d->root, &d->places, offset, e)
                                      : jsonc_parse(text, &d->root, &d->places, offset, e);
    if (s != OK) vec_free(&d->places);
    if (s == OK && d->kind == TREE_JSON) make_unique(d, d->root);
    if (d->places.count) qsort(d->places.at, d->places.count, sizeof d->places.at[0], by_item);
    return s;
}

void config_tree_free(config_tree *d) {
    cJSON_Delete(d->root);
    vec_free(&d->places);
}
