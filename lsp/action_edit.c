/* SPDX-License-Identifier: Apache-2.0 */
/* An action whose edit a model writes, from the choice to the changed document.
 *
 *     start -> the model writes -> read, judge, compare -> (the person confirms) -> apply, or the
 *                                                                     answer to codeAction/resolve
 *
 * The document is never changed here: the editor makes the edit, in one undo step, if the version
 * is still the one that the model saw.  Whatever the model does wrong ends in one sentence.
 * Thread: loop.
 */
#include <cjson/cJSON.h>

#include "engine/base/limits.h"
#include "lsp/actions.h"
#include "lsp/answer.h"
#include "lsp/position.h"
#include "lsp/server.h"

typedef struct {
    work *work;
    const code_action *action;
    change_target target;          /* its name is dead: */
    size_t marked_from, marked_to; /* the part of it that is meant; equal: all */
    char name[128], label[96], title[160], description[200];
    cJSON *resolve; /* the action to send back, or NULL */
    cJSON *edit;    /* ready, while the person is asked */
} edit_work;

static void on_ended(void *own) {
    edit_work *w = own;
    cJSON_Delete(w->resolve);
    cJSON_Delete(w->edit);
    xfree(w);
}

static void fail(edit_work *w, const char *sentence) {
    work_fail(w->work, LSP_REQUEST_FAILED, sentence);
}

/* ---- apply ----------------------------------------------------------------------------------- */

static void on_applied(void *own, const rpc_answer *a) {
    edit_work *w = own;
    action_applied(w->work, a);
}

static void deliver(edit_work *w) {
    cJSON *edit = w->edit;
    w->edit = NULL;
    if (w->resolve) {
        cJSON *chosen = w->resolve;
        w->resolve = NULL;
        cJSON_AddItemToObject(chosen, "edit", edit);
        work_done(w->work, chosen, "done");
        return;
    }
    work_progress_text(w->work, "applying", -1);
    work_request(w->work, "workspace/applyEdit", protocol_apply(w->title, edit), on_applied);
}

static void on_confirmed(void *own, const rpc_answer *a) {
    edit_work *w = own;
    const cJSON *title = protocol_get(a->result, "title");
    if (a->status == OK && cJSON_IsString(title) && !strcmp(title->valuestring, "Apply"))
        deliver(w);
    else
        work_fail(w->work, LSP_REQUEST_CANCELLED, "the change was not wanted");
}

static void confirm_then_deliver(edit_work *w, bool confirm) {
    static const char *const answers[] = {"Apply", "Discard", NULL};
    if (!confirm || work_server(w->work)->features.annotations) {
        deliver(w);
        return;
    }
    char text[420];
    snprintf(text, sizeof text, "%s: %s. Apply it all the same?", w->title, w->description);
    work_request(w->work, "window/showMessageRequest",
                 protocol_question(MESSAGE_WARNING, text, answers), on_confirmed);
}

/* ---- from the answer to an edit -------------------------------------------------------------- */

static bool ends_line(str text) {
    return str_ends_with(text, STR("\n"));
}

/* Lines that go and that come; one of which a part is written anew does both. */
static void count_edit(str before, const text_edit *e, size_t *gone, size_t *come) {
    str old = str_sub(before, e->from, e->to);
    bool starts = !e->from || before.ptr[e->from - 1] == '\n';
    bool whole = starts && (!old.len || ends_line(old)) && (!e->text.len || ends_line(e->text));
    *gone += str_count_lines(old) + (!whole && (!old.len || ends_line(old)));
    *come += str_count_lines(e->text) + (!whole && (!e->text.len || ends_line(e->text)));
}

static void describe(edit_work *w, const text_edit *edits, size_t n, str before,
                     const char *trouble) {
    size_t gone = 0, come = 0;
    for (size_t i = 0; i < n; i++)
        count_edit(before, &edits[i], &gone, &come);
    const model *m = server_model(work_server(w->work), ROLE_ACTIONS);
    snprintf(w->description, sizeof w->description, "%.80s, +%zu -%zu lines%s", m->name, come, gone,
             trouble);
}

/* The target becomes `text`: the smallest edits that do that.  `trouble`: why a person should look
 * first, or NULL. */
static void change_target_to(edit_work *w, size_t from, size_t to, str text, const char *trouble) {
    server *s = work_server(w->work);
    document *d = work_document(w->work);
    str before = document_text(d);
    strbuf after;
    strbuf_init(&after, LIMIT_DOCUMENT_BYTES);
    strbuf_add_str(&after, str_sub(before, 0, from));
    strbuf_add_str(&after, text);
    strbuf_add_str(&after, str_sub(before, to, before.len));
    arena a;
    arena_init(&a);
    text_edit *edits;
    size_t n = change_diff(before, strbuf_str(&after), &a, &edits);
    describe(w, edits, n, before, trouble ? trouble : "");
    lsp_edit_note note = {w->title, w->description, trouble != NULL};
    if (n) w->edit = protocol_edit(&s->features, s->encoding, d, edits, n, &note);
    bool fits = !after.overflow;
    arena_deinit(&a);
    strbuf_deinit(&after);
    char sentence[160];
    snprintf(sentence, sizeof sentence, "the model would change nothing in %s", w->label);
    if (!fits)
        fail(w, "the document would become too large");
    else if (!n)
        fail(w, sentence);
    else
        confirm_then_deliver(w, trouble != NULL);
}

static answer_place place_of(const document *d, const change_target *t) {
    str text = document_text(d);
    size_t line = document_line_start(d, document_line_of(d, t->from));
    str before = str_sub(text, line, t->from);
    return (answer_place){.original = str_sub(text, t->from, t->to),
                          .indentation = str_trim(before).len ? (str){0} : before,
                          .eol = document_eol(d)};
}

static void use_code(edit_work *w, const answer_code *code) {
    document *d = work_document(w->work);
    change_verdict v;
    change_judge(d, &w->target, code->code, &v);
    bool worse = v.known && v.after > v.before;
    char sentence[240];
    bool words = !v.defines || w->target.kind == TARGET_LINES || worse || !v.known;
    if (!code->fenced && words) {
        fail(w, "the model answered with words instead of code; nothing was changed");
    } else if (!v.defines) {
        snprintf(sentence, sizeof sentence,
                 "the model's answer does not define %s; nothing was changed", w->name);
        fail(w, sentence);
    } else {
        change_target_to(w, w->target.from, w->target.to, code->code,
                         worse                                ? "; it adds syntax errors"
                         : !v.known && document_has_syntax(d) ? "; its syntax was not checked"
                                                              : NULL);
    }
}

static void use_comment(edit_work *w, str raw) {
    enum { COLUMNS = 72 };
    document *d = work_document(w->work);
    const change_target *t = &w->target;
    arena a;
    arena_init(&a);
    str prose = answer_read_prose(raw, COLUMNS, &a), text = document_text(d);
    bool inside = !strcmp(document_language(d), "python");
    size_t at = inside ? t->body : t->from;
    size_t line = document_line_start(d, document_line_of(d, at));
    str indentation = str_sub(text, line, at);
    str comment = answer_comment(document_language(d), prose, indentation, document_eol(d), &a);
    if (!prose.len) {
        fail(w, "the model wrote no documentation; nothing was changed");
    } else if (str_trim(indentation).len || !comment.len) {
        fail(w, "there is no line of its own for a comment here; nothing was changed");
    } else {
        str with = str_of(arena_printf(&a, "%.*s%s%.*s", STR_ARG(comment), document_eol(d),
                                       STR_ARG(indentation)));
        change_target_to(w, at, at, with, NULL);
    }
    arena_deinit(&a);
}

/* The name of a test file beside this one, as a URI. */
static char *tests_uri(const document *d, arena *a) {
    str uri = document_uri(d);
    size_t slash = (size_t)(str_rfind_char(uri, '/') + 1);
    str folder = str_sub(uri, 0, slash), name = str_sub(uri, slash, uri.len);
    ptrdiff_t dot = str_rfind_char(name, '.');
    str stem = dot > 0 ? str_sub(name, 0, (size_t)dot) : name;
    str end = dot > 0 ? str_sub(name, (size_t)dot, name.len) : (str){0};
    const char *language = document_language(d);
    if (!strcmp(language, "python") || !strcmp(language, "c"))
        return arena_printf(a, "%.*stest_%.*s%.*s", STR_ARG(folder), STR_ARG(stem), STR_ARG(end));
    bool script = !strcmp(language, "javascript") || !strcmp(language, "typescript") ||
                  !strcmp(language, "tsx");
    return arena_printf(a, script ? "%.*s%.*s.test%.*s" : "%.*s%.*s_test%.*s", STR_ARG(folder),
                        STR_ARG(stem), STR_ARG(end));
}

static void use_tests(edit_work *w, const answer_code *code) {
    server *s = work_server(w->work);
    arena a;
    arena_init(&a);
    const char *uri = tests_uri(work_document(w->work), &a);
    document *open = context_find(s->context, str_of(uri));
    str text = str_of(arena_printf(&a, "%.*s\n", STR_ARG(code->code)));
    text_edit end = {0};
    describe(w, &(text_edit){.text = text}, 1, (str){0}, "; a new file");
    lsp_edit_note note = {w->title, w->description, true};
    if (open) {
        size_t len = document_text(open).len;
        end = (text_edit){len, len, str_of(arena_printf(&a, "\n%.*s", STR_ARG(text)))};
        w->edit = protocol_edit(&s->features, s->encoding, open, &end, 1, &note);
    } else if (s->features.create_files) {
        w->edit = protocol_edit_new_file(&s->features, uri, text, &note);
    }
    bool made = w->edit != NULL;
    arena_deinit(&a);
    if (made)
        deliver(w);
    else
        fail(w, "this editor makes no files for a server: open the test file first");
}

static void on_answer(void *own, const agent_result *answer) {
    edit_work *w = own;
    document *d = work_document(w->work);
    if (w->action->way == ACTION_COMMENT) {
        use_comment(w, answer->text);
        return;
    }
    arena a;
    arena_init(&a);
    answer_code code;
    answer_place place = place_of(d, &w->target);
    if (w->action->way == ACTION_TESTS) place.indentation = (str){0};
    const char *why = answer_read_code(answer->text, !answer->cut, &place, &a, &code);
    w->target.name = str_of(w->name);
    if (why)
        fail(w, why);
    else if (w->action->way == ACTION_TESTS && !code.fenced)
        fail(w, "the model answered with words instead of code; nothing was changed");
    else if (w->action->way == ACTION_TESTS)
        use_tests(w, &code);
    else
        use_code(w, &code);
    arena_deinit(&a);
}

/* ---- start ----------------------------------------------------------------------------------- */

static void ask(edit_work *w, const action_place *at) {
    static const char *const forms[] = {
        [ACTION_EDIT] = "Answer with the whole changed code in one fenced block, and nothing else.",
        [ACTION_COMMENT] = "Answer with the text of the comment only: no code, no comment marks.",
        [ACTION_TESTS] = "Answer with the test file in one fenced block, and nothing else.",
    };
    server *s = work_server(w->work);
    strbuf user;
    strbuf_init(&user, 4u << 20);
    action_prompt p = {
        .document = work_document(w->work),
        .target = &w->target,
        .task = w->action->task,
        .instruction = at->in.instruction,
        .diagnostics = at->in.diagnostics,
        .marked = str_sub(document_text(work_document(w->work)), w->marked_from, w->marked_to),
        .answer = forms[w->action->way]};
    action_prompt_user(s, &p, &user);
    work_ask(w->work, &(work_question){.system = action_prompt_system(),
                                       .user = strbuf_str(&user),
                                       .about = &w->target,
                                       .answered = on_answer});
    strbuf_deinit(&user);
}

static const char holds_secret[] =
    "the code holds what looks like a key or a password; it was not shown to the model";

/* Why this cannot be done, or NULL. */
static const char *refuse(server *s, const code_action *a, const action_place *at,
                          const change_target *t, bool resolve) {
    if (!resolve && !s->features.apply_edit) return "this editor takes no edits from a server";
    if (t->to - t->from > LIMIT_ACTION_BYTES)
        return "this is too much code for one action; select less of it";
    if (context_has_secret(str_sub(document_text(at->document), t->from, t->to)))
        return holds_secret;
    if (!strcmp(a->word, "rewrite") && !at->in.instruction.len)
        return "what shall be changed? the command needs an instruction";
    if (a->offered && !a->offered(at->document, t))
        return "the action does not fit the code at this place";
    return NULL;
}

/* Lines that are to leave their function: that becomes the target.  A sentence when it cannot. */
static const char *widen(edit_work *w, document *d) {
    change_target lines = w->target;
    bool found = change_find_target(d, lines.from, lines.from, LIMIT_PARSE_SLICE_US, &w->target);
    w->marked_from = lines.from;
    w->marked_to = lines.to;
    bool inside = found && w->target.kind == TARGET_FUNCTION && w->target.from < lines.from &&
                  w->target.to >= lines.to;
    if (!inside) return "select lines inside of one function to extract them";
    if (w->target.to - w->target.from > LIMIT_ACTION_BYTES)
        return "the function around these lines is too large for one action";
    str code = str_sub(document_text(d), w->target.from, w->target.to);
    return context_has_secret(code) ? holds_secret : NULL;
}

void action_edit_start(server *s, const code_action *a, const action_place *at,
                       const cJSON *resolve, const cJSON *token, reply *r) {
    edit_work *w = xcalloc(1, sizeof *w);
    w->action = a;
    const char *why = "there is nothing but blanks at this place";
    if (change_find_target(at->document, at->from, at->to, LIMIT_PARSE_SLICE_US, &w->target))
        why = refuse(s, a, at, &w->target, resolve != NULL);
    if (!why) action_label(at->document, &w->target, w->label);
    if (!why && !strcmp(a->word, "extract")) why = widen(w, at->document);
    if (why) {
        reply_error(r, LSP_REQUEST_FAILED, why);
        xfree(w);
        return;
    }
    snprintf(w->name, sizeof w->name, "%.*s", (int)MIN(w->target.name.len, sizeof w->name - 1),
             w->target.name.ptr ? w->target.name.ptr : "");
    snprintf(w->title, sizeof w->title, "%s %s", a->verb, w->label);
    if (resolve) w->resolve = cJSON_Duplicate(resolve, true);
    work *started = work_new(s, r,
                             &(work_order){.title = w->title,
                                           .role = ROLE_ACTIONS,
                                           .token = token,
                                           .document = at->document,
                                           .bound = true,
                                           .ended = on_ended,
                                           .own = w});
    if (!started) return; /* and `w` is gone */
    w->work = started;
    ask(w, at);
}
