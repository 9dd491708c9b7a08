/* SPDX-License-Identifier: Apache-2.0 */
/* Work whose result is text for a person: an explanation on a page, a commit message.
 *
 * An explanation may call tools of MCP servers, by their rules and with the person's approval.  A
 * message for a commit goes to the top of the document when that is a commit's, else into the
 * answer.  Thread: loop.
 */
#include <cjson/cJSON.h>

#include "engine/base/limits.h"
#include "engine/base/utf8.h"
#include "lsp/actions.h"
#include "lsp/answer.h"
#include "lsp/git.h"
#include "lsp/pages.h"
#include "lsp/position.h"
#include "lsp/server.h"

#define DIFF_BYTES (24u << 10) /* of staged changes that a message is made from */
#define COLUMNS 72

typedef struct {
    work *work;
    char title[160];
    unsigned page;    /* explanations; 0: not begun */
    git_command *git; /* commit messages */
    bool commit_document;
} text_work;

static void on_ended(void *own) {
    text_work *w = own;
    if (w->git) git_cancel(w->git);
    xfree(w);
}

/* ---- explanations ---------------------------------------------------------------------------- */

static str page_text(const text_work *w, str answer, arena *a) {
    return str_of(arena_printf(a, "# %s\n\n%.*s\n", w->title, STR_ARG(answer)));
}

static void on_told(void *own, str text) {
    text_work *w = own;
    server *s = work_server(w->work);
    arena a;
    arena_init(&a);
    if (s->features.text_content)
        w->page = pages_write(s, w->page, w->title, page_text(w, text, &a), false);
    arena_deinit(&a);
}

static void on_explained(void *own, const agent_result *r) {
    text_work *w = own;
    server *s = work_server(w->work);
    if (!r->text.len || answer_has_template(r->text)) {
        work_fail(w->work, LSP_REQUEST_FAILED, "the model had nothing to say");
        return;
    }
    arena a;
    arena_init(&a);
    w->page = pages_write(s, w->page, w->title, page_text(w, r->text, &a), true);
    arena_deinit(&a);
    cJSON *result = cJSON_CreateObject();
    cJSON_AddItemToObject(result, "text", protocol_text(r->text));
    const char *uri = pages_uri(s, w->page);
    if (uri) cJSON_AddStringToObject(result, "uri", uri);
    work_done(w->work, result, "done");
}

void action_explain_start(server *s, const action_place *at, const cJSON *token, reply *r) {
    change_target t;
    const char *why = NULL;
    if (!change_find_target(at->document, at->from, at->to, LIMIT_PARSE_SLICE_US, &t))
        why = "there is nothing but blanks at this place";
    else if (t.to - t.from > LIMIT_ACTION_BYTES)
        why = "this is too much code for one explanation; select less of it";
    else if (context_has_secret(str_sub(document_text(at->document), t.from, t.to)))
        why = "the code holds what looks like a key or a password; it was not shown to the model";
    if (why) {
        reply_error(r, LSP_REQUEST_FAILED, why);
        return;
    }
    char label[96];
    text_work *w = xcalloc(1, sizeof *w);
    action_label(at->document, &t, label);
    snprintf(w->title, sizeof w->title, "Explain %s", label);
    work *started = work_new(s, r,
                             &(work_order){.title = w->title,
                                           .role = ROLE_EXPLAIN,
                                           .token = token,
                                           .document = at->document,
                                           .ended = on_ended,
                                           .own = w});
    if (!started) return; /* and `w` is gone */
    w->work = started;
    strbuf user;
    strbuf_init(&user, 4u << 20);
    action_prompt p = {.document = at->document,
                       .target = &t,
                       .task = at->in.instruction.len
                                   ? "Answer this question about the code: "
                                   : "Explain this code to a programmer who sees it for the first "
                                     "time: what it does, how, and what to watch out for. ",
                       .instruction = at->in.instruction,
                       .answer = "Answer in Markdown, in at most twelve sentences."};
    action_prompt_user(s, &p, &user);
    work_ask(w->work, &(work_question){.system = action_prompt_system(),
                                       .user = strbuf_str(&user),
                                       .tools = true,
                                       .about = &t,
                                       .answered = on_explained,
                                       .told = on_told});
    strbuf_deinit(&user);
}

/* ---- commit messages ------------------------------------------------------------------------- */

static void on_inserted(void *own, const rpc_answer *a) {
    text_work *w = own;
    action_applied(w->work, a);
}

static void on_message(void *own, const agent_result *r) {
    text_work *w = own;
    server *s = work_server(w->work);
    document *d = work_document(w->work);
    arena a;
    arena_init(&a);
    str message = answer_read_prose(r->text, COLUMNS, &a);
    if (!message.len) {
        work_fail(w->work, LSP_REQUEST_FAILED, "the model wrote no message");
    } else if (w->commit_document && d && s->features.apply_edit) {
        text_edit edit = {.text = str_of(arena_printf(&a, "%.*s\n", STR_ARG(message)))};
        lsp_edit_note note = {w->title, "from the staged changes", false};
        work_request(
            w->work, "workspace/applyEdit",
            protocol_apply(w->title, protocol_edit(&s->features, s->encoding, d, &edit, 1, &note)),
            on_inserted);
    } else {
        cJSON *result = cJSON_CreateObject();
        cJSON_AddItemToObject(result, "message", protocol_text(message));
        work_done(w->work, result, "done");
    }
    arena_deinit(&a);
}

/* The path of a section "diff --git a/x b/x"; empty: not to be read. */
static str path_of(str section) {
    str line;
    while (str_split(&section, '\n', &line)) {
        if (str_starts_with(line, STR("+++ b/"))) return str_sub(line, 6, line.len);
        if (str_starts_with(line, STR("--- a/"))) {
            str next = section;
            (void)str_split(&next, '\n', &next);
            if (str_starts_with(next, STR("+++ /dev/null"))) return str_sub(line, 6, line.len);
        }
        if (str_starts_with(line, STR("@@"))) break;
    }
    return (str){0};
}

/* The sections of a diff that may be shown: of files that are not private, without secrets. */
static void add_sections(server *s, str diff, strbuf *out) {
    while (diff.len) {
        ptrdiff_t next = str_find(str_sub(diff, 1, diff.len), STR("\ndiff --git "));
        str section = next < 0 ? diff : str_sub(diff, 0, (size_t)next + 2);
        str path = path_of(section);
        diff = str_sub(diff, section.len, diff.len);
        if (!path.len || context_hides(s->context, path)[0] || context_has_secret(section))
            continue;
        strbuf_add_str(out, section);
    }
}

static void on_diff(void *own, const git_answer *answer) {
    text_work *w = own;
    server *s = work_server(w->work);
    w->git = NULL;
    if (answer->status) {
        work_fail(w->work, LSP_REQUEST_FAILED, answer->why);
        return;
    }
    strbuf clean, user;
    strbuf_init(&clean, (size_t)8 * DIFF_BYTES);
    strbuf_init(&user, (size_t)10 * DIFF_BYTES);
    utf8_sanitize(&clean, answer->output);
    strbuf_add_str(&user, STR("These changes are staged in git:\n````diff\n"));
    size_t before = user.len;
    add_sections(s, strbuf_str(&clean), &user);
    bool empty = user.len == before;
    strbuf_add_str(
        &user,
        STR("````\nWrite the commit message: a first line of at most 60 characters in the "
            "imperative, an empty line, and, if the changes need it, why, in at most four lines. "
            "Answer with the message only.\n"));
    strbuf_deinit(&clean);
    if (empty)
        work_fail(w->work, LSP_REQUEST_FAILED,
                  "nothing is staged that may be read: git add what shall be committed");
    else
        work_ask(w->work, &(work_question){.system = action_prompt_system(),
                                           .user = strbuf_str(&user),
                                           .answered = on_message});
    strbuf_deinit(&user);
}

void action_commit_start(server *s, const cJSON *argument, const cJSON *token, reply *r) {
    const cJSON *uri = protocol_get(argument, "uri");
    str where = cJSON_IsString(uri) ? str_of(uri->valuestring) : (str){0};
    document *d = where.len ? context_find(s->context, where) : NULL;
    arena a;
    arena_init(&a);
    str folder = where.len ? uri_path(where, &a) : (str){0};
    ptrdiff_t slash = str_rfind_char(folder, '/');
    if (slash > 0) folder = str_sub(folder, 0, (size_t)slash);
    bool commit = str_ends_with(where, STR("/COMMIT_EDITMSG"));
    if (commit) folder = (str){0}; /* inside of .git there is no work tree */
    if (!folder.len && s->roots.count) folder = str_of(s->roots.at[0]);
    if (!s->options.git || !folder.len || !s->settings.enable || !s->settings.actions.enable) {
        reply_error(r, LSP_REQUEST_FAILED, "git cannot be asked here: open a folder first");
        arena_deinit(&a);
        return;
    }
    text_work *w = xcalloc(1, sizeof *w);
    w->commit_document = commit;
    snprintf(w->title, sizeof w->title, "Commit message");
    work *started = work_new(s, r,
                             &(work_order){.title = w->title,
                                           .role = ROLE_ACTIONS,
                                           .token = token,
                                           .document = d,
                                           .bound = d && commit,
                                           .ended = on_ended,
                                           .own = w});
    static const char *const args[] = {"diff", "--cached", "-U2", "--src-prefix=a/",
                                       "--dst-prefix=b/"};
    git_question q = {.folder = arena_str(&a, folder).ptr,
                      .args = args,
                      .n_args = COUNTOF(args),
                      .bytes_max = DIFF_BYTES};
    if (started) {
        w->work = started;
        w->git = git_ask(s->options.git, &q, on_diff, w);
    }
    arena_deinit(&a);
}
