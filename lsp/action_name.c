/* SPDX-License-Identifier: Apache-2.0 */
/* Extractions that the syntax tree does exactly, under a name that a model proposes.
 *
 *     start -> the model writes {"name": ...} -> the tree extracts -> the edit
 *                   \_ not ready, too slow, nonsense _/  with a name by rule
 *
 * The model writes nothing but the name: a grammar allows only identifiers, and what the file uses
 * already is made different by the tree.  Without an answer in NAME_MS the rule's name stands, so
 * the action never fails for want of a model; the edit's annotation says who named it.
 * Thread: loop.
 */
#include <cjson/cJSON.h>

#include "context/refactor.h"
#include "engine/base/limits.h"
#include "lsp/actions.h"
#include "lsp/position.h"
#include "lsp/server.h"

#define NAME_MS 3000
#define NAME_TOKENS 48
#define CODE_BYTES 2400 /* of the function around, for the model */

typedef struct {
    work *work;
    const code_action *action;
    size_t from, to;
    cJSON *resolve; /* the action to send back, or NULL: the edit is applied */
    char title[160];
} name_work;

static void on_ended(void *own) {
    name_work *w = own;
    cJSON_Delete(w->resolve);
    xfree(w);
}

static bool extract(const code_action *a, document *d, size_t from, size_t to, str name, arena *mem,
                    refactoring *out) {
    return !strcmp(a->word, "nameVariable")
               ? refactor_extract_variable(d, from, to, name, mem, out)
               : refactor_extract_function(d, from, to, name, mem, out);
}

static void on_applied(void *own, const rpc_answer *a) {
    name_work *w = own;
    action_applied(w->work, a);
}

/* `name` is empty, or what a model has proposed. */
static void deliver(name_work *w, str name) {
    server *s = work_server(w->work);
    document *d = work_document(w->work);
    arena a;
    refactoring r;
    char label[120], by[160];
    arena_init(&a);
    if (!extract(w->action, d, w->from, w->to, name, &a, &r)) {
        arena_deinit(&a);
        work_fail(w->work, LSP_REQUEST_FAILED, "the syntax tree is not ready; try again");
        return;
    }
    bool named = name.len && str_starts_with(r.name, name);
    snprintf(label, sizeof label, "%s %.*s", w->action->verb, (int)MIN(r.name.len, 60), r.name.ptr);
    snprintf(by, sizeof by, named ? "by the syntax tree, named by %.80s" : "by the syntax tree",
             server_model(s, ROLE_ACTIONS)->name);
    lsp_edit_note note = {label, by, false};
    cJSON *edit = protocol_edit(&s->features, s->encoding, d, r.edits, r.n, &note);
    arena_deinit(&a);
    if (w->resolve) {
        cJSON *chosen = w->resolve;
        w->resolve = NULL;
        cJSON_AddItemToObject(chosen, "edit", edit);
        work_done(w->work, chosen, "done");
        return;
    }
    work_request(w->work, "workspace/applyEdit", protocol_apply(label, edit), on_applied);
}

static void on_answer(void *own, const agent_result *answer) {
    const cJSON *name = protocol_get(answer->json, "name");
    bool good = cJSON_IsString(name) && refactor_is_name(str_of(name->valuestring));
    deliver(own, good ? str_of(name->valuestring) : (str){0});
}

static void on_no_answer(void *own) {
    deliver(own, (str){0});
}

/* ---- start ----------------------------------------------------------------------------------- */

bool action_name_ready(const server *s) {
    const model *m = server_model(s, ROLE_ACTIONS);
    return m->state == MODEL_READY && m->info.chat;
}

/* The function around, or as much of it as fits around what is marked. */
static str code_around(document *d, size_t from, size_t to) {
    change_target t;
    str text = document_text(d);
    size_t begin = from, end = to;
    if (change_find_target(d, from, from, LIMIT_PARSE_SLICE_US, &t) && t.from <= from &&
        t.to >= to) {
        begin = t.from;
        end = t.to;
    }
    if (end - begin > CODE_BYTES) {
        size_t half = CODE_BYTES / 2;
        size_t low = document_line_of(d, from - MIN(from, half));
        size_t high = document_line_of(d, MIN(to + half, text.len));
        begin = MAX(begin, document_line_start(d, low));
        end = MIN(end, document_line_start(d, high));
    }
    return str_sub(text, MIN(begin, from), MAX(end, to));
}

static cJSON *name_schema(void) {
    static const char text[] =
        "{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\",\"pattern\":"
        "\"^[A-Za-z_][A-Za-z0-9_]{1,31}$\"}},\"required\":[\"name\"]}";
    cJSON *schema = cJSON_Parse(text);
    ASSERT(schema);
    return schema;
}

static void ask(name_work *w, str code) {
    document *d = work_document(w->work);
    strbuf user;
    strbuf_init(&user, 1u << 20);
    strbuf_addf(&user, "File %.*s, language %s.\nThe code:\n", STR_ARG(document_path(d)),
                document_language(d));
    action_prompt_fence(&user, document_language(d), code);
    strbuf_add_str(&user, STR("The marked code:\n"));
    action_prompt_fence(&user, document_language(d), str_sub(document_text(d), w->from, w->to));
    strbuf_addf(&user,
                "\n%s Answer with one name of at most three words, in the style of the code, as "
                "JSON: {\"name\": \"...\"}\n",
                w->action->task);
    cJSON *schema = name_schema();
    work_ask(w->work, &(work_question){.system = action_prompt_system(),
                                       .user = strbuf_str(&user),
                                       .schema = schema,
                                       .tokens_max = NAME_TOKENS,
                                       .time_ms = NAME_MS,
                                       .answered = on_answer,
                                       .unanswered = on_no_answer});
    cJSON_Delete(schema);
    strbuf_deinit(&user);
}

void action_name_start(server *s, const code_action *a, const action_place *at,
                       const cJSON *resolve, const cJSON *token, reply *r) {
    arena mem;
    refactoring possible = {0};
    char why[200] = "the syntax tree cannot extract this exactly";
    arena_init(&mem);
    bool good = at->to - at->from <= LIMIT_ACTION_BYTES &&
                extract(a, at->document, at->from, at->to, (str){0}, &mem, &possible);
    if (possible.why)
        snprintf(why, sizeof why, "these lines cannot become a function: %.120s", possible.why);
    arena_deinit(&mem);
    if (good && !resolve && !s->features.apply_edit)
        snprintf(why, sizeof why, "this editor takes no edits from a server");
    if (!good || (!resolve && !s->features.apply_edit)) {
        reply_error(r, LSP_REQUEST_FAILED, why);
        return;
    }
    name_work *w = xcalloc(1, sizeof *w);
    *w = (name_work){.action = a, .from = at->from, .to = at->to};
    snprintf(w->title, sizeof w->title, "%s", a->verb);
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
    str code = code_around(at->document, at->from, at->to);
    if (action_name_ready(s) && !context_has_secret(code))
        ask(w, code);
    else
        deliver(w, (str){0});
}
