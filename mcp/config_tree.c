/* SPDX-License-Identifier: Apache-2.0 */
/* Which language a file is in, and one way to find a key in all of them.
 * No state.  Thread: any. */
#include "mcp/config_tree.h"

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

status config_tree_read(config_tree *d, str text, size_t *offset, err *e) {
    *d = (config_tree){.kind = kind_of(text), .text = text};
    *offset = 0;
    if (!utf8_is_valid(text)) return err_set(e, ERR_FORMAT, "it is not UTF-8");
    status s = d->kind == TREE_TOML   ? toml_parse(text, &d->root, &d->places, offset, e)
               : d->kind == TREE_YAML ? yaml_parse(text, &d->root, &d->places, offset, e)
                                      : jsonc_parse(text, &d->root, offset, e);
    if (s != OK) vec_free(&d->places);
    return s;
}

void config_tree_free(config_tree *d) {
    cJSON_Delete(d->root);
    vec_free(&d->places);
}

size_t config_tree_find(const config_tree *d, const char *const *path, size_t n) {
    if (d->kind == TREE_JSON) return jsonc_find(d->text, path, n);
    size_t found = 0;
    const cJSON *item = d->root;
    for (size_t i = 0; i < n && item; i++) {
        item = cJSON_GetObjectItemCaseSensitive(item, path[i]);
        for (size_t k = 0; item && k < d->places.count; k++)
            if (d->places.at[k].item == item) found = d->places.at[k].offset;
    }
    return d->kind == TREE_YAML ? yaml_offset(d->text, found) : found;
}
