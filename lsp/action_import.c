/* SPDX-License-Identifier: Apache-2.0 */
/* Missing imports in the menu: see action_tree.h.
 *
 * A name is one that another tool's diagnostic calls unknown, in the words of the usual servers, or
 * the one at the cursor.  The symbol index says where it is defined, and the tree adds the line
 * where the file gives the name no meaning yet.  What has to be known of the defining file (is it
 * exported, which package is it) is read from there, or from the editor's text of it: at most a few
 * small files, for one name.  Thread: loop. */
#include <cjson/cJSON.h>

#include "context/refactor.h"
#include "engine/base/file.h"
#include "engine/base/limits.h"
#include "lsp/action_tree.h"
#include "lsp/position.h"
#include "lsp/server.h"
#include "lsp/uri.h"

#define IMPORTS_MAX 3
#define FILE_BYTES (256u << 10)

typedef struct {
    server *server;
    document *document;
    cJSON *list;
    const cJSON *diagnostic; /* that the next action fixes; or NULL */
    const str *roots;
    size_t n_roots;
    arena *arena;
} import_menu;

static void add(const import_menu *m, const char *title, const refactoring *r) {
    server *s = m->server;
    lsp_edit_note note = {title, "by the syntax tree", false};
    lsp_action out = {
        .title = title,
        .kind = "quickfix",
        .diagnostic = m->diagnostic,
        .edit = protocol_edit(&s->features, s->encoding, m->document, r->edits, r->n, &note)};
    action_add_ready(s, m->document, &out, m->list);
}

static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* The name around an offset; empty: none. */
static str name_at(str text, size_t at) {
    size_t from = MIN(at, text.len), to = from;
    while (from > 0 && is_word(text.ptr[from - 1]) && at - from < 100)
        from--;
    while (to < text.len && is_word(text.ptr[to]) && to - at < 100)
        to++;
    return str_sub(text, from, to);
}

/* ---- other files ----------------------------------------------------------------------------- */

/* The text of a file as the editor or the disk has it; empty: it cannot be read, or is large. */
static str text_of(const import_menu *m, str path) {
    strbuf uri, text;
    err e;
    strbuf_init(&uri, 8192);
    uri_add_path(&uri, path);
    document *open = context_find(m->server->context, strbuf_str(&uri));
    strbuf_deinit(&uri);
    if (open) return document_text(open);
    strbuf_init(&text, FILE_BYTES);
    bool good = !file_read(arena_printf(m->arena, "%.*s", STR_ARG(path)), FILE_BYTES, &text, &e);
    str out = good ? arena_str(m->arena, strbuf_str(&text)) : (str){0};
    strbuf_deinit(&text);
    return out;
}

static str folder_of(str path) {
    return str_sub(path, 0, (size_t)(str_rfind_char(path, '/') + 1));
}

/* Whether both lie below the same folder of the workspace. */
static bool same_root(const import_menu *m, str a, str b) {
    for (size_t i = 0; i < m->n_roots; i++) {
        str root = m->roots[i];
        if (str_starts_with(a, root) && str_starts_with(b, root) && a.len > root.len &&
            a.ptr[root.len] == '/')
            return true;
    }
    return false;
}

/* ---- Python and C ---------------------------------------------------------------------------- */

/* "pkg/mod.py" is pkg.mod, "pkg/__init__.py" is pkg; empty: no module that can be named. */
static str module_of(str path, arena *a) {
    if (!str_ends_with(path, STR(".py"))) return (str){0};
    path = str_sub(path, 0, path.len - 3);
    if (str_ends_with(path, STR("/__init__"))) path = str_sub(path, 0, path.len - 9);
    char *name = arena_printf(a, "%.*s", STR_ARG(path));
    for (char *c = name; *c; c++) {
        bool word = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || *c == '_' ||
                    (*c >= '0' && *c <= '9');
        if (*c == '/')
            *c = '.';
        else if (!word)
            return (str){0};
    }
    return str_of(name);
}

/* A header as this file would include it: from its own folder where it lies below that, else from
 * the workspace's.  Empty: it is no header, or not of this workspace. */
static str header_of(const import_menu *m, str path) {
    if (!str_ends_with(path, STR(".h"))) return (str){0};
    str folder = folder_of(uri_path(document_uri(m->document), m->arena));
    if (folder.len && str_starts_with(path, folder)) return str_sub(path, folder.len, path.len);
    for (size_t i = 0; i < m->n_roots; i++)
        if (str_starts_with(path, m->roots[i])) return uri_relative(path, m->roots, m->n_roots);
    return (str){0};
}

static void add_python(const import_menu *m, const symbol *found) {
    refactoring r;
    char title[160];
    str module = module_of(uri_relative(found->path, m->roots, m->n_roots), m->arena);
    if (!module.len || !refactor_add_import(m->document, found->name, module, m->arena, &r)) return;
    snprintf(title, sizeof title, "Import %.*s from %.*s (syntax tree)",
             (int)MIN(found->name.len, 50), found->name.ptr, (int)MIN(module.len, 60), module.ptr);
    add(m, title, &r);
}

static void add_header(const import_menu *m, const symbol *found) {
    refactoring r;
    char title[160];
    str header = header_of(m, found->path);
    if (!header.len || !refactor_add_include(m->document, found->name, header, m->arena, &r))
        return;
    snprintf(title, sizeof title, "Include %.*s for %.*s (syntax tree)", (int)MIN(header.len, 60),
             header.ptr, (int)MIN(found->name.len, 50), found->name.ptr);
    add(m, title, &r);
}

/* ---- JavaScript, TypeScript ------------------------------------------------------------------ */

/* "a" in "{ a, b as c }": under its own name. */
static bool list_holds(str list, str name) {
    list = str_sub(list, (size_t)(str_find(list, STR("{")) + 1), list.len);
    ptrdiff_t end = str_find(list, STR("}"));
    if (end >= 0) list = str_sub(list, 0, (size_t)end);
    for (str one; str_split(&list, ',', &one);)
        if (str_eq(str_trim(one), name)) return true;
    return false;
}

typedef enum { EXPORT_NONE, EXPORT_NAMED, EXPORT_DEFAULT } export_way;

/* How a module exports what line `line` of it defines. */
static export_way export_of(str text, uint32_t line, str name) {
    export_way way = EXPORT_NONE;
    str rest = text, one;
    for (uint32_t i = 0; way == EXPORT_NONE && str_split(&rest, '\n', &one); i++) {
        str trimmed = str_trim(one);
        if (!str_starts_with(trimmed, STR("export"))) continue;
        bool whole = str_starts_with(trimmed, STR("export default"));
        str what = str_trim(str_sub(trimmed, whole ? 14 : 6, trimmed.len));
        if (str_ends_with(what, STR(";"))) what = str_trim(str_sub(what, 0, what.len - 1));
        if (i == line || (whole && str_eq(what, name)))
            way = whole ? EXPORT_DEFAULT : EXPORT_NAMED;
        else if (str_starts_with(what, STR("{")) && !str_ends_with(what, STR("'")) &&
                 !str_ends_with(what, STR("\"")) &&
                 list_holds(str_sub(text, (size_t)(one.ptr - text.ptr), text.len), name))
            way = EXPORT_NAMED;
    }
    return way;
}

/* "./c" or "../b/c" for /a/b/c.ts, without its ending. */
static str relative_of(const import_menu *m, str path) {
    str own = folder_of(uri_path(document_uri(m->document), m->arena));
    size_t same = 0;
    for (size_t i = 0; i < own.len && i < path.len && own.ptr[i] == path.ptr[i]; i++)
        if (own.ptr[i] == '/') same = i + 1;
    strbuf out;
    strbuf_init(&out, 4096);
    for (size_t i = same; i < own.len; i++)
        if (own.ptr[i] == '/') strbuf_add_str(&out, STR("../"));
    if (!out.len) strbuf_add_str(&out, STR("./"));
    strbuf_add_str(&out, str_sub(path, same, path.len));
    str text = arena_str(m->arena, strbuf_str(&out));
    strbuf_deinit(&out);
    return text;
}

/* What the file's language can import, and the length of the file name's ending. */
static size_t script_ending(const import_menu *m, str path) {
    static const char *const endings[] = {".ts", ".tsx", ".js", ".jsx", ".mjs"};
    bool plain = !strcmp(document_language(m->document), "javascript");
    if (str_ends_with(path, STR(".d.ts"))) return 0;
    for (size_t i = plain ? 2 : 0; i < COUNTOF(endings); i++)
        if (str_ends_with(path, str_of(endings[i]))) return strlen(endings[i]);
    return 0;
}

static void add_script(const import_menu *m, const symbol *found) {
    refactoring r;
    char title[160];
    str own = uri_path(document_uri(m->document), m->arena), path = found->path;
    size_t ending = script_ending(m, path);
    if (!ending || !same_root(m, own, path) || str_eq(own, path)) return;
    export_way way = export_of(text_of(m, path), found->line, found->name);
    if (way == EXPORT_NONE) return;
    str module = relative_of(m, str_sub(path, 0, path.len - ending));
    str wanted = refactor_script_ending(m->document, m->arena);
    bool written = str_ends_with(path, STR(".js")) || str_ends_with(path, STR(".mjs"));
    if (wanted.len && written) wanted = str_sub(path, path.len - ending, path.len);
    if (!wanted.len && str_ends_with(module, STR("/index")))
        module = str_sub(module, 0, module.len - 6);
    module = str_of(arena_printf(m->arena, "%.*s%.*s", STR_ARG(module), STR_ARG(wanted)));
    if (!refactor_add_script_import(m->document, found->name, module, way == EXPORT_DEFAULT,
                                    m->arena, &r))
        return;
    snprintf(title, sizeof title, "Import %.*s from %.*s (syntax tree)",
             (int)MIN(found->name.len, 50), found->name.ptr, (int)MIN(module.len, 60), module.ptr);
    add(m, title, &r);
}

/* ---- Go -------------------------------------------------------------------------------------- */

/* The word behind `keyword` at the start of a line: of go.mod, and of package clauses. */
static str word_behind(str text, str keyword) {
    for (str line; str_split(&text, '\n', &line);) {
        str rest = str_sub(line, keyword.len, line.len);
        if (!str_starts_with(line, keyword) || !rest.len || rest.ptr[0] != ' ') continue;
        rest = str_trim(rest);
        size_t end = 0;
        while (end < rest.len && rest.ptr[end] > ' ')
            end++;
        return str_sub(rest, 0, end);
    }
    return (str){0};
}

/* The folder of the module that a file belongs to, with its slash; empty: none is known. */
static str module_folder(const import_menu *m, str path, str *name) {
    for (str folder = folder_of(path); folder.len > 1;
         folder = folder_of(str_sub(folder, 0, folder.len - 1))) {
        char *file = arena_printf(m->arena, "%.*sgo.mod", STR_ARG(folder));
        *name = word_behind(text_of(m, str_of(file)), STR("module"));
        if (name->len) return folder;
    }
    return (str){0};
}

/* Packages below "internal" are for their neighbours only. */
static bool may_see(str from, str path) {
    ptrdiff_t at = str_find(path, STR("/internal/"));
    return at < 0 || str_starts_with(from, str_sub(path, 0, (size_t)at + 1));
}

static void add_go(const import_menu *m, const symbol *found, str package) {
    refactoring r;
    char title[160];
    str own = uri_path(document_uri(m->document), m->arena), module, other;
    str folder = folder_of(found->path);
    bool test = str_ends_with(found->path, STR("_test.go"));
    if (!str_ends_with(found->path, STR(".go")) || test || str_eq(folder, folder_of(own))) return;
    if (!same_root(m, own, found->path) || !may_see(own, found->path)) return;
    if (!str_eq(word_behind(text_of(m, found->path), STR("package")), package)) return;
    str home = module_folder(m, own, &module);
    if (!home.len || !str_eq(home, module_folder(m, found->path, &other))) return;
    str below = str_sub(folder, home.len, folder.len ? folder.len - 1 : 0);
    str path = str_of(arena_printf(m->arena, "%.*s%s%.*s", STR_ARG(module), below.len ? "/" : "",
                                   STR_ARG(below)));
    if (!refactor_add_go_import(m->document, package, path, m->arena, &r)) return;
    snprintf(title, sizeof title, "Import %.*s for %.*s.%.*s (syntax tree)", (int)MIN(path.len, 60),
             path.ptr, (int)MIN(package.len, 30), package.ptr, (int)MIN(found->name.len, 40),
             found->name.ptr);
    add(m, title, &r);
}

/* "count" and "Number" of count.Number, wherever in it `at` is. */
static bool selector_at(str text, size_t at, str *package, str *member) {
    str name = name_at(text, at);
    size_t from = (size_t)(name.ptr - text.ptr), to = from + name.len;
    if (!name.len) return false;
    if (to + 1 < text.len && text.ptr[to] == '.' && is_word(text.ptr[to + 1])) {
        *package = name;
        *member = name_at(text, to + 1);
    } else if (from > 1 && text.ptr[from - 1] == '.' && is_word(text.ptr[from - 2])) {
        *package = name_at(text, from - 1);
        *member = name;
    } else {
        return false;
    }
    return member->len && member->ptr[0] >= 'A' && member->ptr[0] <= 'Z';
}

/* ---- names ----------------------------------------------------------------------------------- */

/* The name that a diagnostic calls unknown; empty: it is about something else. */
static str unknown_name(str message) {
    static const char *const before[] = {
        "Cannot find name",      /* TypeScript */
        "ndefined name",         /* ruff, pyflakes, pylsp */
        "ndefined variable",     /* pylint */
        "undefined:",            /* gopls, go */
        "undeclared name:",      /* gopls, the older ones */
        "undeclared identifier", /* clangd */
        "undeclared function",
        "unknown type name",
        "implicit declaration of function", /* gcc */
    };
    static const char *const behind[] = {
        "is not defined",        /* pyright, mypy, ESLint */
        "undeclared (first use", /* gcc */
    };
    for (size_t i = 0; i < COUNTOF(before); i++) {
        ptrdiff_t at = str_find(message, str_of(before[i]));
        if (at < 0) continue;
        size_t from = (size_t)at + strlen(before[i]), skipped = from;
        while (from < message.len && !is_word(message.ptr[from]) && from - skipped < 8)
            from++;
        return name_at(message, from);
    }
    for (size_t i = 0; i < COUNTOF(behind); i++) {
        ptrdiff_t at = str_find(message, str_of(behind[i]));
        if (at < 0) continue;
        size_t to = (size_t)at, skipped = to;
        while (to > 0 && !is_word(message.ptr[to - 1]) && skipped - to < 8)
            to--;
        return name_at(message, to);
    }
    return (str){0};
}

/* Whatever brings the name, which stands at `at`. */
static void add_name(import_menu *m, str name, size_t at) {
    server *s = m->server;
    const char *language = document_language(m->document);
    symbol found[IMPORTS_MAX];
    str package = {0};
    bool go = !strcmp(language, "go");
    if (!name.len) return;
    if (go && !selector_at(document_text(m->document), at, &package, &name)) return;
    size_t n = symbols_find(s->options.symbols, s->options.client, m->roots, m->n_roots, name,
                            m->arena, found, IMPORTS_MAX);
    for (size_t i = 0; i < n; i++) {
        if (found[i].parent.len) continue;
        if (go)
            add_go(m, &found[i], package);
        else if (!strcmp(language, "c"))
            add_header(m, &found[i]);
        else if (!strcmp(language, "python"))
            add_python(m, &found[i]);
        else
            add_script(m, &found[i]);
    }
}

void action_import_add(server *s, document *d, size_t at, const cJSON *diagnostics, cJSON *list) {
    static const char *const languages[] = {"c", "go", "javascript", "python", "tsx", "typescript"};
    bool known = false;
    for (size_t i = 0; i < COUNTOF(languages); i++)
        known = known || !strcmp(document_language(d), languages[i]);
    if (!known || !s->options.symbols || !s->settings.context.index) return;
    arena a;
    arena_init(&a);
    str *roots = arena_alloc(&a, (s->roots.count + 1) * sizeof *roots);
    for (size_t i = 0; i < s->roots.count; i++)
        roots[i] = str_of(s->roots.at[i]);
    import_menu m = {s, d, list, NULL, roots, s->roots.count, &a};
    str here = name_at(document_text(d), at), done[LIMIT_ACTION_DIAGNOSTICS];
    size_t n = 0;
    const cJSON *one;
    cJSON_ArrayForEach(one, diagnostics) {
        const cJSON *message = protocol_get(one, "message");
        lsp_range range;
        err e;
        if (!cJSON_IsString(message) || n == LIMIT_ACTION_DIAGNOSTICS) continue;
        if (protocol_read_range(protocol_get(one, "range"), "range", &range, &e)) continue;
        str name = unknown_name(str_of(message->valuestring));
        bool twice = !name.len;
        for (size_t i = 0; i < n; i++)
            twice = twice || str_eq(done[i], name);
        if (twice) continue;
        done[n++] = name;
        m.diagnostic = one;
        add_name(&m, name, position_to_offset(d, s->encoding, range.start));
        if (str_eq(name, here) || !strcmp(document_language(d), "go")) here = (str){0};
    }
    m.diagnostic = NULL;
    add_name(&m, here, at);
    arena_deinit(&a);
}
