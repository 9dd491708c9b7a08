/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration files: which product's it is, its entries, and what is odd about them.
 *
 * All JSON formats have the same shape (an object or a list of servers under some key) and differ
 * in names of members, in the unit of time-outs and in the dialect of variables; FORMATS and the
 * readers' lists of names say how.  What cannot be used becomes the definition's `problem`, so that
 * a person sees the server and why it does not run.  Pure but for mcp_config_read_file.  Thread:
 * any. */
#include "mcp/config.h"

#include <stdarg.h>

#include "engine/base/file.h"
#include "engine/base/limits.h"
#include "mcp/expand.h"
#include "mcp/jsonc.h"

typedef struct {
    const char *wrapper, *inner; /* member that holds the servers; inner: below it, or NULL */
    bool list;                   /* an array of servers that have an `id` */
    const char *product;         /* when the source does not say */
    expand_dialect dialect;
    double timeout_ms; /* unit of `timeout` */
} format;

static const format FORMATS[] = {
    {"mcpServers", NULL, false, "mcp", EXPAND_OURS, 1},
    {"mcp_servers", NULL, false, "codex", EXPAND_NONE, 1000},
    {"context_servers", NULL, false, "zed", EXPAND_NONE, 1000},
    {"servers", NULL, true, "mistralrs", EXPAND_NONE, 1000},
    {"servers", NULL, false, "vscode", EXPAND_VSCODE, 1},
    {"mcp", "servers", false, "vscode", EXPAND_VSCODE, 1},
    {"extensions", NULL, false, "goose", EXPAND_NONE, 1000},
};

static const struct {
    const char *product;
    expand_dialect dialect;
} DIALECTS[] = {
    {"claude", EXPAND_CLAUDE}, {"cursor", EXPAND_VSCODE}, {"gemini", EXPAND_GEMINI},
    {"vscode", EXPAND_VSCODE}, {"warp", EXPAND_WARP},     {"windsurf", EXPAND_VSCODE},
};

/* Packages that were renamed or given up, and what stands in. */
static const struct {
    const char *word, *advice;
} ADVICE[] = {
    {"@modelcontextprotocol/server-time",
     "is deprecated and no longer published; use mcp-time (github.com/TheoBrigitte/mcp-time, npm "
     "mcp-time-linux-x64) or mcp-server-time (PyPI)"},
    {"@theo.foobar/mcp-time",
     "is not published; use mcp-time (npm mcp-time-linux-x64) or mcp-server-time (PyPI)"},
    {"@modelcontextprotocol/server-fetch",
     "is not published; use mcp-server-fetch (PyPI: uvx mcp-server-fetch)"},
    {"@modelcontextprotocol/server-github", "is archived; use github/github-mcp-server"},
};

/* One reading of one file. */
typedef struct {
    mcp_config *config;
    const mcp_source *from;
    const format *format;
    expand_dialect dialect;
    str text;
    mcp_definition *d;  /* the entry in hand */
    const char *name;   /* its key */
    const char *within; /* the member of the entry whose members are being read, or NULL */
} reader;

/* ---- notes ----------------------------------------------------------------------------------- */

static void note_at(mcp_config *c, const mcp_source *from, bool error, const int place[2],
                    const char *sentence) {
    if (c->notes.count >= LIMIT_MCP_NOTES) return;
    mcp_note n = {.error = error, .line = place[0], .column = place[1]};
    n.file = arena_str(&c->memory, str_of(from->file ? from->file : "")).ptr;
    snprintf(n.text, sizeof n.text, "%s", sentence);
    vec_push(&c->notes, n);
}

/* About the entry in hand, at its member `key` (NULL: at its name). */
static void note(reader *r, bool error, const char *key, const char *fmt, ...) PRINTF_LIKE(4, 5);
static void note(reader *r, bool error, const char *key, const char *fmt, ...) {
    char text[384];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    const char *path[5];
    size_t n = 0;
    if (r->format->wrapper) path[n++] = r->format->wrapper;
    if (r->format->inner) path[n++] = r->format->inner;
    if (r->name) path[n++] = r->name;
    if (r->within) path[n++] = r->within;
    if (key) path[n++] = key;
    int place[2];
    text_place(r->text, jsonc_find(r->text, path, n), &place[0], &place[1]);
    note_at(r->config, r->from, error, place, text);
}

static void problem(reader *r, const char *key, const char *sentence) {
    if (r->d->problem) return;
    r->d->problem = arena_printf(&r->d->memory, "%s", sentence);
    note(r, true, key, "server %.80s cannot start: %.250s", r->d->name, sentence);
}

/* ---- values ---------------------------------------------------------------------------------- */

static const cJSON *member(const cJSON *object, const char *name) {
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

/* The first of these members that is there; `names` ends with NULL. */
static const cJSON *first_of(const cJSON *object, const char *const *names) {
    for (; *names; names++) {
        const cJSON *m = member(object, *names);
        if (m && !cJSON_IsNull(m)) return m;
    }
    return NULL;
}

/* The expanded text of a member; NULL when it is no text, or a variable is missing. */
static const char *text_value(reader *r, const cJSON *m) {
    if (cJSON_IsBool(m)) return cJSON_IsTrue(m) ? "true" : "false";
    if (cJSON_IsNumber(m)) return arena_printf(&r->d->memory, "%.15g", m->valuedouble);
    if (!cJSON_IsString(m)) return NULL;
    strbuf out;
    strbuf_init(&out, LIMIT_MCP_CONFIG_BYTES);
    err e;
    const char *result = NULL;
    if (expand_text(&out, str_of(m->valuestring), r->dialect, r->from, &e) == OK)
        result = arena_str(&r->d->memory, strbuf_str(&out)).ptr;
    else
        problem(r, m->string, e.text);
    strbuf_deinit(&out);
    return result ? result : "";
}

static void read_texts(reader *r, const cJSON *list, mcp_texts *out) {
    const cJSON *m;
    r->within = list ? list->string : NULL;
    cJSON_ArrayForEach(m, list) {
        const char *text = text_value(r, m);
        if (text) vec_push(out, text);
    }
    r->within = NULL;
}

static void read_pairs(reader *r, const cJSON *object, mcp_pairs *out) {
    const cJSON *m;
    if (!cJSON_IsObject(object)) return;
    r->within = object->string;
    cJSON_ArrayForEach(m, object) {
        const char *value = text_value(r, m);
        if (!value || !m->string[0] || strpbrk(m->string, "=\r\n")) continue;
        const char *name = arena_str(&r->d->memory, str_of(m->string)).ptr;
        vec_push(out, ((mcp_pair){name, value}));
    }
    r->within = NULL;
}

static void read_ms(reader *r, const cJSON *m, double unit, uint32_t *out) {
    if (!m || cJSON_IsNull(m)) return;
    double ms = cJSON_IsNumber(m) ? m->valuedouble * unit : -1;
    if (ms >= 1 && ms <= 86400000)
        *out = (uint32_t)ms;
    else
        note(r, false, m->string, "%.60s is not a time; the default is taken",
             m->string ? m->string : "a time-out");
}

/* ---- one entry ------------------------------------------------------------------------------- */

static void read_host_numbers(reader *r, const cJSON *x) {
    mcp_definition *d = r->d;
    read_ms(r, member(x, "startTimeoutMs"), 1, &d->start_ms);
    read_ms(r, member(x, "idleTimeoutMs"), 1, &d->idle_ms);
    read_ms(r, member(x, "timeoutMs"), 1, &d->total_ms);
    const cJSON *m = member(x, "idleStopMs");
    if (cJSON_IsNumber(m) && m->valuedouble <= 0)
        d->idle_stop_ms = UINT32_MAX;
    else
        read_ms(r, m, 1, &d->idle_stop_ms);
    m = member(x, "maxConcurrency");
    if (cJSON_IsNumber(m) && m->valuedouble >= 1) d->concurrency = (uint32_t)MIN(m->valueint, 64);
    m = member(x, "maxOutputBytes");
    if (cJSON_IsNumber(m) && m->valuedouble >= 256)
        d->output_bytes = (size_t)MIN(m->valuedouble, (double)LIMIT_MCP_LINE_BYTES);
}

/* Our extras. */
static void read_host(reader *r, const cJSON *x) {
    static const char *const known[] = {"allow",
                                        "ask",
                                        "cache",
                                        "deny",
                                        "env_passthrough",
                                        "era",
                                        "idleStopMs",
                                        "idleTimeoutMs",
                                        "lazy",
                                        "maxConcurrency",
                                        "maxOutputBytes",
                                        "oauth",
                                        "roots",
                                        "sampling",
                                        "startTimeoutMs",
                                        "timeoutMs",
                                        "trust"};
    mcp_definition *d = r->d;
    const cJSON *m;
    cJSON_ArrayForEach(m, x) {
        size_t i = 0;
        while (i < COUNTOF(known) && strcmp(known[i], m->string) != 0)
            i++;
        if (i == COUNTOF(known)) note(r, false, "x-host", "x-host has no \"%.60s\"", m->string);
    }
    read_host_numbers(r, x);
    read_texts(r, member(x, "allow"), &d->allow);
    read_texts(r, member(x, "ask"), &d->ask);
    read_texts(r, member(x, "deny"), &d->deny);
    read_texts(r, member(x, "env_passthrough"), &d->env_passthrough);
    read_pairs(r, member(x, "cache"), &d->cache);
    d->eager = cJSON_IsFalse(member(x, "lazy"));
    d->trusted = cJSON_IsTrue(member(x, "trust"));
    d->roots = cJSON_IsTrue(member(x, "roots"));
    d->sampling = cJSON_IsTrue(member(x, "sampling"));
    const cJSON *era = member(x, "era");
    if (cJSON_IsString(era))
        d->era = strcmp(era->valuestring, "legacy") == 0   ? MCP_ERA_LEGACY
                 : strcmp(era->valuestring, "modern") == 0 ? MCP_ERA_MODERN
                                                           : MCP_ERA_AUTO;
}

static void read_process(reader *r, const cJSON *entry, const cJSON *command) {
    static const char *const cwd[] = {"cwd", "working_directory", "work_dir", NULL};
    static const char *const env[] = {"env", "envs", NULL};
    const cJSON *nested = cJSON_IsObject(command) ? command : NULL; /* older Zed */
    r->d->command = text_value(r, nested ? member(nested, "path") : command);
    read_texts(r, member(nested ? nested : entry, "args"), &r->d->args);
    read_pairs(r, first_of(nested ? nested : entry, env), &r->d->env);
    read_texts(r, member(entry, "env_vars"), &r->d->env_passthrough);
    const cJSON *folder = first_of(entry, cwd);
    if (folder) r->d->cwd = text_value(r, folder);
    if (!r->d->command || !*r->d->command) problem(r, "command", "it has no command");
}

static void add_header(reader *r, const char *name, const char *value) {
    vec_push(&r->d->headers, ((mcp_pair){name, value}));
}

/* Secrets that are named, not written: the value comes from the environment. */
static void read_named_secrets(reader *r, const cJSON *entry) {
    const cJSON *m = member(entry, "bearer_token_env_var");
    if (cJSON_IsString(m)) {
        const char *token =
            r->from->variable ? r->from->variable(r->from->ud, m->valuestring) : NULL;
        if (token)
            add_header(r, "Authorization", arena_printf(&r->d->memory, "Bearer %s", token));
        else
            problem(r, m->string,
                    arena_printf(&r->d->memory, "the environment variable %.100s is not set",
                                 m->valuestring));
    }
    cJSON_ArrayForEach(m, member(entry, "env_http_headers")) {
        const char *value = cJSON_IsString(m) && r->from->variable
                                ? r->from->variable(r->from->ud, m->valuestring)
                                : NULL;
        if (value)
            add_header(r, arena_str(&r->d->memory, str_of(m->string)).ptr,
                       arena_str(&r->d->memory, str_of(value)).ptr);
    }
    m = member(entry, "bearer_token");
    if (cJSON_IsString(m) && *m->valuestring)
        add_header(r, "Authorization", arena_printf(&r->d->memory, "Bearer %s", m->valuestring));
}

static const char *named_text(reader *r, const cJSON *object, const char *ours, const char *other) {
    const cJSON *m = member(object, ours);
    if (!m && other) m = member(object, other);
    if (!m || cJSON_IsNull(m)) return NULL;
    return text_value(r, m);
}

static void read_grant(reader *r, const cJSON *m) {
    static const struct {
        const char *name;
        mcp_grant grant;
    } grants[] = {{"authorization_code", MCP_GRANT_CODE},
                  {"client_credentials", MCP_GRANT_CLIENT},
                  {"jwt-bearer", MCP_GRANT_ASSERTION},
                  {"token-exchange", MCP_GRANT_EXCHANGE}};
    for (size_t i = 0; i < COUNTOF(grants); i++) {
        if (!cJSON_IsString(m) || strcmp(m->valuestring, grants[i].name) != 0) continue;
        r->d->oauth.grant = grants[i].grant;
        return;
    }
    problem(r, "grant",
            "oauth.grant is authorization_code, client_credentials, jwt-bearer or "
            "token-exchange");
}

/* Ours, and Claude's (clientId, callbackPort) and Cursor's (CLIENT_ID, CLIENT_SECRET). */
static void read_oauth(reader *r, const cJSON *x) {
    mcp_oauth *o = &r->d->oauth;
    o->off = cJSON_IsFalse(x);
    if (!cJSON_IsObject(x)) return;
    const cJSON *idp = member(x, "idp"), *port = member(x, "callbackPort");
    r->within = x->string;
    o->client_id = named_text(r, x, "clientId", "CLIENT_ID");
    o->client_secret = named_text(r, x, "clientSecret", "CLIENT_SECRET");
    o->client_document = named_text(r, x, "clientMetadataUrl", NULL);
    o->issuer = named_text(r, x, "issuer", NULL);
    o->scope = named_text(r, x, "scope", NULL);
    o->key = named_text(r, x, "privateKey", NULL);
    o->assertion = named_text(r, x, "assertion", NULL);
    o->assertion_file = named_text(r, x, "assertionFile", NULL);
    o->idp_token_url = named_text(r, idp, "tokenUrl", NULL);
    o->idp_client_id = named_text(r, idp, "clientId", NULL);
    o->idp_token = named_text(r, idp, "idToken", NULL);
    if (cJSON_IsNumber(port) && port->valuedouble >= 1 && port->valuedouble <= 65535)
        o->port = (uint16_t)port->valueint;
    if (member(x, "grant")) read_grant(r, member(x, "grant"));
    if (o->client_document && strncmp(o->client_document, "https://", 8) != 0)
        problem(r, "clientMetadataUrl", "oauth.clientMetadataUrl is an https address");
    r->within = NULL;
}

static void read_http(reader *r, const cJSON *entry, const cJSON *url, bool sse) {
    static const char *const headers[] = {"headers", "http_headers", NULL};
    static const char *const oauth[] = {"oauth", "auth", NULL};
    r->d->transport = sse ? MCP_SSE : MCP_HTTP;
    r->d->url = text_value(r, url);
    bool web = r->d->url &&
               (strncmp(r->d->url, "http://", 7) == 0 || strncmp(r->d->url, "https://", 8) == 0);
    if (!web) problem(r, url->string, "its url is neither http:// nor https://");
    read_pairs(r, first_of(entry, headers), &r->d->headers);
    read_named_secrets(r, entry);
    const cJSON *x = member(entry, "x-host");
    read_oauth(r, member(x, "oauth") ? member(x, "oauth") : first_of(entry, oauth));
}

static void read_rules(reader *r, const cJSON *entry) {
    static const char *const allow[] = {"includeTools", "available_tools", "enabled_tools", NULL};
    static const char *const deny[] = {"excludeTools", "disabled_tools", NULL};
    mcp_definition *d = r->d;
    read_texts(r, first_of(entry, deny), &d->deny);
    read_texts(r, first_of(entry, allow), &d->included);
    d->disabled =
        cJSON_IsTrue(member(entry, "disabled")) || cJSON_IsFalse(member(entry, "enabled"));
    read_ms(r, member(entry, "timeout"), r->format->timeout_ms, &d->total_ms);
    read_ms(r, member(entry, "startup_timeout_sec"), 1000, &d->start_ms);
    read_ms(r, member(entry, "tool_timeout_sec"), 1000, &d->total_ms);
    read_ms(r, member(entry, "timeout_secs"), 1000, &d->total_ms);
    const cJSON *x = member(entry, "x-host");
    if (cJSON_IsObject(x)) read_host(r, x);
}

static void advise(reader *r) {
    const mcp_definition *d = r->d;
    for (size_t i = 0; i < d->args.count; i++) {
        for (size_t k = 0; k < COUNTOF(ADVICE); k++) {
            str arg = str_of(d->args.at[i]), word = str_of(ADVICE[k].word);
            bool is =
                str_starts_with(arg, word) && (arg.len == word.len || arg.ptr[word.len] == '@');
            if (is) note(r, false, "args", "%s %s", ADVICE[k].word, ADVICE[k].advice);
        }
    }
    for (size_t i = 0; i < d->env.count; i++)
        if (strcmp(d->env.at[i].name, "MCP_PROTOCOL_VERSION") == 0)
            note(r, false, "env", "MCP_PROTOCOL_VERSION has no effect: the version is negotiated");
}

/* Adds the entry, unless a stronger file has one of that name. */
static void settle(reader *r) {
    mcp_config *c = r->config;
    for (size_t i = 0; i < c->servers.count; i++) {
        mcp_definition *old = c->servers.at[i];
        if (strcmp(old->name, r->d->name) != 0) continue;
        bool replace = old->scope <= r->d->scope;
        note(r, false, NULL, "server %.80s is also in %.200s; %s counts", r->d->name,
             old->file ? old->file : "another file", replace ? "this one" : "that one");
        if (replace) {
            c->servers.at[i] = r->d;
            r->d = old;
        }
        mcp_definition_free(r->d);
        return;
    }
    vec_push(&c->servers, r->d);
}

static void read_entry(reader *r, const char *name, const cJSON *entry) {
    static const char *const commands[] = {"command", "cmd", NULL};
    static const char *const urls[] = {"httpUrl", "url", "serverUrl", "uri", NULL};
    const cJSON *source = member(entry, "source"); /* mistral.rs nests it */
    const cJSON *from = cJSON_IsObject(source) ? source : entry;
    const cJSON *type = member(from, "type"), *url = first_of(from, urls);
    const char *kind = cJSON_IsString(type) ? type->valuestring : "";
    bool built_in = strcmp(kind, "builtin") == 0 || strcmp(kind, "platform") == 0;
    if (r->config->servers.count >= LIMIT_MCP_SERVERS || built_in) return;
    r->name = name;
    r->d = mcp_definition_new(name);
    r->d->scope = r->from->scope;
    r->d->file = arena_str(&r->d->memory, str_of(r->from->file ? r->from->file : "")).ptr;
    const char *path[3] = {r->format->wrapper, r->format->inner ? r->format->inner : name, name};
    size_t depth = r->format->wrapper ? r->format->inner ? 3 : 2 : 0;
    size_t at = depth ? jsonc_find(r->text, path, depth) : jsonc_find(r->text, &name, 1);
    text_place(r->text, at, &r->d->line, &r->d->column);
    const cJSON *command = first_of(from, commands);
    bool gemini_sse = r->dialect == EXPAND_GEMINI && !member(from, "httpUrl");
    if (url && !command)
        read_http(r, from, url, strcmp(kind, "sse") == 0 || gemini_sse);
    else if (command)
        read_process(r, from, command);
    else
        problem(r, NULL, "it has neither a command nor a url");
    read_rules(r, entry);
    advise(r);
    settle(r);
}

/* ---- one file -------------------------------------------------------------------------------- */

static const cJSON *servers_of(const cJSON *root, const format *f) {
    const cJSON *m = member(root, f->wrapper);
    return f->inner ? member(m, f->inner) : m;
}

/* An object all of whose members look like servers: the file has no wrapper. */
static bool is_flat(const cJSON *root) {
    const cJSON *m;
    size_t n = 0;
    cJSON_ArrayForEach(m, root) {
        if (!member(m, "command") && !member(m, "url")) return false;
        n++;
    }
    return n > 0;
}

static const format *format_of(const cJSON *root) {
    static const format flat = {NULL, NULL, false, "mcp", EXPAND_OURS, 1};
    for (size_t i = 0; i < COUNTOF(FORMATS); i++) {
        const cJSON *servers = servers_of(root, &FORMATS[i]);
        if (FORMATS[i].list ? cJSON_IsArray(servers) : cJSON_IsObject(servers)) return &FORMATS[i];
    }
    return cJSON_IsObject(root) && is_flat(root) ? &flat : NULL;
}

static expand_dialect dialect_of(const format *f, const mcp_source *from) {
    for (size_t i = 0; from->product && i < COUNTOF(DIALECTS); i++)
        if (strcmp(DIALECTS[i].product, from->product) == 0) return DIALECTS[i].dialect;
    return f->dialect;
}

static void read_servers(mcp_config *c, str text, const cJSON *root, const format *f,
                         const mcp_source *from) {
    reader r = {c, from, f, dialect_of(f, from), text, NULL, NULL, NULL};
    const cJSON *m, *servers = f->wrapper ? servers_of(root, f) : root;
    cJSON_ArrayForEach(m, servers) {
        const cJSON *id = member(m, f->list ? "id" : "name");
        const char *name = f->list ? cJSON_IsString(id) ? id->valuestring : NULL : m->string;
        if (cJSON_IsObject(m) && name && *name && strlen(name) < 200) read_entry(&r, name, m);
    }
}

status mcp_config_read(mcp_config *c, str text, const mcp_source *from, err *e) {
    cJSON *root = NULL;
    size_t offset = 0;
    status s = text.len > LIMIT_MCP_CONFIG_BYTES
                   ? err_set(e, ERR_LIMIT, "it has more than %u bytes", LIMIT_MCP_CONFIG_BYTES)
                   : jsonc_parse(text, &root, &offset, e);
    const format *f = s == OK ? format_of(root) : NULL;
    if (s == OK && !f)
        s = err_set(e, ERR_FORMAT, "it names no MCP servers (an object \"mcpServers\")");
    if (s == OK) {
        read_servers(c, text, root, f, from);
    } else {
        int place[2];
        text_place(text, offset, &place[0], &place[1]);
        note_at(c, from, true, place, e->text);
        err_prefix(e, s, "%.200s:%d:%d", from->file ? from->file : "configuration", place[0],
                   place[1]);
    }
    cJSON_Delete(root);
    return s;
}

status mcp_config_read_file(mcp_config *c, const mcp_source *from, err *e) {
    strbuf text;
    strbuf_init(&text, LIMIT_MCP_CONFIG_BYTES);
    status s = file_read(from->file, LIMIT_MCP_CONFIG_BYTES, &text, e);
    if (s == OK) s = mcp_config_read(c, strbuf_str(&text), from, e);
    strbuf_deinit(&text);
    return s;
}

/* ---- the set --------------------------------------------------------------------------------- */

void mcp_config_init(mcp_config *c) {
    *c = (mcp_config){0};
    arena_init(&c->memory);
}

void mcp_config_deinit(mcp_config *c) {
    for (size_t i = 0; i < c->servers.count; i++)
        mcp_definition_free(c->servers.at[i]);
    vec_free(&c->servers);
    vec_free(&c->notes);
    arena_deinit(&c->memory);
}

const mcp_definition *mcp_config_find(const mcp_config *c, const char *name) {
    for (size_t i = 0; i < c->servers.count; i++)
        if (strcmp(c->servers.at[i]->name, name) == 0) return c->servers.at[i];
    return NULL;
}

bool mcp_pattern_matches(const char *pattern, const char *name) {
    const char *star = NULL, *from = NULL; /* where to go on after the last * */
    while (*name) {
        if (*pattern == '*') {
            star = ++pattern;
            from = name;
        } else if (*pattern == '?' || *pattern == *name) {
            pattern++;
            name++;
        } else if (star) {
            pattern = star;
            name = ++from;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}
