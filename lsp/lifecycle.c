/* SPDX-License-Identifier: Apache-2.0 */
/* initialize, initialized, shutdown, exit, and the client's settings and folders.
 *
 * initialize is answered at once: nothing in it depends on a model.  The model is loaded when the
 * settings are known, because they name it: after the client's answer to workspace/configuration,
 * or at `initialized` from a client that cannot be asked.
 * Settings are layers: program defaults, --config, initializationOptions, the client's section.
 * A changed layer is laid again over the ones below it.  Thread: loop. */
#include <cjson/cJSON.h>

#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "lsp/position.h"
#include "lsp/server.h"
#include "lsp/tools.h"

#define ANSWER_MS 10000.0 /* how long a client may take to answer our requests */

/* ---- settings -------------------------------------------------------------------------------- */

static void complain(void *ud, const char *sentence) {
    server *s = ud;
    log_warn("settings", "%s", sentence);
    server_tell_user(s, MESSAGE_WARNING, sentence);
}

/* Clients put things of their own into initializationOptions: no box on the screen for those. */
static void complain_quietly(void *ud, const char *sentence) {
    log_warn("settings", "initializationOptions: %s", sentence);
    server_tell_user(ud, MESSAGE_LOG, sentence);
}

/* Clients send the section itself, or (didChangeConfiguration, old style) the section by name. */
static const cJSON *section_of(const cJSON *json) {
    const cJSON *named = protocol_get(json, "inlined");
    return named ? named : json;
}

/* The menu can come and go with its setting where the client takes registrations; elsewhere it is
 * announced (or not) by the answer to initialize. */
static void register_menu(server *s) {
    if (!s->menu_dynamic || s->menu_registered == s->settings.completion.menu) return;
    s->menu_registered = s->settings.completion.menu;
    rpc_request(s->rpc,
                s->menu_registered ? "client/registerCapability" : "client/unregisterCapability",
                s->menu_registered ? protocol_register_menu() : protocol_unregister_menu(),
                clock_ms() + ANSWER_MS, NULL, NULL);
}

/* MCP servers work in the first folder. */
static void use_tools(server *s) {
    if (s->options.tools)
        tools_configure(s->options.tools, s->roots.count ? s->roots.at[0] : "",
                        s->settings.enable && s->settings.mcp.enable, s->settings.mcp.built_in,
                        &s->settings.mcp.built_in_tools);
}

/* The settings are what they will be, until they change. */
static void settle(server *s) {
    use_tools(s);
    s->settings_known = true;
    (void)server_want_model(s, ROLE_COMPLETION);
    server_tell_status(s);
}

static void use_settings(server *s, const cJSON *section) {
    s->settings = s->initial;
    settings_apply(&s->settings, section_of(section), complain, s);
    inline_completion_settings_changed(s);
    register_menu(s);
    workspace_update(s);
    settle(s);
}

static void on_configuration(void *ud, const rpc_answer *a) {
    server *s = ud;
    if (s->state != SERVER_RUNNING) return;
    if (a->status) log_info("settings", "the client gave none why=\"%s\"", a->message);
    use_settings(s, a->status ? NULL : cJSON_GetArrayItem(a->result, 0));
}

static void pull_settings(server *s) {
    rpc_request(s->rpc, "workspace/configuration", protocol_configuration_params(),
                clock_ms() + ANSWER_MS, on_configuration, s);
}

void lifecycle_configuration_changed(server *s, const cJSON *params) {
    if (s->configuration)
        pull_settings(s); /* what came along is only a hint then, often null */
    else
        use_settings(s, protocol_get(params, "settings"));
}

/* ---- folders --------------------------------------------------------------------------------- */

static void root_add(void *ud, str uri) {
    server *s = ud;
    if (s->roots.count >= LIMIT_WORKSPACE_FOLDERS) return;
    arena a;
    arena_init(&a);
    str path = uri_path(uri, &a);
    vec_push(&s->roots, xstrndup(path.ptr ? path.ptr : "", path.len));
    arena_deinit(&a);
}

static void root_remove(void *ud, str uri) {
    server *s = ud;
    arena a;
    arena_init(&a);
    str path = uri_path(uri, &a);
    for (size_t i = s->roots.count; i-- > 0;) {
        if (!str_eq(str_of(s->roots.at[i]), path)) continue;
        xfree(s->roots.at[i]);
        vec_remove(&s->roots, i);
    }
    arena_deinit(&a);
}

void lifecycle_folders_changed(server *s, const cJSON *params) {
    const cJSON *event = protocol_get(params, "event");
    protocol_each_folder(protocol_get(event, "removed"), root_remove, s);
    protocol_each_folder(protocol_get(event, "added"), root_add, s);
    workspace_update(s);
    use_tools(s);
}

/* ---- life ------------------------------------------------------------------------------------ */

void lifecycle_initialize(server *s, const cJSON *params, reply *r) {
    lsp_initialize in;
    err e = {{0}};
    status st = s->state == SERVER_NEW ? protocol_read_initialize(params, &in, &e)
                                       : err_set(&e, ERR_USAGE, "initialize came twice");
    if (st) {
        if (s->state == SERVER_NEW)
            reply_status(r, st, &e);
        else
            reply_error(r, RPC_INVALID_REQUEST, e.text);
        return;
    }
    s->encoding = in.encoding;
    s->inline_dynamic = in.inline_dynamic;
    s->configuration = in.configuration;
    s->configuration_dynamic = in.configuration_dynamic;
    s->watch_dynamic = in.watch_dynamic;
    protocol_read_features(protocol_get(params, "capabilities"), &s->features);
    work_progress_init(&s->progress, in.progress ? s->rpc : NULL, "load");
    work_progress_init(&s->starting, in.progress ? s->rpc : NULL, "server");
    const cJSON *folders = protocol_get(params, "workspaceFolders");
    protocol_each_folder(folders, root_add, s);
    if (!s->roots.count && in.root_uri.len) root_add(s, in.root_uri);
    s->state = SERVER_RUNNING;
    log_info("lsp", "client name=\"%.*s\" version=\"%.*s\" encoding=%s",
             (int)MIN(in.client_name.len, 60), in.client_name.ptr,
             (int)MIN(in.client_version.len, 60), in.client_version.ptr,
             position_encoding_name(in.encoding));
    settings_apply(&s->initial, section_of(in.options), complain_quietly, s);
    s->settings = s->initial;
    s->menu_dynamic = in.menu_dynamic;
    s->copilot_client = protocol_get(in.options, "editorPluginInfo") != NULL;
    reply_result(r, protocol_initialize_result(
                        &(lsp_offer){.encoding = in.encoding,
                                     .notebooks = in.notebooks,
                                     .action_literals = s->features.literals,
                                     .pull = s->features.pull,
                                     .text_content = s->features.text_content,
                                     .inline_completion = !in.inline_dynamic,
                                     .menu = !in.menu_dynamic && s->initial.completion.menu}));
    workspace_update(s);
    if (in.process_id > 0 && s->host.watch) s->host.watch(s->host.ud, in.process_id);
}

void lifecycle_initialized(server *s, const cJSON *params) {
    UNUSED(params);
    if (s->inline_dynamic)
        rpc_request(s->rpc, "client/registerCapability", protocol_register_inline(),
                    clock_ms() + ANSWER_MS, NULL, NULL);
    workspace_register(s);
    if (s->configuration_dynamic)
        rpc_request(s->rpc, "client/registerCapability", protocol_register_configuration(),
                    clock_ms() + ANSWER_MS, NULL, NULL);
    if (s->configuration) {
        pull_settings(s);
        return;
    }
    register_menu(s);
    settle(s);
}

void lifecycle_shutdown(server *s, const cJSON *params, reply *r) {
    UNUSED(params);
    inline_completion_drop_all(s);
    works_end_all(s, "the server shuts down");
    hover_stop(s);
    s->state = SERVER_SHUT;
    reply_result(r, NULL);
}

void lifecycle_exit(server *s, const cJSON *params) {
    UNUSED(params);
    int code = s->state == SERVER_SHUT ? 0 : 1;
    s->state = SERVER_EXITED;
    rpc_stop(s->rpc);
    s->host.exited(s->host.ud, code);
}
