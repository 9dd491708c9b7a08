/* SPDX-License-Identifier: Apache-2.0 */
/* From messages to ids.
 *
 *     messages --protect--> with placeholders --template--> text --split--> template's own words
 *                                                                           and what was protected
 *
 * A text of the user that contains the text of a control token ("<|im_end|>" in a file about chat
 * templates, or in a tool's answer that wants to be the user) would end its message.  So each such
 * place becomes U+FDD0 number U+FDD1 before the template runs (noncharacters, which no text that is
 * meant for others contains), and is encoded afterwards with its first byte apart, which no special
 * token can match.  All else is rendered byte for byte as it would be.
 *
 * Ids of an earlier turn are kept when the text begins with theirs, whatever a tokeniser would make
 * of the model's own answer now: the KV cache holds exactly those.
 */
#include "engine/chat_prompt.h"

#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "engine/base/vec.h"

#define OPEN "\xEF\xB7\x90"
#define CLOSE "\xEF\xB7\x91"

/* By the words with which the template shows a call; what has others is as good as none, because
 * nobody could read its calls. */
static chat_tool_style find_tool_style(str source) {
    if (str_find(source, STR("tools")) < 0) return CHAT_TOOLS_NONE;
    if (str_find(source, STR("<tool_call>")) >= 0) return CHAT_TOOLS_TAGGED;
    if (str_find(source, STR("[TOOL_CALLS]")) >= 0) return CHAT_TOOLS_LIST;
    if (str_find(source, STR("parameters")) >= 0) return CHAT_TOOLS_BARE;
    return CHAT_TOOLS_NONE;
}

void chat_format_read(chat_format *out, const gguf *g) {
    str source = {0};
    *out = (chat_format){0};
    if (!gguf_find_str(g, "tokenizer.chat_template", &source) || source.len == 0) {
        status s = err_set(&out->why, ERR_UNSUPPORTED,
                           "this model's file has no chat template: it only completes text; "
                           "choose an instruct model");
        UNUSED(s);
        return;
    }
    status s = chat_template_parse(&out->template, source, &out->why);
    if (s == OK) out->tools = find_tool_style(source);
}

void chat_format_deinit(chat_format *f) {
    chat_template_free(f->template);
    *f = (chat_format){0};
}

/* ---- protecting texts ------------------------------------------------------------------------ */

typedef struct {
    const tokenizer *t;
    arena mem;
    VEC(str) hidden; /* what the placeholders stand for */
} protection;

static str protect_text(protection *p, str text) {
    size_t len = 0, at = tokenizer_find_special(p->t, text, &len);
    if (at == text.len) return text;
    strbuf out;
    strbuf_init(&out, 8 * (size_t)LIMIT_CHAT_MESSAGES_BYTES);
    while (at < text.len) {
        strbuf_add_str(&out, str_sub(text, 0, at));
        strbuf_addf(&out, OPEN "%zu" CLOSE, p->hidden.count);
        vec_push(&p->hidden, str_sub(text, at, at + len));
        text = str_sub(text, at + len, text.len);
        at = tokenizer_find_special(p->t, text, &len);
    }
    strbuf_add_str(&out, text);
    str made = arena_str(&p->mem, strbuf_str(&out));
    strbuf_deinit(&out);
    return made;
}

/* Depth and size were bounded when the job came in. */
static chat_value protect(protection *p, chat_value v) {
    if (v.kind == CHAT_STR) return chat_str(protect_text(p, v.text));
    if (v.kind != CHAT_LIST && v.kind != CHAT_DICT) return v;
    chat_value out = v.kind == CHAT_LIST ? chat_new_list(&p->mem) : chat_new_dict(&p->mem);
    for (size_t i = 0; i < chat_count(v); i++) {
        str key;
        chat_value item = protect(p, chat_at(v, i, &key));
        if (v.kind == CHAT_LIST)
            chat_list_add(&p->mem, out, item);
        else
            chat_dict_set(&p->mem, out, key, item);
    }
    return out;
}

/* ---- the text, in pieces --------------------------------------------------------------------- */

typedef struct {
    str text;
    bool hidden;
} piece;
typedef VEC(piece) piece_vec;

static void split(const protection *p, str text, piece_vec *out) {
    for (ptrdiff_t at; (at = str_find(text, STR(OPEN))) >= 0;) {
        str rest = str_sub(text, (size_t)at + sizeof OPEN - 1, text.len);
        ptrdiff_t end = str_find(rest, STR(CLOSE));
        int64_t number = -1;
        if (end < 0 || !str_to_i64(str_sub(rest, 0, (size_t)end), &number) || number < 0 ||
            (size_t)number >= p->hidden.count) { /* somebody's own U+FDD0 */
            size_t upto = (size_t)at + sizeof OPEN - 1;
            vec_push(out, ((piece){str_sub(text, 0, upto), false}));
            text = str_sub(text, upto, text.len);
            continue;
        }
        if (at > 0) vec_push(out, ((piece){str_sub(text, 0, (size_t)at), false}));
        vec_push(out, ((piece){p->hidden.at[number], true}));
        text = str_sub(rest, (size_t)end + sizeof CLOSE - 1, rest.len);
    }
    if (text.len) vec_push(out, ((piece){text, false}));
}

/* True: the pieces' text begins with `head`, which is taken off them. */
static bool skip_head(piece_vec *pieces, str head) {
    size_t left = head.len, i = 0;
    for (; i < pieces->count && left > 0; i++) {
        str text = pieces->at[i].text, rest = str_sub(head, head.len - left, head.len);
        size_t n = MIN(text.len, rest.len);
        if (memcmp(text.ptr, rest.ptr, n) != 0) return false;
        left -= n;
        if (n < text.len) break;
    }
    if (left > 0) return false;
    size_t gone = head.len;
    for (size_t k = 0; k < pieces->count && gone > 0; k++) {
        size_t n = MIN(gone, pieces->at[k].text.len);
        pieces->at[k].text = str_sub(pieces->at[k].text, n, pieces->at[k].text.len);
        gone -= n;
    }
    return true;
}

static status encode(const tokenizer *t, const piece_vec *pieces, token_vec *out, err *e) {
    status s = OK;
    for (size_t i = 0; i < pieces->count && s == OK; i++) {
        str text = pieces->at[i].text;
        if (!pieces->at[i].hidden) {
            s = tokenizer_encode(t, text, true, out, e);
            continue;
        }
        s = tokenizer_encode(t, str_sub(text, 0, 1), false, out, e);
        if (s == OK) s = tokenizer_encode(t, str_sub(text, 1, text.len), false, out, e);
    }
    return s;
}

/* Ids of the earlier turn, if the text goes on from them. */
static void keep_earlier(const tokenizer *t, const engine_prompt *p, piece_vec *pieces,
                         token_vec *out) {
    strbuf head;
    strbuf_init(&head, LIMIT_CHAT_OUTPUT_BYTES);
    tokenizer_decode(t, p->tokens, p->n_tokens, true, &head);
    if (!head.overflow && head.len > 0 && skip_head(pieces, strbuf_str(&head)))
        for (size_t i = 0; i < p->n_tokens; i++)
            vec_push(out, p->tokens[i]);
    strbuf_deinit(&head);
}

static status render(const chat_format *f, protection *guard, const engine_prompt *p, strbuf *text,
                     err *e) {
    const tokenizer_facts *facts = tokenizer_get_facts(guard->t);
    chat_value vars = protect(guard, p->chat);
    chat_dict_set(&guard->mem, vars, STR("bos_token"),
                  chat_str(tokenizer_piece(guard->t, facts->bos)));
    chat_dict_set(&guard->mem, vars, STR("eos_token"),
                  chat_str(tokenizer_piece(guard->t, facts->eos)));
    chat_dict_set(&guard->mem, vars, STR("add_generation_prompt"), chat_bool(true));
    return chat_template_render(f->template, vars, text, e);
}

status chat_prompt_build(const chat_format *f, const tokenizer *t, const engine_prompt *p,
                         token_vec *out, err *e) {
    if (!f->template) return err_set(e, ERR_UNSUPPORTED, "%s", f->why.text);
    protection guard = {.t = t};
    strbuf text;
    piece_vec pieces = {0};
    arena_init(&guard.mem);
    strbuf_init(&text, LIMIT_CHAT_OUTPUT_BYTES);
    status s = render(f, &guard, p, &text, e);
    if (s == OK) {
        split(&guard, strbuf_str(&text), &pieces);
        keep_earlier(t, p, &pieces, out);
        s = encode(t, &pieces, out, e);
    }
    vec_free(&pieces);
    vec_free(&guard.hidden);
    strbuf_deinit(&text);
    arena_deinit(&guard.mem);
    return s;
}
