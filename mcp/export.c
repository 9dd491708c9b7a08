/* SPDX-License-Identifier: Apache-2.0 */
/* Each server becomes one JSON object in its product's words; Codex's are then written as TOML.
 * What a product cannot say becomes a note.  Owns the inputs and the notes of an exporter.
 * Thread: any. */
#include "mcp/export.h"

#include <stdarg.h>

#include "engine/base/limits.h"
#include "engine/base/mem.h"

#define OWN_NAME "inlined"

static const struct {
    const char *name, *wrapper;
} FORMATS[] = {
    [EXPORT_CLAUDE] = {"claude", "mcpServers"}, [EXPORT_CODEX] = {"codex", "mcp_servers"},
    [EXPORT_CURSOR] = {"cursor", "mcpServers"}, [EXPORT_VSCODE] = {"vscode", "servers"},
    [EXPORT_WARP] = {"warp", "mcpServers"},     [EXPORT_ZED] = {"zed", "context_servers"},
};

status exporter_init(exporter *x, const char *format, const char *workspace, const char *home,
                     err *e) {
    for (size_t i = 0; i < COUNTOF(FORMATS); i++) {
        if (strcmp(FORMATS[i].name, format) != 0) continue;
        *x = (exporter){.format = (export_format)i, .workspace = workspace, .home = home};
        x->inputs = cJSON_CreateArray();
        strbuf_init(&x->notes, 1u << 16);
        return OK;
    }
    return err_set(e, ERR_USAGE, "no format \"%.40s\": claude, codex, cursor, vscode, warp or zed",
                   format);
}

void exporter_deinit(exporter *x) {
    cJSON_Delete(x->inputs);
    strbuf_deinit(&x->notes);
}

static void note(exporter *x, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void note(exporter *x, const char *fmt, ...) {
    char line[400];
    va_list args;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    if (str_find(strbuf_str(&x->notes), str_of(line)) < 0) strbuf_addf(&x->notes, "%s\n", line);
}

/* ---- variables ------------------------------------------------------------------------------- */

static void keep_input(exporter *x, strbuf *out, const char *id) {
    const char *env = x->format == EXPORT_CURSOR ? "env:" : "";
    if (x->format != EXPORT_VSCODE) {
        strbuf_addf(out, "${%sINLINED_INPUT_%s}", env, id);
        note(x, "the input %.80s becomes the variable INLINED_INPUT_%.80s: set it", id, id);
        return;
    }
    strbuf_addf(out, "${input:%s}", id);
    const cJSON *i;
    cJSON_ArrayForEach(i,
                       x->inputs) if (strcmp(cJSON_GetObjectItemCaseSensitive(i, "id")->valuestring,
                                             id) == 0) return;
    cJSON *input = cJSON_CreateObject();
    cJSON_AddStringToObject(input, "type", "promptString");
    cJSON_AddStringToObject(input, "id", id);
    cJSON_AddStringToObject(input, "description", id);
    cJSON_AddTrueToObject(input, "password");
    cJSON_AddItemToArray(x->inputs, input);
}

void exporter_keep(void *ud, strbuf *out, mcp_variable kind, const char *name,
                   const char *otherwise) {
    exporter *x = ud;
    bool editor = x->format == EXPORT_VSCODE || x->format == EXPORT_CURSOR;
    bool home = x->format == EXPORT_CLAUDE || x->format == EXPORT_WARP;
    switch (kind) {
    case MCP_VARIABLE_INPUT: keep_input(x, out, name); return;
    case MCP_VARIABLE_WORKSPACE:
        strbuf_addf(out, "%s", editor ? "${workspaceFolder}" : x->workspace ? x->workspace : ".");
        return;
    case MCP_VARIABLE_HOME:
        strbuf_addf(out, "%s", editor ? "${userHome}" : home ? "${HOME}" : x->home ? x->home : "~");
        return;
    case MCP_VARIABLE_ENVIRONMENT: break;
    }
    if (otherwise && x->format == EXPORT_CLAUDE) {
        strbuf_addf(out, "${%s:-%s}", name, otherwise);
        return;
    }
    strbuf_addf(out, editor ? "${env:%s}" : "${%s}", name);
    if (otherwise) note(x, "%s knows no defaults: set %.80s", FORMATS[x->format].name, name);
}

/* The name when `value` is one variable and nothing else, behind `before`; else NULL (arena). */
static char *only_variable(const char *value, const char *before, arena *memory) {
    str v = str_of(value);
    if (!str_starts_with(v, str_of(before))) return NULL;
    v = str_sub(v, strlen(before), v.len);
    bool whole = str_starts_with(v, STR("${")) && str_ends_with(v, STR("}")) &&
                 str_find(v, STR("}")) == (ptrdiff_t)v.len - 1;
    return whole ? arena_printf(memory, "%.*s", (int)v.len - 3, v.ptr + 2) : NULL;
}

/* A product without variables gets the text as it is. */
static void check_literal(exporter *x, const char *server, const char *text) {
    bool none = x->format == EXPORT_ZED || x->format == EXPORT_CODEX;
    if (none && strstr(text, "${"))
        note(x, "server %.80s: %s expands no variables there; write the value of %.80s", server,
             FORMATS[x->format].name, strstr(text, "${"));
}

/* ---- one server ------------------------------------------------------------------------------ */

static void add_list(cJSON *object, const char *name, const mcp_texts *texts) {
    if (!texts->count) return;
    cJSON *list = cJSON_AddArrayToObject(object, name);
    for (size_t i = 0; i < texts->count; i++)
        cJSON_AddItemToArray(list, cJSON_CreateString(texts->at[i]));
}

static void add_text(cJSON *object, const char *name, const char *text) {
    if (text) cJSON_AddStringToObject(object, name, text);
}

static void add_number(cJSON *object, const char *name, double value) {
    if (value > 0) cJSON_AddNumberToObject(object, name, value);
}

static cJSON *oauth_of(const mcp_oauth *o) {
    static const char *const grants[] = {NULL, "client_credentials", "jwt-bearer",
                                         "token-exchange"};
    if (o->off) return cJSON_CreateFalse();
    cJSON *x = cJSON_CreateObject(), *idp = cJSON_CreateObject();
    add_text(x, "clientId", o->client_id);
    add_text(x, "clientSecret", o->client_secret);
    add_text(x, "clientMetadataUrl", o->client_document);
    add_text(x, "issuer", o->issuer);
    add_text(x, "scope", o->scope);
    add_text(x, "privateKey", o->key);
    add_text(x, "assertion", o->assertion);
    add_text(x, "assertionFile", o->assertion_file);
    add_text(x, "grant", grants[o->grant]);
    add_number(x, "callbackPort", o->port);
    add_text(idp, "tokenUrl", o->idp_token_url);
    add_text(idp, "clientId", o->idp_client_id);
    add_text(idp, "idToken", o->idp_token);
    if (idp->child)
        cJSON_AddItemToObject(x, "idp", idp);
    else
        cJSON_Delete(idp);
    return x;
}

/* What only we read. */
static cJSON *extras_of(const mcp_definition *d) {
    cJSON *x = cJSON_CreateObject(), *oauth = oauth_of(&d->oauth);
    add_list(x, "allow", &d->allow);
    add_list(x, "ask", &d->ask);
    add_list(x, "deny", &d->deny);
    add_list(x, "env_passthrough", &d->env_passthrough);
    add_number(x, "startTimeoutMs", d->start_ms);
    add_number(x, "idleTimeoutMs", d->idle_ms);
    add_number(x, "timeoutMs", d->total_ms);
    add_number(x, "pingAfterMs", d->ping_after_ms);
    add_number(x, "maxConcurrency", d->concurrency);
    add_number(x, "maxOutputBytes", (double)d->output_bytes);
    if (d->idle_stop_ms)
        cJSON_AddNumberToObject(x, "idleStopMs",
                                d->idle_stop_ms == UINT32_MAX ? 0 : (double)d->idle_stop_ms);
    if (d->eager) cJSON_AddFalseToObject(x, "lazy");
    if (d->trusted) cJSON_AddTrueToObject(x, "trust");
    if (d->roots) cJSON_AddTrueToObject(x, "roots");
    if (d->sampling) cJSON_AddTrueToObject(x, "sampling");
    if (d->era != MCP_ERA_AUTO) add_text(x, "era", d->era == MCP_ERA_LEGACY ? "legacy" : "modern");
    cJSON *cache = d->cache.count ? cJSON_AddObjectToObject(x, "cache") : NULL;
    for (size_t i = 0; i < d->cache.count; i++)
        cJSON_AddStringToObject(cache, d->cache.at[i].name, d->cache.at[i].value);
    if (cJSON_IsFalse(oauth) || oauth->child)
        cJSON_AddItemToObject(x, "oauth", oauth);
    else
        cJSON_Delete(oauth);
    return x;
}

/* Environment and headers; Codex names variables instead of writing them. */
static void add_pairs(exporter *x, cJSON *entry, const mcp_definition *d, bool headers) {
    const mcp_pairs *pairs = headers ? &d->headers : &d->env;
    bool codex = x->format == EXPORT_CODEX;
    arena memory;
    arena_init(&memory);
    cJSON *written = cJSON_CreateObject(), *named = cJSON_CreateObject();
    cJSON *passed = cJSON_CreateArray();
    if (codex && !headers)
        for (size_t i = 0; i < d->env_passthrough.count; i++)
            cJSON_AddItemToArray(passed, cJSON_CreateString(d->env_passthrough.at[i]));
    for (size_t i = 0; i < pairs->count; i++) {
        const char *name = pairs->at[i].name, *value = pairs->at[i].value;
        const char *all = only_variable(value, "", &memory);
        const char *bearer = only_variable(value, "Bearer ", &memory);
        bool same = all && strcmp(all, name) == 0;
        if (codex && headers && bearer && strcmp(name, "Authorization") == 0)
            cJSON_AddStringToObject(entry, "bearer_token_env_var", bearer);
        else if (codex && headers && all)
            cJSON_AddStringToObject(named, name, all);
        else if (codex && same)
            cJSON_AddItemToArray(passed, cJSON_CreateString(name));
        else if (x->format == EXPORT_ZED && same)
            note(x, "server %.80s takes %.80s from the environment that zed is started with",
                 d->name, name);
        else
            cJSON_AddStringToObject(written, name, value);
    }
    const cJSON *m;
    cJSON_ArrayForEach(m, written) check_literal(x, d->name, m->valuestring);
    struct {
        const char *name;
        cJSON *value;
    } members[] = {{"env_vars", passed},
                   {headers ? codex ? "http_headers" : "headers" : "env", written},
                   {"env_http_headers", named}};
    for (size_t i = 0; i < COUNTOF(members); i++) {
        if (members[i].value->child)
            cJSON_AddItemToObject(entry, members[i].name, members[i].value);
        else
            cJSON_Delete(members[i].value);
    }
    arena_deinit(&memory);
}

static void add_codex_rules(cJSON *entry, const mcp_definition *d) {
    add_number(entry, "startup_timeout_sec", d->start_ms / 1000.0);
    add_number(entry, "tool_timeout_sec", d->total_ms / 1000.0);
    add_list(entry, "enabled_tools", &d->included);
    add_list(entry, "disabled_tools", &d->deny);
    if (d->disabled) cJSON_AddFalseToObject(entry, "enabled");
}

static void add_rules(exporter *x, cJSON *entry, const mcp_definition *d) {
    if (x->format == EXPORT_CODEX) {
        add_codex_rules(entry, d);
        return;
    }
    add_list(entry, "includeTools", &d->included);
    if (d->disabled) cJSON_AddTrueToObject(entry, "disabled");
    cJSON *extras = extras_of(d);
    if (extras->child)
        cJSON_AddItemToObject(entry, "x-host", extras);
    else
        cJSON_Delete(extras);
}

static cJSON *entry_of(exporter *x, const mcp_definition *d) {
    cJSON *entry = cJSON_CreateObject();
    bool vscode = x->format == EXPORT_VSCODE, stdio = d->transport == MCP_STDIO;
    bool typed = vscode || (x->format == EXPORT_CLAUDE && !stdio);
    if (typed) add_text(entry, "type", stdio ? "stdio" : d->transport == MCP_SSE ? "sse" : "http");
    if (stdio) {
        add_text(entry, "command", d->command);
        add_list(entry, "args", &d->args);
        add_text(entry, x->format == EXPORT_WARP ? "working_directory" : "cwd", d->cwd);
        add_text(entry, "envFile", d->env_file);
        check_literal(x, d->name, d->command ? d->command : "");
        for (size_t i = 0; i < d->args.count; i++)
            check_literal(x, d->name, d->args.at[i]);
    } else {
        add_text(entry, "url", d->url);
        check_literal(x, d->name, d->url ? d->url : "");
        if (d->transport == MCP_SSE && !typed)
            note(x, "server %.80s speaks the old HTTP+SSE, which this format cannot say", d->name);
    }
    add_pairs(x, entry, d, !stdio);
    add_rules(x, entry, d);
    return entry;
}

/* ---- TOML ------------------------------------------------------------------------------------ */

static void toml_text(strbuf *out, const char *text) {
    strbuf_add_char(out, '"');
    for (; *text; text++) {
        uint8_t c = (uint8_t)*text;
        if (c == '"' || c == '\\')
            strbuf_addf(out, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            strbuf_addf(out, "\\u%04X", c);
        else
            strbuf_add_char(out, (char)c);
    }
    strbuf_add_char(out, '"');
}

static void toml_key(strbuf *out, const char *key) {
    bool bare = *key && strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                    "_-") == strlen(key);
    if (bare)
        strbuf_addf(out, "%s", key);
    else
        toml_text(out, key);
}

static void toml_value(strbuf *out, const cJSON *v) {
    const cJSON *m;
    if (cJSON_IsString(v)) {
        toml_text(out, v->valuestring);
    } else if (cJSON_IsNumber(v)) {
        strbuf_addf(out, "%.15g", v->valuedouble);
    } else if (cJSON_IsBool(v)) {
        strbuf_addf(out, cJSON_IsTrue(v) ? "true" : "false");
    } else {
        strbuf_add_char(out, '[');
        cJSON_ArrayForEach(m, v) {
            if (m != v->child) strbuf_addf(out, ", ");
            toml_value(out, m);
        }
        strbuf_add_char(out, ']');
    }
}

static void toml_table(strbuf *out, const char *above, const cJSON *table) {
    strbuf name;
    strbuf_init(&name, 1u << 16);
    strbuf_addf(&name, "%s.", above);
    toml_key(&name, table->string);
    const cJSON *m;
    strbuf_addf(out, "%s[%s]\n", out->len ? "\n" : "", name.ptr);
    cJSON_ArrayForEach(m, table) {
        if (cJSON_IsObject(m)) continue;
        toml_key(out, m->string);
        strbuf_addf(out, " = ");
        toml_value(out, m);
        strbuf_add_char(out, '\n');
    }
    cJSON_ArrayForEach(m, table) if (cJSON_IsObject(m)) toml_table(out, name.ptr, m);
    strbuf_deinit(&name);
}

/* ---- the file -------------------------------------------------------------------------------- */

static bool is_wanted(const char *name, const char *const *names, size_t n) {
    bool found = n == 0;
    for (size_t i = 0; i < n; i++)
        found = found || strcmp(names[i], name) == 0;
    return found;
}

/* Our own tools, for the other product. */
static cJSON *own_entry(exporter *x, const char *self) {
    mcp_definition *d = mcp_definition_new(OWN_NAME);
    d->command = self;
    vec_push(&d->args, "mcp");
    vec_push(&d->args, "serve");
    cJSON *entry = entry_of(x, d);
    mcp_definition_free(d);
    return entry;
}

void exporter_write(exporter *x, const mcp_config *c, const char *self, const char *const *names,
                    size_t n, strbuf *out) {
    cJSON *root = cJSON_CreateObject();
    if (x->format == EXPORT_VSCODE && x->inputs->child)
        cJSON_AddItemToObject(root, "inputs", cJSON_Duplicate(x->inputs, true));
    cJSON *servers = cJSON_AddObjectToObject(root, FORMATS[x->format].wrapper), *m;
    if (self && is_wanted(OWN_NAME, names, n) && !mcp_config_find(c, OWN_NAME))
        cJSON_AddItemToObject(servers, OWN_NAME, own_entry(x, self));
    for (size_t i = 0; i < c->servers.count; i++) {
        const mcp_definition *d = c->servers.at[i];
        if (!is_wanted(d->name, names, n)) continue;
        if (d->problem)
            note(x, "server %.80s is left out: %.200s", d->name, d->problem);
        else if (d->transport != MCP_BUILT_IN)
            cJSON_AddItemToObject(servers, d->name, entry_of(x, d));
        else if (self)
            cJSON_AddItemToObject(servers, d->name, own_entry(x, self));
    }
    if (x->format == EXPORT_CODEX) {
        cJSON_ArrayForEach(m, servers) toml_table(out, FORMATS[x->format].wrapper, m);
    } else {
        char *text = cJSON_Print(root);
        strbuf_addf(out, "%s\n", text);
        cJSON_free(text);
    }
    cJSON_Delete(root);
}
