/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The list in memory: what catalog.c keeps and entry.c fills. */
#include <cjson/cJSON.h>

#include "engine/base/arena.h"
#include "engine/base/vec.h"
#include "engine/registry.h"

struct registry {
    arena strings; /* every text that an entry points to */
    VEC(model_entry) models;
    const char *default_name;
    bool reads_added;     /* what is read now was added by `inlined models add` */
    const char *endpoint; /* of the hub, by the user's list; NULL: not said */
};

/* The embedded engine/models/models.json. */
extern const unsigned char models_json[];
extern const size_t models_json_bytes;

/* Reads one element of "models".  Texts are copied into `a`.  The sentence names the field; the
 * caller puts the origin and the index before it. */
status entry_read(const cJSON *json, arena *a, model_entry *out, err *e) MUST_USE;
