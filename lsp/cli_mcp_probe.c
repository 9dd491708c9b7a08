/* SPDX-License-Identifier: Apache-2.0 */
/* Which one call tells whether a server does its work, not only whether it starts.
 *
 * Servers that are widely used have a tool that changes nothing, with arguments that are good
 * anywhere; it is known by its name and by the arguments that it wants, because names of servers
 * are a person's choice.  Of all others the tool is taken that mcp_run_harmless finds. */
#include "lsp/cli_mcp.h"

static const struct {
    const char *tool, *arguments;
} PROBES[] = {
    {"read_graph", "{}"},
    {"list_allowed_directories", "{}"},
    {"sequentialthinking", "{\"thought\":\"probe\",\"thoughtNumber\":1,\"totalThoughts\":1,"
                           "\"nextThoughtNeeded\":false}"},
    {"search_repositories", "{\"query\":\"inlined\"}"},
    {"get_current_time", "{\"timezone\":\"UTC\"}"},
    {"current_time", "{\"timezone\":\"UTC\"}"},
    {"list_dir", "{\"relative_path\":\".\",\"recursive\":false}"},
    {"list_directory", "{\"path\":\".\"}"},
    {"git_status", "{\"repo_path\":\".\"}"},
    {"health_check", "{}"},
    {"info", "{}"},
};

static bool gives_all(const mcp_tool *t, const cJSON *arguments) {
    const cJSON *schema = cJSON_GetObjectItemCaseSensitive(t->definition, "inputSchema"), *name;
    cJSON_ArrayForEach(name, cJSON_GetObjectItemCaseSensitive(schema, "required")) {
        const char *text = cJSON_GetStringValue(name);
        if (!text || !cJSON_GetObjectItemCaseSensitive(arguments, text)) return false;
    }
    return true;
}

const char *mcp_run_probe(mcp_run *r, const char *server, cJSON **arguments) {
    for (size_t i = 0; i < COUNTOF(PROBES); i++) {
        const mcp_tool *t = mcp_tool_find(r->host, server, PROBES[i].tool);
        if (!t || (t->annotated && !t->read_only)) continue; /* another one of that name */
        *arguments = cJSON_Parse(PROBES[i].arguments);
        if (gives_all(t, *arguments)) return t->name;
        cJSON_Delete(*arguments);
    }
    *arguments = NULL;
    const mcp_tool *t = mcp_run_harmless(r, server);
    return t ? t->name : NULL;
}
