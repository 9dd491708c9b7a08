/* SPDX-License-Identifier: Apache-2.0 */
/* The menu of code actions, and which of them was chosen.
 *
 * The list is made from the tree, the range and the diagnostics alone, within a few milliseconds;
 * no model is asked or loaded for it.  An action that a model writes is made when it is chosen:
 * by codeAction/resolve where the client fetches edits that way, else by the command
 * inlined.action, whose edit we send with workspace/applyEdit.  Asked by itself (automatic), the
 * list holds fixes only.  Thread: loop.
 */
#include <cjson/cJSON.h>

#include "engine/base/limits.h"
#include "engine/base/utf8.h"
#include "lsp/action_tree.h"
#include "lsp/actions.h"
#include "lsp/findings.h"
#include "lsp/hover.h"
#include "lsp/position.h"
#include "lsp/server.h"

#define ASK_COMMAND "inlined.askInstruction" /* the client's own */
#define LIST_US 3000 /* for the parser; without a tree the list is about lines */

const char *action_refusal(const server *s, const document *d) {
    if (!s->settings.enable || !s->settings.actions.enable)
        return "actions are switched off (inlined.enable, inlined.actions.enable)";
    if (!d) return "the document is not open";
    if (document_hidden(d)[0]) return "the file is private; nothing reads it";
    return NULL;
}

/* ---- the list -------------------------------------------------------------------------------- */

typedef struct {
    server *server;
    const lsp_action_params *params;
    document *document;
    change_target target;
    bool has_target, tree_extracts; /* the tree can extract a function by itself */
    cJSON *list;
} listing;

/* An edit of the open document: resolved or, where the client cannot, applied by a command. */
static bool resolves(const server *s, const code_action *a) {
    bool edits = a->way == ACTION_EDIT || a->way == ACTION_COMMENT;
    return s->features.literals && s->features.resolve_edit && edits;
}

/* Reviews and explanations change nothing. */
static bool needs_edits(const code_action *a) {
    return a->way != ACTION_REVIEW && a->way != ACTION_EXPLAIN;
}

static void add(listing *l, const code_action *a, const char *title, const cJSON *diagnostic) {
    server *s = l->server;
    bool resolve = resolves(s, a), ask = !strcmp(a->word, "rewrite");
    if (!resolve && needs_edits(a) && !s->features.apply_edit) return;
    cJSON *fixes = diagnostic ? cJSON_CreateArray() : NULL;
    if (fixes) cJSON_AddItemToArray(fixes, cJSON_Duplicate(diagnostic, true));
    lsp_action_argument in = {.action = str_of(a->word),
                              .uri = document_uri(l->document),
                              .has_version = true,
                              .version = document_version(l->document),
                              .has_range = true,
                              .range = l->params->range,
                              .diagnostics = fixes};
    lsp_action out = {.title = title,
                      .kind = a->kind,
                      .diagnostic = diagnostic,
                      .argument = protocol_argument(&in),
                      .command = ask       ? ASK_COMMAND
                                 : resolve ? NULL
                                           : ACTION_COMMAND,
                      .model = true};
    cJSON_AddItemToArray(l->list, protocol_action(&s->features, &out));
    cJSON_Delete(fixes);
}

static void add_fix(listing *l, const cJSON *diagnostic, const char *message) {
    const code_action *fix = action_find(STR("fix"));
    char about[90], title[160];
    str line = str_of(message), first = line;
    (void)str_split(&line, '\n', &first);
    snprintf(about, sizeof about, "%.*s%s", (int)MIN(first.len, 70), first.ptr,
             first.len > 70 ? "..." : "");
    about[utf8_complete_prefix(str_of(about))] = '\0';
    snprintf(title, sizeof title, "%s: %s (model)", fix->verb, about);
    add(l, fix, title, diagnostic);
}

/* Whether a note, "error: it is wrong", says what one of the editor's diagnostics says. */
static bool is_listed(const listing *l, str said) {
    const cJSON *one;
    cJSON_ArrayForEach(one, l->params->diagnostics) {
        const cJSON *message = protocol_get(one, "message");
        if (!cJSON_IsString(message)) continue;
        str whole = str_of(message->valuestring), first = whole;
        (void)str_split(&whole, '\n', &first);
        if (str_starts_with(said, first)) return true;
    }
    return false;
}

/* What other tools say of these lines, as the editor's plugin has told us: some editors send along
 * only what they have heard from ourselves. */
static void add_noted_fixes(listing *l, int n) {
    const lsp_range *r = &l->params->range;
    context_note note;
    for (size_t i = 0; context_note_at(l->document, i, &note); i++) {
        bool error = str_starts_with(note.text, STR("error: "));
        str said = str_sub(note.text, error ? 7 : strlen("warning: "), note.text.len);
        bool here = note.line >= MIN(r->start.line, r->end.line) &&
                    note.line <= MAX(r->start.line, r->end.line);
        if (!here || !said.len || is_listed(l, said)) continue;
        if (n++ >= LIMIT_ACTION_DIAGNOSTICS) return;
        size_t start = document_line_start(l->document, note.line);
        size_t end = start + document_line(l->document, note.line).len;
        lsp_range where = {position_of_offset(l->document, l->server->encoding, start),
                           position_of_offset(l->document, l->server->encoding, end)};
        cJSON *diagnostic = protocol_diagnostic(where, error ? 1 : 2, said);
        add_fix(l, diagnostic, protocol_get(diagnostic, "message")->valuestring);
        cJSON_Delete(diagnostic);
    }
}

static void add_fixes(listing *l) {
    const cJSON *one;
    int n = 0;
    if (!protocol_kind_wanted(l->params->only, action_find(STR("fix"))->kind)) return;
    cJSON_ArrayForEach(one, l->params->diagnostics) {
        const cJSON *message = protocol_get(one, "message");
        if (!cJSON_IsString(message) || n >= LIMIT_ACTION_DIAGNOSTICS) continue;
        if (protocol_finding_id(one)) continue; /* ours bring their own fixes */
        add_fix(l, one, message->valuestring);
        n++;
    }
    add_noted_fixes(l, n);
}

/* What a review has found here, with its fix ready. */
static void add_findings(listing *l, size_t from, size_t to) {
    server *s = l->server;
    const finding *f;
    char title[160];
    if (!protocol_kind_wanted(l->params->only, "quickfix")) return;
    for (size_t i = 0; (f = findings_at(s, i)) != NULL; i++) {
        if (f->document != l->document) continue;
        size_t line = document_line_of(f->document, f->from);
        if (line < document_line_of(f->document, from) || line > document_line_of(f->document, to))
            continue;
        cJSON *edit = findings_fix(s, f), *diagnostic = findings_json(s, f);
        snprintf(title, sizeof title, "Fix what the review found%s: %.100s",
                 f->breaks ? " (it adds syntax errors)" : "", f->message);
        title[utf8_complete_prefix(str_of(title))] = '\0';
        lsp_action out = {
            .title = title, .kind = "quickfix", .diagnostic = diagnostic, .edit = edit};
        if (edit) action_add_ready(s, l->document, &out, l->list);
        cJSON_Delete(diagnostic);
    }
}

static void add_rewrites(listing *l) {
    char label[96], title[160];
    action_label(l->document, &l->target, label);
    for (size_t i = 0; action_at(i); i++) {
        const code_action *a = action_at(i);
        if (!strcmp(a->kind, "quickfix") || !protocol_kind_wanted(l->params->only, a->kind))
            continue;
        if (a->offered && !a->offered(l->document, &l->target)) continue;
        if (!strcmp(a->word, "rewrite") && !l->server->features.instructions) continue;
        if (!strcmp(a->word, "extract") && l->tree_extracts) continue;
        bool file = !strcmp(a->word, "reviewFile") || !strcmp(a->word, "reviewChanges");
        snprintf(title, sizeof title, file ? "%s%s%s (model)" : "%s %s%s (model)", a->verb,
                 file ? "" : label, a->tail);
        add(l, a, title, NULL);
    }
}

void actions_request(server *s, const cJSON *params, reply *r) {
    lsp_action_params in;
    err e = {{0}};
    status st = protocol_read_actions(params, &in, &e);
    if (st) {
        reply_status(r, st, &e);
        return;
    }
    document *d = context_find(s->context, in.uri);
    listing l = {.server = s, .params = &in, .document = d, .list = cJSON_CreateArray()};
    if (action_refusal(s, d)) {
        reply_result(r, l.list);
        return;
    }
    size_t from = position_to_offset(d, s->encoding, in.range.start);
    size_t to = position_to_offset(d, s->encoding, in.range.end);
    l.has_target = change_find_target(d, MIN(from, to), MAX(from, to), LIST_US, &l.target);
    add_findings(&l, MIN(from, to), MAX(from, to));
    if (l.has_target) add_fixes(&l);
    if (l.has_target && in.automatic) hover_rest(s, d, &l.target);
    if (l.has_target && !in.automatic) {
        if (change_is_parsed(d)) {
            l.tree_extracts = action_tree_add(s, d, MIN(from, to), MAX(from, to), in.only, l.list);
            if (protocol_kind_wanted(in.only, "quickfix"))
                action_import_add(s, d, MIN(from, to), in.diagnostics, l.list);
        }
        add_rewrites(&l);
    }
    reply_result(r, l.list);
}

/* ---- a choice -------------------------------------------------------------------------------- */

bool action_read_place(server *s, const cJSON *argument, action_place *out, reply *r) {
    err e = {{0}};
    status st = protocol_read_argument(argument, &out->in, &e);
    if (st) {
        reply_status(r, st, &e);
        return false;
    }
    document *d = context_find(s->context, out->in.uri);
    const char *why = action_refusal(s, d);
    if (why) {
        reply_error(r, LSP_REQUEST_FAILED, why);
        return false;
    }
    if (out->in.has_version && out->in.version != document_version(d)) {
        reply_error(r, LSP_CONTENT_MODIFIED, "the document has changed since");
        return false;
    }
    size_t from = 0, to = document_text(d).len;
    if (out->in.has_range) {
        from = position_to_offset(d, s->encoding, out->in.range.start);
        to = position_to_offset(d, s->encoding, out->in.range.end);
    }
    out->document = d;
    out->from = MIN(from, to);
    out->to = MAX(from, to);
    return true;
}

static void start(server *s, const cJSON *argument, const cJSON *resolve, const cJSON *token,
                  reply *r) {
    action_place at;
    if (!action_read_place(s, argument, &at, r)) return;
    const code_action *a = action_find(at.in.action);
    if (a && a->way == ACTION_REVIEW) {
        action_review_start(s, &at, token, r);
    } else if (a && a->way == ACTION_EXPLAIN) {
        action_explain_start(s, &at, token, r);
    } else if (a && a->way == ACTION_NAME) {
        action_name_start(s, a, &at, resolve, token, r);
    } else if (a) {
        action_edit_start(s, a, &at, resolve, token, r);
    } else if (str_eq(at.in.action, STR(ACTION_APPLY)) && !resolve) {
        action_apply_start(s, &at, argument, token, r);
    } else {
        err e = {{0}};
        status st =
            err_set(&e, ERR_USAGE, "there is no action \"%.*s\"", (int)MIN(at.in.action.len, 60),
                    at.in.action.ptr ? at.in.action.ptr : "");
        reply_status(r, st, &e);
    }
}

/* Some clients resolve what has its edit or command already; that comes back as it is. */
void actions_resolve(server *s, const cJSON *params, reply *r) {
    const cJSON *data = protocol_get(params, "data");
    bool done = protocol_get(params, "edit") || protocol_get(params, "command");
    if (!cJSON_IsObject(params))
        reply_error(r, RPC_INVALID_PARAMS, "codeAction/resolve needs a code action");
    else if (done || !data)
        reply_result(r, cJSON_Duplicate(params, true));
    else
        start(s, data, params, protocol_get(params, "workDoneToken"), r);
}

bool actions_command(server *s, str command, const cJSON *params, reply *r) {
    const cJSON *argument = cJSON_GetArrayItem(protocol_get(params, "arguments"), 0);
    const cJSON *token = protocol_get(params, "workDoneToken");
    if (str_eq(command, STR(ACTION_COMMAND)))
        start(s, argument, NULL, token, r);
    else if (str_eq(command, STR("inlined.commitMessage")))
        action_commit_start(s, argument, token, r);
    else
        return false;
    return true;
}
