/* SPDX-License-Identifier: Apache-2.0 */
/* Approvals and pins in one JSON file.
 *
 *     {"servers": {HASH: NAME}, "tools": {HASH: {PIN: NAME}}, "pins": {HASH: {NAME: PIN}},
 *      "definitions": {HASH: {NAME: DEFINITION}}}
 *
 * Kept as the parsed object, and parsed again when somebody else has written it: windows of one
 * daemon, and programs beside it, have this file in common, and none may take back what another was
 * told.  A change holds the file's lock from there until it is saved.  Thread: loop. */
#include "mcp/approvals.h"

#include "engine/base/file.h"
#include "engine/base/mem.h"
#include "mcp/state_file.h"

struct approvals {
    char *path; /* NULL: nothing is read or written */
    cJSON *root, *servers, *tools, *pins, *definitions;
    uint64_t seen; /* file_stamp of what `root` was; 0: none yet */
    bool changed;
    int lock; /* while changed; -1: none */
};

/* What the file is now becomes `seen`; false: it was that already. */
static bool look(approvals *a) {
    uint64_t now = file_stamp(0, a->path);
    bool changed = now != a->seen;
    a->seen = now;
    return changed;
}

static void take(approvals *a, cJSON *root) {
    cJSON_Delete(a->root);
    a->root = root;
    a->servers = state_object(root, "servers");
    a->tools = state_object(root, "tools");
    a->pins = state_object(root, "pins");
    a->definitions = state_object(root, "definitions");
}

/* What could not be written stays in memory until somebody else writes. */
static void refresh(approvals *a) {
    if (a->path && !a->changed && look(a)) take(a, state_read(a->path));
}

static void begin_change(approvals *a) {
    if (a->changed) return;
    a->lock = a->path ? state_lock(a->path) : -1;
    refresh(a);
    a->changed = true;
}

approvals *approvals_open(const char *folder) {
    approvals *a = xcalloc(1, sizeof *a);
    a->lock = -1;
    a->path = state_path(folder, "approvals.json");
    take(a, cJSON_CreateObject());
    refresh(a);
    return a;
}

void approvals_free(approvals *a) {
    if (!a) return;
    approvals_save(a);
    cJSON_Delete(a->root);
    xfree(a->path);
    xfree(a);
}

bool approvals_has_server(approvals *a, const char *hash) {
    refresh(a);
    return cJSON_GetObjectItemCaseSensitive(a->servers, hash) != NULL;
}

void approvals_add_server(approvals *a, const char *hash, const char *name) {
    begin_change(a);
    if (!approvals_has_server(a, hash)) cJSON_AddStringToObject(a->servers, hash, name);
}

void approvals_remove_server(approvals *a, const char *hash) {
    begin_change(a);
    cJSON_DeleteItemFromObjectCaseSensitive(a->servers, hash);
    cJSON_DeleteItemFromObjectCaseSensitive(a->tools, hash);
    cJSON_DeleteItemFromObjectCaseSensitive(a->pins, hash);
    cJSON_DeleteItemFromObjectCaseSensitive(a->definitions, hash);
}

bool approvals_has_tool(approvals *a, const char *hash, const char *pin) {
    refresh(a);
    const cJSON *tools = cJSON_GetObjectItemCaseSensitive(a->tools, hash);
    return cJSON_GetObjectItemCaseSensitive(tools, pin) != NULL;
}

void approvals_add_tool(approvals *a, const char *hash, const char *pin, const char *name) {
    begin_change(a);
    if (!approvals_has_tool(a, hash, pin))
        cJSON_AddStringToObject(state_object(a->tools, hash), pin, name);
}

const char *approvals_pin(approvals *a, const char *hash, const char *tool) {
    refresh(a);
    const cJSON *pins = cJSON_GetObjectItemCaseSensitive(a->pins, hash);
    const cJSON *pin = cJSON_GetObjectItemCaseSensitive(pins, tool);
    return cJSON_IsString(pin) ? pin->valuestring : NULL;
}

const cJSON *approvals_definition(approvals *a, const char *hash, const char *tool) {
    refresh(a);
    const cJSON *all = cJSON_GetObjectItemCaseSensitive(a->definitions, hash);
    return cJSON_GetObjectItemCaseSensitive(all, tool);
}

void approvals_set_pin(approvals *a, const char *hash, const char *tool, const char *pin,
                       const cJSON *definition) {
    const char *now = approvals_pin(a, hash, tool);
    if (now && strcmp(now, pin) == 0) return;
    begin_change(a);
    cJSON *pins = state_object(a->pins, hash);
    cJSON_DeleteItemFromObjectCaseSensitive(pins, tool);
    cJSON_AddStringToObject(pins, tool, pin);
    cJSON *all = state_object(a->definitions, hash);
    cJSON_DeleteItemFromObjectCaseSensitive(all, tool);
    cJSON_AddItemToObject(all, tool, cJSON_Duplicate(definition, true));
}

void approvals_save(approvals *a) {
    if (!a->changed) return;
    if (a->path && state_write(a->path, a->root)) (void)look(a); /* a failure has been told */
    state_unlock(a->lock);
    a->lock = -1;
    a->changed = false;
}
