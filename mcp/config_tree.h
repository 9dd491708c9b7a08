/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A configuration file in any of its languages, as one tree: JSON with comments, TOML 1.0, or YAML
 * without anchors; and where its keys stand.  Which one it is, is told by how it begins.
 * Thread: any; no state. */
#include <cjson/cJSON.h>

#include "engine/base/status.h"
#include "engine/base/str.h"
#include "engine/base/vec.h"

/* Where a key was read. */
typedef struct {
    const cJSON *item;
    size_t offset;
} tree_place;
typedef VEC(tree_place) tree_places;

typedef enum { TREE_JSON, TREE_TOML, TREE_YAML } tree_kind;
typedef struct {
    tree_kind kind;
    cJSON *root;
    str text;           /* borrowed */
    tree_places places; /* by item */
    const cJSON *twice; /* JSON: the first member found whose key was there before; NULL: none */
} config_tree;

/* No object has a key twice: TOML and YAML refuse that, and of JSON's the last one stays, as in
 * other programs.  ERR_FORMAT, ERR_LIMIT, ERR_UNSUPPORTED: `offset` says where.  Free it with
 * config_tree_free only when this is OK. */
status config_tree_read(config_tree *d, str text, size_t *offset, err *e) MUST_USE;
void config_tree_free(config_tree *d);
/* Offset of the key that `path` (n member names from the root) leads to; of what was found last
 * when the rest is not there. */
size_t config_tree_find(const config_tree *d, const char *const *path, size_t n);

size_t config_tree_twice(const config_tree *d); /* offset of the key of `twice` */

/* The readers, of UTF-8.  *root is an object; places are added for its keys.  On failure nothing
 * is kept. */
status toml_parse(str text, cJSON **root, tree_places *places, size_t *offset, err *e) MUST_USE;
/* Its places count characters: yaml_offset makes bytes of them. */
status yaml_parse(str text, cJSON **root, tree_places *places, size_t *offset, err *e) MUST_USE;
size_t yaml_offset(str text, size_t characters);
