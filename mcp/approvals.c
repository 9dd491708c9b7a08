/* SPDX-License-Identifier: Apache-2.0 */
/* Approvals and pins in one JSON file.
 *
 *     {"servers": {HASH: NAME}, "tools": {HASH: {PIN: NAME}}, "pins": {HASH: {NAME: PIN}},
 *      "definitions": {HASH: {NAME: DEFINITION}}}
 *
 * Kept as the parsed object.  Thread: loop. */
#include "mcp/approvals.h"

#include "engine/base/mem.h"
#include "mcp/state_file.h"

struct approvals {
    char *path; /* NULL: nothing is written */
    cJSON *root, *servers, *tools, *pins, *definitions;
    bool changed;
};

approvals *approvals_open(const char *folder) {
    approvals *a = xcalloc(1, sizeof *a);
    a->path = state_path(folder, "approvals.json");
    a->root = a->path ? state_read(a->path) : cJSON_CreateObject();
    a->servers = state_object(a->root, "servers");
    a->tools = state_object(a->root, "tools");
    a->pins = state_object(a->root, "pins");
    a->definitions = state_object(a->root, "definitions");
    return a;
}

void approvals_free(approvals *a) {
    if (!a) return;
    approvals_save(a);
    cJSON_Delete(a->root);
    xfree(a->path);
    xfree(a);
}

bool approvals_has_server(const approvals *a, const char *hash) {
    return cJSON_GetObjectItemCaseSensitive(a->servers, hash) != NULL;
}

void approvals_add_server(approvals *a, const char *hash, const char *name) {
    if (approvals_has_server(a, hash)) return;
    cJSON_AddStringToObject(a->servers, hash, name);
    a->changed = true;
}

void approvals_remove_server(approvals *a, const char *hash) {
    cJSON_DeleteItemFromObjectCaseSensitive(a->servers, hash);
    cJSON_DeleteItemFromObjectCaseSensitive(a->tools, hash);
    cJSON_DeleteItemFromObjectCaseSensitive(a->pins, hash);
    cJSON_DeleteItemFromObjectCaseSensitive(a->definitions, hash);
    a->changed = true;
}

bool approvals_has_tool(const approvals *a, const char *hash, const char *pin) {
    const cJSON *tools = cJSON_GetObjectItemCaseSensitive(a->tools, hash);
    return cJSON_GetObjectItemCaseSensitive(tools, pin) != NULL;
}

void approvals_add_tool(approvals *a, const char *hash, const char *pin, const char *name) {
    if (approvals_has_tool(a, hash, pin)) return;
    cJSON_AddStringToObject(state_object(a->tools, hash), pin, name);
    a->changed = true;
}

const char *approvals_pin(const approvals *a, const char *hash, const char *tool) {
    const cJSON *pins = cJSON_GetObjectItemCaseSensitive(a->pins, hash);
    const cJSON *pin = cJSON_GetObjectItemCaseSensitive(pins, tool);
    return cJSON_IsString(pin) ? pin->valuestring : NULL;
}

const cJSON *approvals_definition(const approvals *a, const char *hash, const char *tool) {
    const cJSON *all = cJSON_GetObjectItemCaseSensitive(a->definitions, hash);
    return cJSON_GetObjectItemCaseSensitive(all, tool);
}

void approvals_set_pin(approvals *a, const char *hash, const char *tool, const char *pin,
                       const cJSON *definition) {
    const char *now = approvals_pin(a, hash, tool);
    if (now && strcmp(now, pin) == 0) return;
    cJSON *pins = state_object(a->pins, hash);
    cJSON_DeleteItemFromObjectCaseSensitive(pins, tool);
    cJSON_AddStringToObject(pins, tool, pin);
    cJSON *all = state_object(a->definitions, hash);
    cJSON_DeleteItemFromObjectCaseSensitive(all, tool);
    cJSON_AddItemToObject(all, tool, cJSON_Duplicate(definition, true));
    a->changed = true;
}

void approvals_save(approvals *a) {
    if (a->changed && a->path && state_write(a->path, a->root)) a->changed = false;
}
