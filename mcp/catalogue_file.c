/* SPDX-License-Identifier: Apache-2.0 */
/* One JSON file per server: the members of its lists as it sent them.  What cannot be read counts
 * as missing; what it says is as little trusted as the server itself.  No state.  Thread: loop. */
#include "mcp/catalogue_file.h"

#include <time.h>

#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "mcp/state_file.h"

static char *path_of(const char *folder, const char *hash) {
    char name[100];
    snprintf(name, sizeof name, "catalogues/%.64s.json", hash);
    return state_path(folder, name);
}

static char *text_in(const cJSON *root, const char *name) {
    const cJSON *m = cJSON_GetObjectItemCaseSensitive(root, name);
    return cJSON_IsString(m) && *m->valuestring ? xstrdup(m->valuestring) : NULL;
}

static bool is_young(const cJSON *root) {
    const cJSON *saved = cJSON_GetObjectItemCaseSensitive(root, "saved");
    double age = cJSON_IsNumber(saved) ? (double)time(NULL) - saved->valuedouble : -1;
    return age >= -60 && age < LIMIT_MCP_CATALOGUE_S;
}

bool catalogue_file_read(const char *folder, const char *hash, catalogue_list *lists,
                         catalogue_facts *facts) {
    char *path = path_of(folder, hash);
    if (!path) return false;
    cJSON *root = state_read(path);
    bool good = is_young(root);
    strbuf notes;
    strbuf_init(&notes, 4096);
    for (int k = 0; k < LIST_COUNT && good; k++) {
        const cJSON *bytes = cJSON_GetObjectItemCaseSensitive(root, list_method((list_kind)k));
        if (!cJSON_IsNumber(bytes)) continue; /* it was not offered */
        good = catalogue_add(&lists[k], (list_kind)k, root, &notes, NULL) == OK;
        if (good && bytes->valuedouble >= 0 && bytes->valuedouble < LIMIT_MCP_LINE_BYTES)
            lists[k].bytes = (size_t)bytes->valuedouble;
    }
    if (good) {
        char *protocol = text_in(root, "protocol");
        *facts = (catalogue_facts){
            .name = text_in(root, "name"),
            .version = text_in(root, "version"),
            .instructions = text_in(root, "instructions"),
            .modern = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(root, "modern"))};
        snprintf(facts->protocol, sizeof facts->protocol, "%.15s", protocol ? protocol : "");
        xfree(protocol);
    }
    strbuf_deinit(&notes);
    cJSON_Delete(root);
    xfree(path);
    return good;
}

static void add_text(cJSON *root, const char *name, const char *text) {
    if (text && *text) cJSON_AddStringToObject(root, name, text);
}

void catalogue_file_write(const char *folder, const char *hash, const catalogue_list *const *lists,
                          const catalogue_facts *facts) {
    char *path = path_of(folder, hash);
    if (!path) return;
    cJSON *root = cJSON_CreateObject();
    size_t bytes = 0;
    cJSON_AddNumberToObject(root, "saved", (double)time(NULL));
    add_text(root, "name", facts->name);
    add_text(root, "version", facts->version);
    add_text(root, "instructions", facts->instructions);
    add_text(root, "protocol", facts->protocol);
    if (facts->modern) cJSON_AddTrueToObject(root, "modern");
    for (int k = 0; k < LIST_COUNT; k++) {
        bytes += lists[k]->bytes;
        if (!lists[k]->definitions.count) continue;
        cJSON_AddNumberToObject(root, list_method((list_kind)k), (double)lists[k]->bytes);
        cJSON *items = cJSON_AddArrayToObject(root, list_member((list_kind)k));
        for (size_t i = 0; i < lists[k]->definitions.count; i++)
            cJSON_AddItemToArray(items, cJSON_Duplicate(lists[k]->definitions.at[i], true));
    }
    if (bytes < LIMIT_MCP_CONFIG_BYTES / 2) (void)state_write(path, root); /* told if it failed */
    cJSON_Delete(root);
    xfree(path);
}
