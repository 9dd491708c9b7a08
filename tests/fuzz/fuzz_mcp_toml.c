/* SPDX-License-Identifier: Apache-2.0 */
/* TOML and YAML alone (the first byte chooses): a tree that is whole, places within the text, and
 * a second reading that gives the same. */
#include "engine/base/mem.h"
#include "mcp/config_tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static status parse(bool yaml, str text, cJSON **root, tree_places *places, size_t *offset) {
    err e;
    return yaml ? yaml_parse(text, root, places, offset, &e)
                : toml_parse(text, root, places, offset, &e);
}

/* As texts: cJSON_Compare takes twice as long for each level of objects. */
static bool is_same(const cJSON *a, const cJSON *b) {
    char *x = cJSON_PrintUnformatted(a), *y = cJSON_PrintUnformatted(b);
    bool same = x && y && strcmp(x, y) == 0;
    cJSON_free(x);
    cJSON_free(y);
    return same;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!size) return 0;
    bool yaml = data[0] & 1;
    str text = {(const char *)data + 1, size - 1};
    cJSON *one = NULL, *two = NULL;
    tree_places places = {0};
    size_t offset;
    status s = parse(yaml, text, &one, &places, &offset);
    ASSERT(offset <= text.len);
    if (s == OK) {
        ASSERT(cJSON_IsObject(one));
        for (size_t i = 0; i < places.count; i++)
            ASSERT(places.at[i].offset <= text.len && places.at[i].item->string);
        vec_clear(&places);
        ASSERT(parse(yaml, text, &two, &places, &offset) == OK && is_same(one, two));
    } else {
        ASSERT(!one && !places.count);
    }
    cJSON_Delete(one);
    cJSON_Delete(two);
    vec_free(&places);
    return 0;
}
