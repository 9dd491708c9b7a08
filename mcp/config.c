/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration files: which product's it is, its entries, and what is odd about them.
 *
 * All JSON formats have the same shape (an object or a list of servers under some key) and differ
 * in names of members, in the unit of time-outs and in the dialect of variables; FORMATS and the
 * readers' lists of names say how.  What cannot be used becomes the definition's `problem`, so that
 * a person sees the server and why it does not run.  Pure but for mcp_config_read_file.  Thread:
 * any. */
#include <stdarg.h>
#include <strings.h>

#include "engine/base/file.h"
#include "engine/base/limits.h"
#include "mcp/config_private.h"
#include "mcp/jsonc.h"

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
    {"claude", EXPAND_CLAUDE}, {"claude-desktop", EXPAND_NONE}, {"cursor", EXPAND_VSCODE},
    {"gemini", EXPAND_GEMINI}, {"lmstudio", EXPAND_VSCODE},     {"vscode", EXPAND_VSCODE},
    {"warp", EXPAND_WARP},     {"windsurf", EXPAND_VSCODE},
};

/* Packages that were renamed or given up, what stands in, and how that is started. */
static const struct {
    const char *word, *advice;
    mcp_successor successor;
} ADVICE[] = {
    {"@modelcontextprotocol/server-time",
     "is deprecated and no longer published; use mcp-time (github.com/TheoBrigitte/mcp-time, npm "
     "mcp-time-linux-x64) or mcp-server-time (PyPI)",
     {"mcp-time", NULL}},
    {"@theo.foobar/mcp-time",
     "is not published; use mcp-time (npm mcp-time-linux-x64) or mcp-server-time (PyPI)",
     {"mcp-time", NULL}},
    {"@modelcontextprotocol/server-fetch",
     "is not published; use mcp-server-fetch (PyPI: uvx mcp-server-fetch)",
     {"uvx", "mcp-server-fetch"}},
    {"@modelcontextprotocol/server-github",
     "is archived; use github/github-mcp-server",
     {"github-mcp-server", "stdio"}},
};

/* COUNTOF(ADVICE): the word is of none. */
static size_t find_advice(const char *arg) {
    for (size_t k = 0; k < COUNTOF(ADVICE); k++) {
        size_t n = strlen(ADVICE[k].word);
        if (!strncmp(arg, ADVICE[k].word, n) && (!arg[n] || arg[n] == '@')) return k;
    }
    return COUNTOF(ADVICE);
}

const mcp_successor *mcp_definition_successor(const mcp_definition *d) {
    for (size_t i = 0; i < d->args.count; i++) {
        size_t k = find_advice(d->args.at[i]);
        if (k < COUNTOF(ADVICE)) return &ADVICE[k].successor;
    }
    return NULL;
}

/* ---- notes ----------------------------------------------------------------------------------- */

static void note_at(mcp_config *c, const mcp_source *from, bool error, const int place[2],
                    const char *sentence) {
    if (c->notes.count >= LIMIT_MCP_NOTES) return;
    mcp_note n = {.error = error, .line = place[0], .column = place[1]};
    n.file = arena_str(&c->memory, str_of(from->file ? from->file : "")).ptr;
    snprintf(n.text, sizeof n.text, "%s", sentence);
    vec_push(&c->notes, n);
}

/* Of the entry in hand, or of its member `key`. */
static void place_of(const config_reader *r, const char *key, int *line, int *column) {
    const char *path[8];
    size_t n = 0;
    for (size_t i = 0; i < r->n_above; i++)
        path[n++] = r->above[i];
    if (r->format->wrapper) path[n++] = r->format->wrapper;
    if (r->format->inner) path[n++] = r->format->inner;
    if (r->name && !r->format->list) path[n++] = r->name;
    if (r->within) path[n++] = r->within;
    if (key) path[n++] = key;
    text_place(r->document->text, config_tree_find(r->document, path, n), line, column);
}

/* About the entry in hand, at its member `key` (NULL: at its name). */
void config_note(config_reader *r, bool error, const char *key, const char *fmt, ...) {
    char text[384];
    va_list args;
    if (r->config->notes.count >= LIMIT_MCP_NOTES) return; /* to find a place takes time */
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    int place[2];
    place_of(r, key, &place[0], &place[1]);
    note_at(r->config, r->from, error, place, text);
}

void config_problem(config_reader *r, const char *key, const char *sentence) {
    if (r->d->problem) return;
    r->d->problem = arena_printf(&r->d->memory, "%s", sentence);
    config_note(r, true, key, "server %.80s cannot start: %.250s", r->d->name, sentence);
}

/* ---- values ---------------------------------------------------------------------------------- */

const cJSON *config_member(const cJSON *object, const char *name) {
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

/* The first of these members that is there; `names` ends with NULL. */
const cJSON *config_first(const cJSON *object, const char *const *names) {
    for (; *names; names++) {
        const cJSON *m = config_member(object, *names);
        if (m && !cJSON_IsNull(m)) return m;
    }
    return NULL;
}

/* The expanded text of a member; NULL when it is no text, or a variable is missing. */
const char *config_text(config_reader *r, const cJSON *m) {
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
        config_problem(r, m->string, e.text);
    strbuf_deinit(&out);
    return result ? result : "";
}

void config_texts(config_reader *r, const cJSON *list, mcp_texts *out) {
    const cJSON *m;
    r->within = list ? list->string : NULL;
    cJSON_ArrayForEach(m, list) {
        const char *text = config_text(r, m);
        if (text) vec_push(out, text);
    }
    r->within = NULL;
}

/* One that is there already gets the new value.  Names of headers have no case. */
void config_add_pair(config_reader *r, mcp_pairs *out, const char *name, const char *value) {
    int (*compare)(const char *, const char *) = out == &r->d->headers ? strcasecmp : strcmp;
    if (!*name || strpbrk(name, "=\r\n")) return;
    for (size_t i = 0; i < out->count; i++) {
        if (compare(out->at[i].name, name) != 0) continue;
        out->at[i].value = value;
        return;
    }
    if (out->count < LIMIT_MCP_PAIRS)
        vec_push(out, ((mcp_pair){arena_str(&r->d->memory, str_of(name)).ptr, value}));
    else
        config_problem(r, NULL, "it has too many variables or headers");
}

void config_pairs(config_reader *r, const cJSON *object, mcp_pairs *out) {
    const cJSON *m;
    if (!cJSON_IsObject(object)) return;
    r->within = object->string;
    cJSON_ArrayForEach(m, object) {
        const char *value = config_text(r, m);
        if (value) config_add_pair(r, out, m->string, value);
    }
    r->within = NULL;
}

const char *config_named(config_reader *r, const char *key, const char *name) {
    strbuf out;
    strbuf_init(&out, LIMIT_MCP_CONFIG_BYTES);
    const char *value = r->from->variable ? r->from->variable(r->from->ud, name) : NULL,
               *text = NULL;
    if (r->from->keep)
        r->from->keep(r->from->ud, &out, MCP_VARIABLE_ENVIRONMENT, name, NULL);
    else if (value)
        strbuf_add_str(&out, str_of(value));
    else
        config_problem(
            r, key,
            arena_printf(&r->d->memory, "the environment variable %.100s is not set", name));
    if (r->from->keep || value) text = arena_str(&r->d->memory, strbuf_str(&out)).ptr;
    strbuf_deinit(&out);
    return text;
}

static void read_ms(config_reader *r, const cJSON *m, double unit, uint32_t *out) {
    if (!m || cJSON_IsNull(m)) return;
    double ms = cJSON_IsNumber(m) ? m->valuedouble * unit : -1;
    if (ms >= 1 && ms <= 86400000)
        *out = (uint32_t)ms;
    else
        config_note(r, false, m->string, "%.60s is not a time; the default is taken",
                    m->string ? m->string : "a time-out");
}

/* ---- one entry ------------------------------------------------------------------------------- */

static void read_host_numbers(config_reader *r, const cJSON *x) {
    mcp_definition *d = r->d;
    read_ms(r, config_member(x, "startTimeoutMs"), 1, &d->start_ms);
    read_ms(r, config_member(x, "idleTimeoutMs"), 1, &d->idle_ms);
    read_ms(r, config_member(x, "timeoutMs"), 1, &d->total_ms);
    read_ms(r, config_member(x, "pingAfterMs"), 1, &d->ping_after_ms);
    const cJSON *m = config_member(x, "idleStopMs");
    if (cJSON_IsNumber(m) && m->valuedouble <= 0)
        d->idle_stop_ms = UINT32_MAX;
    else
        read_ms(r, m, 1, &d->idle_stop_ms);
    m = config_member(x, "maxConcurrency");
    if (cJSON_IsNumber(m) && m->valuedouble >= 1) d->concurrency = (uint32_t)MIN(m->valueint, 64);
    m = config_member(x, "maxOutputBytes");
    if (cJSON_IsNumber(m) && m->valuedouble >= 256)
        d->output_bytes = (size_t)MIN(m->valuedouble, (double)LIMIT_MCP_LINE_BYTES);
}

/* Our extras. */
static void read_host(config_reader *r, const cJSON *x) {
    static const char *const known[] = {
        "allow",       "ask",           "cache",    "deny",           "env_passthrough", "era",
        "idleStopMs",  "idleTimeoutMs", "lazy",     "maxConcurrency", "maxOutputBytes",  "oauth",
        "pingAfterMs", "roots",         "sampling", "startTimeoutMs", "timeoutMs",       "trust"};
    mcp_definition *d = r->d;
    const cJSON *m;
    cJSON_ArrayForEach(m, x) {
        size_t i = 0;
        while (i < COUNTOF(known) && strcmp(known[i], m->string) != 0)
            i++;
        if (i == COUNTOF(known))
            config_note(r, false, "x-host", "x-host has no \"%.60s\"", m->string);
    }
    read_host_numbers(r, x);
    config_texts(r, config_member(x, "allow"), &d->allow);
    config_texts(r, config_member(x, "ask"), &d->ask);
    config_texts(r, config_member(x, "deny"), &d->deny);
    config_texts(r, config_member(x, "env_passthrough"), &d->env_passthrough);
    config_pairs(r, config_member(x, "cache"), &d->cache);
    d->eager = cJSON_IsFalse(config_member(x, "lazy"));
    d->trusted = cJSON_IsTrue(config_member(x, "trust"));
    d->roots = cJSON_IsTrue(config_member(x, "roots"));
    d->sampling = cJSON_IsTrue(config_member(x, "sampling"));
    const cJSON *era = config_member(x, "era");
    if (cJSON_IsString(era))
        d->era = strcmp(era->valuestring, "legacy") == 0   ? MCP_ERA_LEGACY
                 : strcmp(era->valuestring, "modern") == 0 ? MCP_ERA_MODERN
                                                           : MCP_ERA_AUTO;
}

static bool sets(const mcp_definition *d, const char *name) {
    for (size_t i = 0; i < d->env.count; i++)
        if (strcmp(d->env.at[i].name, name) == 0) return true;
    return false;
}

/* goose: names of secrets, which it has in a keyring and we in the environment. */
static void read_env_keys(config_reader *r, const cJSON *list) {
    const cJSON *m;
    cJSON_ArrayForEach(m, list) {
        if (!cJSON_IsString(m) || !*m->valuestring || sets(r->d, m->valuestring)) continue;
        const char *value = config_named(r, list->string, m->valuestring);
        if (value) config_add_pair(r, &r->d->env, m->valuestring, value);
    }
}

static str unquoted(str s) {
    bool quoted =
        s.len >= 2 && (s.ptr[0] == '"' || s.ptr[0] == '\'') && s.ptr[s.len - 1] == s.ptr[0];
    return quoted ? str_sub(s, 1, s.len - 1) : s;
}

/* NAME=value lines; what `env` sets counts more. */
static void read_env_lines(config_reader *r, str text) {
    str line, name;
    while (!r->d->problem && str_split(&text, '\n', &line)) {
        line = str_trim(line);
        if (str_starts_with(line, STR("export "))) line = str_trim(str_sub(line, 7, line.len));
        bool pair = line.len && line.ptr[0] != '#' && str_find(line, STR("=")) > 0;
        if (!pair || !str_split(&line, '=', &name)) continue;
        const char *key = arena_str(&r->d->memory, str_trim(name)).ptr;
        if (sets(r->d, key)) continue;
        const char *value = arena_str(&r->d->memory, unquoted(str_trim(line))).ptr;
        config_add_pair(r, &r->d->env, key, value);
    }
}

static void read_env_file(config_reader *r, const cJSON *m) {
    if (!cJSON_IsString(m)) return;
    r->d->env_file = config_text(r, m);
    if (r->from->keep || r->d->problem) return;
    strbuf text;
    strbuf_init(&text, LIMIT_MCP_CONFIG_BYTES);
    err e;
    err_set(&e, ERR_UNSUPPORTED, "its envFile cannot be read here");
    if (r->from->read && r->from->read(r->from->ud, r->d->env_file, &text, &e) == OK)
        read_env_lines(r, strbuf_str(&text));
    else
        config_problem(r, m->string, arena_printf(&r->d->memory, "%s", e.text));
    strbuf_deinit(&text);
}

static void read_process(config_reader *r, const cJSON *entry, const cJSON *command) {
    static const char *const cwd[] = {"cwd", "working_directory", "work_dir", NULL};
    static const char *const env[] = {"env", "envs", NULL};
    const cJSON *nested = cJSON_IsObject(command) ? command : NULL; /* older Zed */
    r->d->command = config_text(r, nested ? config_member(nested, "path") : command);
    config_texts(r, config_member(nested ? nested : entry, "args"), &r->d->args);
    config_pairs(r, config_first(nested ? nested : entry, env), &r->d->env);
    read_env_keys(r, config_member(entry, "env_keys"));
    read_env_file(r, config_member(entry, "envFile"));
    config_texts(r, config_member(entry, "env_vars"), &r->d->env_passthrough);
    const cJSON *folder = config_first(entry, cwd);
    if (folder) r->d->cwd = config_text(r, folder);
    if (!r->d->command || !*r->d->command) config_problem(r, "command", "it has no command");
}

/* Our own tools: what may be said of them are rules and limits, and only by their user. */
static bool read_own(config_reader *r) {
    if (strcmp(r->name, MCP_BUILT_IN_NAME) == 0 && r->from->scope == MCP_USER) {
        definition_make_built_in(r->d);
        return true;
    }
    config_note(r, true, "type",
                "the built-in tools are the server \"" MCP_BUILT_IN_NAME "\" of your own file; "
                "this entry does not count");
    return false;
}

static void read_rules(config_reader *r, const cJSON *entry) {
    static const char *const allow[] = {"includeTools", "available_tools", "enabled_tools", NULL};
    static const char *const deny[] = {"excludeTools", "disabled_tools", NULL};
    mcp_definition *d = r->d;
    config_texts(r, config_first(entry, deny), &d->deny);
    config_texts(r, config_first(entry, allow), &d->included);
    d->disabled = cJSON_IsTrue(config_member(entry, "disabled")) ||
                  cJSON_IsFalse(config_member(entry, "enabled"));
    read_ms(r, config_member(entry, "timeout"), r->format->timeout_ms, &d->total_ms);
    read_ms(r, config_member(entry, "startup_timeout_sec"), 1000, &d->start_ms);
    read_ms(r, config_member(entry, "startup_timeout_ms"), 1, &d->start_ms);
    read_ms(r, config_member(entry, "tool_timeout_sec"), 1000, &d->total_ms);
    read_ms(r, config_member(entry, "timeout_secs"), 1000, &d->total_ms);
    const cJSON *x = config_member(entry, "x-host");
    if (cJSON_IsObject(x)) read_host(r, x);
}

static void advise(config_reader *r) {
    const mcp_definition *d = r->d;
    for (size_t i = 0; i < d->args.count; i++) {
        size_t k = find_advice(d->args.at[i]);
        if (k < COUNTOF(ADVICE))
            config_note(r, false, "args", "%s %s", ADVICE[k].word, ADVICE[k].advice);
    }
    for (size_t i = 0; i < d->env.count; i++)
        if (strcmp(d->env.at[i].name, "MCP_PROTOCOL_VERSION") == 0)
            config_note(r, false, "env",
                        "MCP_PROTOCOL_VERSION has no effect: the version is negotiated");
}

/* Adds the entry, unless a stronger file has one of that name. */
static void settle(config_reader *r) {
    mcp_config *c = r->config;
    for (size_t i = 0; i < c->servers.count; i++) {
        mcp_definition *old = c->servers.at[i];
        if (strcmp(old->name, r->d->name) != 0) continue;
        bool replace = old->scope <= r->d->scope;
        config_note(r, false, NULL, "server %.80s is also in %.200s; %s counts", r->d->name,
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

static void read_entry(config_reader *r, const char *name, const cJSON *entry) {
    static const char *const commands[] = {"command", "cmd", NULL};
    static const char *const urls[] = {"httpUrl", "url", "serverUrl", "uri", NULL};
    const cJSON *source = config_member(entry, "source"); /* mistral.rs nests it */
    const cJSON *from = cJSON_IsObject(source) ? source : entry;
    const cJSON *type = config_member(from, "type"), *url = config_first(from, urls);
    const char *kind = cJSON_IsString(type) ? type->valuestring : "";
    static const char *const inner[] = {"builtin", "platform", "frontend", "inline_python"};
    bool built_in = false; /* goose; and what Zed's own extensions bring */
    for (size_t i = 0; i < COUNTOF(inner); i++)
        built_in = built_in || strcmp(kind, inner[i]) == 0;
    if (strcmp(r->format->product, "zed") == 0 && !url && !config_first(from, commands))
        built_in = true;
    if (r->config->servers.count >= LIMIT_MCP_SERVERS || built_in) return;
    r->name = name;
    r->d = mcp_definition_new(name);
    r->d->scope = r->from->scope;
    r->d->file = arena_str(&r->d->memory, str_of(r->from->file ? r->from->file : "")).ptr;
    place_of(r, NULL, &r->d->line, &r->d->column);
    const cJSON *command = config_first(from, commands);
    bool gemini_sse = r->dialect == EXPAND_GEMINI && !config_member(from, "httpUrl");
    if (strcmp(kind, "built-in") == 0) {
        if (!read_own(r)) {
            mcp_definition_free(r->d);
            return;
        }
    } else if (url && !command) {
        config_http(r, from, url, strcmp(kind, "sse") == 0 || gemini_sse);
    } else if (command) {
        read_process(r, from, command);
    } else {
        config_problem(r, NULL, "it has neither a command nor a url");
    }
    read_rules(r, entry);
    advise(r);
    settle(r);
}

/* ---- one file -------------------------------------------------------------------------------- */

static const cJSON *servers_of(const cJSON *root, const format *f) {
    const cJSON *m = config_member(root, f->wrapper);
    return f->inner ? config_member(m, f->inner) : m;
}

/* An object all of whose members look like servers: the file has no wrapper. */
static bool is_flat(const cJSON *root) {
    const cJSON *m;
    size_t n = 0;
    cJSON_ArrayForEach(m, root) {
        if (!config_member(m, "command") && !config_member(m, "url")) return false;
        n++;
    }
    return n > 0;
}

static const format *format_of(const cJSON *root, const mcp_source *from) {
    static const format flat = {NULL, NULL, false, "mcp", EXPAND_OURS, 1};
    static const format nothing = {"mcpServers", NULL, false, "mcp", EXPAND_OURS, 1};
    static const char *const settings[] = {"claude", "codex", "gemini", "goose", "zed"};
    for (size_t i = 0; i < COUNTOF(FORMATS); i++) {
        const cJSON *servers = servers_of(root, &FORMATS[i]);
        if (FORMATS[i].list ? cJSON_IsArray(servers) : cJSON_IsObject(servers)) return &FORMATS[i];
    }
    if (cJSON_IsObject(root) && is_flat(root)) return &flat;
    /* Settings of a product that may well have no servers. */
    for (size_t i = 0; i < COUNTOF(settings) && cJSON_IsObject(root); i++)
        if (from->product && strcmp(from->product, settings[i]) == 0) return &nothing;
    return NULL;
}

static expand_dialect dialect_of(const format *f, const mcp_source *from) {
    for (size_t i = 0; from->product && i < COUNTOF(DIALECTS); i++)
        if (strcmp(DIALECTS[i].product, from->product) == 0) return DIALECTS[i].dialect;
    return f->dialect;
}

static void read_servers(config_reader *r, const cJSON *servers) {
    const cJSON *m;
    bool list = r->format->list;
    cJSON_ArrayForEach(m, servers) {
        const cJSON *id = config_member(m, "id");
        const char *name = list ? cJSON_IsString(id) ? id->valuestring : NULL : m->string;
        if (cJSON_IsObject(m) && name && *name && strlen(name) < 200) read_entry(r, name, m);
    }
}

/* Claude's own file has servers for one folder, too: they count more than those for all. */
static void read_of_folder(config_reader *r) {
    const char *workspace = r->from->workspace;
    const cJSON *projects = config_member(r->document->root, "projects");
    const cJSON *own = workspace ? config_member(projects, workspace) : NULL;
    const cJSON *servers =
        own && r->format->wrapper ? config_member(own, r->format->wrapper) : NULL;
    if (!cJSON_IsObject(servers)) return;
    r->above[0] = "projects";
    r->above[1] = workspace;
    r->n_above = 2;
    read_servers(r, servers);
}

static void note_twice(mcp_config *c, const mcp_source *from, const config_tree *d) {
    char text[160];
    int place[2];
    snprintf(text, sizeof text, "\"%.80s\" is there twice; the last one counts", d->twice->string);
    text_place(d->text, config_tree_twice(d), &place[0], &place[1]);
    note_at(c, from, false, place, text);
}

status mcp_config_read(mcp_config *c, str text, const mcp_source *from, err *e) {
    config_tree d = {0};
    size_t offset = 0;
    status s = text.len > LIMIT_MCP_CONFIG_BYTES
                   ? err_set(e, ERR_LIMIT, "it has more than %u bytes", LIMIT_MCP_CONFIG_BYTES)
                   : config_tree_read(&d, text, &offset, e);
    const format *f = s == OK ? format_of(d.root, from) : NULL;
    if (s == OK && !f)
        s = err_set(e, ERR_FORMAT, "it names no MCP servers (an object \"mcpServers\")");
    if (s == OK) {
        mcp_source source = *from;
        source.inputs =
            config_member(f->inner ? config_member(d.root, f->wrapper) : d.root, "inputs");
        config_reader r = {.config = c,
                           .from = &source,
                           .format = f,
                           .dialect = dialect_of(f, from),
                           .document = &d};
        if (d.twice) note_twice(c, from, &d);
        read_servers(&r, f->wrapper ? servers_of(d.root, f) : d.root);
        read_of_folder(&r);
    } else {
        int place[2];
        text_place(text, offset, &place[0], &place[1]);
        note_at(c, from, true, place, e->text);
        err_prefix(e, s, "%.200s:%d:%d", from->file ? from->file : "configuration", place[0],
                   place[1]);
    }
    config_tree_free(&d);
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
