/* SPDX-License-Identifier: Apache-2.0 */
/* Building prompts.
 *
 * A completion is laid out as:   [begin] chunks... [header] then the style's layout, for instance
 *
 *     "pPsSm"  PRE prefix SUF suffix MID      prefix-suffix-middle, what most families publish
 *     "psSmP"  PRE SUF suffix MID prefix      the prefix last: typing only appends, so
 *                                             the KV cache survives each key
 *     "P"      prefix                         no fill-in-the-middle
 *
 * Budgets cut the prefix on the left and the suffix on the right.  The left cut must not slide with
 * every key, or no cached prefix would ever match: of all line starts that leave between 3/4 and
 * all of the budget, the one whose following bytes have the smallest hash is taken.  That choice
 * depends on the text around the cut alone, so it stays put while somebody types at the other end,
 * and survives a caller whose own window moves.
 *
 * Text of the user is never searched for control tokens.
 */
#include "engine/prompt.h"

#include "engine/base/hash.h"
#include "engine/base/limits.h"
#include "engine/base/utf8.h"

#define PREFIX_TOKENS 1024
#define SUFFIX_TOKENS 320    /* before the prefix: computed once per place */
#define SUFFIX_TOKENS_PSM 96 /* behind the prefix: computed again at every key */
#define CONTEXT_TOKENS 512
#define BYTES_PER_TOKEN 8 /* more than code has; bounds what is tokenised */

/* ---- style ----------------------------------------------------------------------------------- */

/* Does the file itself name the markers?  Vocabularies often have them though the model never saw
 * one, so markers that only exist by their text count for models that call themselves code models.
 * */
static bool is_trained_for_fim(const gguf *g) {
    int64_t id;
    if (gguf_find_i64(g, "tokenizer.ggml.fim_pre_token_id", &id) ||
        gguf_find_i64(g, "tokenizer.ggml.prefix_token_id", &id))
        return true;
    str name = {0}, base = {0};
    gguf_find_str(g, "general.name", &name);
    gguf_find_str(g, "general.basename", &base);
    static const char *const words[] = {"cod", "granite", "mellum", "fim", "glm-4"};
    for (size_t i = 0; i < COUNTOF(words); i++)
        if (str_contains_ignore_case(name, str_of(words[i])) ||
            str_contains_ignore_case(base, str_of(words[i])))
            return true;
    str arch = {0};
    return gguf_find_str(g, "general.architecture", &arch) && str_eq(arch, STR("starcoder2"));
}

/* Families that differ from prefix-suffix-middle, or in how they name files.  First match wins. */
static const struct {
    const char *name; /* part of general.name */
    const char *layout;
    bool header, single_line;
    const char *path_mark; /* NULL: the separator token, else "# " */
} families[] = {
    {"codestral", "sSpP", false, false, "+++++ "}, {"deepseek", "pPsSm", false, false, "#"},
    {"inlined", "psSmP", true, true, NULL}, /* our own: prefix last, random spans 1-2 % right */
    {"mellum", "sSpPm", false, false, NULL},       {"seed-coder", "sSpPm", false, false, NULL},
};

void prompt_style_detect(prompt_style *out, const tokenizer *t, const gguf *g) {
    const tokenizer_facts *f = tokenizer_get_facts(t);
    *out = (prompt_style){.format = FIM_NONE,
                          .layout = "P",
                          .pre = f->fim_pre,
                          .suf = f->fim_suf,
                          .mid = f->fim_mid,
                          .sep = f->fim_sep,
                          .path_mark = "# ",
                          .begin = -1};
    if (f->add_bos) out->begin = f->bos;
    out->begin_if_empty = tokenizer_find(t, STR("<|endoftext|>"));
    if (out->begin_if_empty < 0) out->begin_if_empty = f->bos >= 0 ? f->bos : f->eos;
    bool markers = f->fim_pre >= 0 && f->fim_suf >= 0;
    if (!markers || !is_trained_for_fim(g)) return;
    out->layout = "pPsSm";
    str name = {0};
    gguf_find_str(g, "general.name", &name);
    for (size_t i = 0; i < COUNTOF(families); i++) {
        if (!str_contains_ignore_case(name, str_of(families[i].name))) continue;
        out->layout = families[i].layout;
        out->header = families[i].header;
        out->single_line = families[i].single_line;
        if (!families[i].path_mark) break;
        out->path_mark = families[i].path_mark;
        out->sep = -1;
        break;
    }
    /* Trained on several files in one prompt; ours was not, and what it gains is not measured. */
    out->cross_file = out->sep >= 0 && !out->header;
    if (strchr(out->layout, 'm') && f->fim_mid < 0) {
        out->layout = "P"; /* a marker is missing: completing from the prefix is the safe form */
        return;
    }
    out->format = strcmp(out->layout, "pPsSm") == 0 ? FIM_PSM : FIM_SPM;
}

/* ---- budgets --------------------------------------------------------------------------------- */

typedef struct {
    const tokenizer *t;
    status status; /* the first failure sticks */
    err *e;
} encoder;

static void encode(encoder *enc, str text, bool special, token_vec *out) {
    if (enc->status == OK) enc->status = tokenizer_encode(enc->t, text, special, out, enc->e);
}

static size_t char_start(str text, size_t at) {
    while (at < text.len && ((unsigned char)text.ptr[at] & 0xC0) == 0x80)
        at++;
    return at;
}

/* Where the last `keep` tokens begin. */
static size_t offset_from_end(const encoder *enc, const token_vec *ids, int keep, size_t len) {
    size_t bytes = 0;
    for (size_t i = ids->count; i > 0 && keep > 0; i--, keep--)
        bytes += tokenizer_piece(enc->t, ids->at[i - 1]).len;
    return bytes > len ? 0 : len - bytes;
}

/* The best place for a cut in text[from .. to]: see the head of this file. */
static size_t quiet_place(str text, size_t from, size_t to) {
    uint64_t best_hash = UINT64_MAX;
    size_t best = char_start(text, from);
    bool lines = false;
    for (size_t at = from; at <= to && at < text.len; at++) {
        bool starts_line = at == 0 || text.ptr[at - 1] == '\n';
        if (lines && !starts_line) continue;
        if (char_start(text, at) != at) continue;
        uint64_t hash = hash64(0, text.ptr + at, MIN((size_t)64, text.len - at));
        if (starts_line == lines && hash >= best_hash) continue;
        lines = starts_line; /* the first line start beats every other place */
        best_hash = hash;
        best = at;
    }
    return best;
}

static void add_prefix(encoder *enc, str text, int budget, token_vec *out) {
    size_t most = (size_t)budget * BYTES_PER_TOKEN;
    bool whole = text.len <= most;
    if (!whole) text = str_sub(text, char_start(text, text.len - most), text.len);
    encode(enc, text, false, out);
    if (enc->status != OK || (whole && out->count <= (size_t)budget)) return;
    size_t from = offset_from_end(enc, out, MAX(budget - 8, 1), text.len); /* 8: splitting anew may
                                                                             cost a token or two */
    size_t to = offset_from_end(enc, out, budget - budget / 4, text.len);
    size_t cut = quiet_place(text, from, MAX(from, to));
    vec_clear(out);
    encode(enc, str_sub(text, cut, text.len), false, out);
}

static void add_suffix(encoder *enc, str text, int budget, token_vec *out) {
    size_t most = (size_t)budget * BYTES_PER_TOKEN;
    bool whole = text.len <= most;
    if (!whole) text = str_sub(text, 0, char_start(text, most));
    encode(enc, text, false, out);
    if (enc->status != OK || (whole && out->count <= (size_t)budget)) return;
    size_t to = 0;
    for (size_t i = 0; i < out->count && i < (size_t)budget; i++)
        to += tokenizer_piece(enc->t, out->at[i]).len;
    str kept = str_sub(text, 0, MIN(to, text.len));
    ptrdiff_t newline = str_rfind_char(kept, '\n');
    size_t end = newline >= 0 ? (size_t)newline + 1 : kept.len;
    end = utf8_complete_prefix(str_sub(text, 0, end));
    vec_clear(out);
    encode(enc, str_sub(text, 0, end), false, out);
}

/* ---- completion ------------------------------------------------------------------------------ */

typedef struct {
    int prefix, suffix, context;
} budgets;

/* What fits: the asked-for or chosen sizes, scaled down when the sequence is short. */
static budgets find_budgets(const engine_job *job, const prompt_style *style, int context) {
    const engine_prompt *p = &job->prompt;
    int suffix = style->format == FIM_PSM ? SUFFIX_TOKENS_PSM : SUFFIX_TOKENS;
    budgets b = {p->prefix_tokens_max > 0 ? p->prefix_tokens_max : PREFIX_TOKENS,
                 p->suffix_tokens_max > 0 ? p->suffix_tokens_max : suffix,
                 p->context_tokens_max > 0 ? p->context_tokens_max : CONTEXT_TOKENS};
    int markers = 16;
    int room = MAX(context - MIN(job->tokens_max, context / 4) - markers, 16);
    if (style->format == FIM_NONE) b.suffix = 0;
    if (p->n_chunks == 0) b.context = 0;
    b.suffix = MIN(b.suffix, room / 4);
    b.context = MIN(b.context, room / 4);
    b.prefix = MIN(b.prefix, room - b.suffix - b.context - room / 16); /* a 16th: path lines */
    return b;
}

static void add_path_line(encoder *enc, const prompt_style *style, str path, token_vec *out) {
    strbuf line;
    strbuf_init(&line, 512);
    if (style->sep >= 0)
        vec_push(out, style->sep);
    else
        strbuf_add_str(&line, str_of(style->path_mark));
    strbuf_add_str(&line, str_sub(path, path.len > 256 ? path.len - 256 : 0, path.len));
    strbuf_add_char(&line, '\n');
    encode(enc, strbuf_str(&line), false, out);
    strbuf_deinit(&line);
}

/* Whole chunks, in the caller's order (stable first), as long as they fit. */
static void add_chunks(encoder *enc, const prompt_style *style, const engine_prompt *p, int budget,
                       prompt *out) {
    size_t before = out->ids.count;
    for (size_t i = 0; i < p->n_chunks && enc->status == OK; i++) {
        size_t start = out->ids.count;
        str text = p->chunks[i].text;
        if (text.len > (size_t)budget * BYTES_PER_TOKEN) continue;
        if (p->chunks[i].path.len) add_path_line(enc, style, p->chunks[i].path, &out->ids);
        encode(enc, text, false, &out->ids);
        if (!str_ends_with(text, STR("\n"))) encode(enc, STR("\n"), false, &out->ids);
        if (out->ids.count - before > (size_t)budget) out->ids.count = start;
    }
    out->context_tokens = (int)(out->ids.count - before);
}

static void append(token_vec *to, const token_vec *from) {
    for (size_t i = 0; i < from->count; i++)
        vec_push(to, from->at[i]);
}

/* Drops what the cursor may have split and owes its bytes. */
static void cut_for_healing(const tokenizer *t, token_vec *ids, prompt *out) {
    int n = ids->count ? heal_count(t, ids->at, (int)ids->count) : 0;
    if (n == 0) return;
    ids->count -= (size_t)n;
    heal_init(&out->heal, t, ids->at + ids->count, n);
}

static void lay_out(const prompt_style *style, const token_vec *prefix, const token_vec *suffix,
                    token_vec *out) {
    for (const char *c = style->layout; *c; c++) {
        switch (*c) {
        case 'P': append(out, prefix); break;
        case 'S': append(out, suffix); break;
        case 'p': vec_push(out, style->pre); break;
        case 's': vec_push(out, style->suf); break;
        case 'm': vec_push(out, style->mid); break;
        default: ASSERT(0);
        }
    }
}

static status build_completion(prompt *out, const prompt_style *style, encoder *enc,
                               const engine_job *job, int context) {
    static const char *const names[] = {"prefix", "fim-psm", "fim-spm"};
    const engine_prompt *p = &job->prompt;
    budgets b = find_budgets(job, style, context);
    token_vec prefix = {0}, suffix = {0};
    out->format = names[style->format];
    if (style->begin >= 0) vec_push(&out->ids, style->begin);
    if (b.context > 0) add_chunks(enc, style, p, b.context, out);
    bool header = style->header && style->sep >= 0 && p->path.len > 0;
    if (header) add_path_line(enc, style, p->path, &out->ids);
    add_prefix(enc, p->prefix, b.prefix, &prefix);
    if (b.suffix > 0) add_suffix(enc, p->suffix, b.suffix, &suffix);
    if (enc->status == OK && p->heal) cut_for_healing(enc->t, &prefix, out);
    if (enc->status == OK) lay_out(style, &prefix, &suffix, &out->ids);
    out->prefix_tokens = (int)prefix.count;
    out->suffix_tokens = (int)suffix.count;
    vec_free(&prefix);
    vec_free(&suffix);
    return enc->status;
}

/* ---- raw prompts ----------------------------------------------------------------------------- */

/* Puts the token in front that begins every prompt, unless it is there. */
static void begin(const prompt_style *style, token_vec *ids) {
    if (style->begin < 0 || (ids->count > 0 && ids->at[0] == style->begin)) return;
    vec_push(ids, style->begin);
    memmove(ids->at + 1, ids->at, (ids->count - 1) * sizeof *ids->at);
    ids->at[0] = style->begin;
}

static status build_raw(prompt *out, const prompt_style *style, encoder *enc,
                        const engine_job *job) {
    const engine_prompt *p = &job->prompt;
    out->format = p->kind == PROMPT_TOKENS ? "tokens" : "text";
    if (p->kind == PROMPT_TEXT) {
        encode(enc, p->prefix, p->special, &out->ids);
        if (enc->status == OK) begin(style, &out->ids);
    }
    int vocab = tokenizer_get_facts(enc->t)->vocab;
    for (size_t i = 0; i < p->n_tokens && p->kind == PROMPT_TOKENS; i++) {
        if (p->tokens[i] < 0 || p->tokens[i] >= vocab)
            return err_set(enc->e, ERR_USAGE,
                           "prompt token %zu is %d, but this model has ids 0 to %d", i,
                           (int)p->tokens[i], vocab - 1);
        vec_push(&out->ids, p->tokens[i]);
    }
    if (enc->status == OK && p->heal) cut_for_healing(enc->t, &out->ids, out);
    out->prefix_tokens = (int)out->ids.count;
    return enc->status;
}

/* The style with the order that the caller asks for. */
static prompt_style reordered(const prompt_style *style, prompt_order order) {
    prompt_style s = *style;
    bool markers = s.pre >= 0 && s.suf >= 0 && s.mid >= 0;
    if (order == ORDER_PREFIX) {
        s.format = FIM_NONE;
        s.layout = "P";
    } else if (order == ORDER_PSM && markers) {
        s.format = FIM_PSM;
        s.layout = "pPsSm";
    } else if (order == ORDER_SPM && markers && s.format != FIM_SPM) {
        s.format = FIM_SPM;
        s.layout = "psSmP";
    }
    return s;
}

static status build_chat(prompt *out, const prompt_style *style, const chat_format *chat,
                         encoder *enc, const engine_job *job) {
    out->format = "chat";
    status s = chat_prompt_build(chat, enc->t, &job->prompt, &out->ids, enc->e);
    if (s == OK) begin(style, &out->ids);
    out->prefix_tokens = (int)out->ids.count;
    return s;
}

status prompt_build(prompt *out, const prompt_style *own, const chat_format *chat,
                    const tokenizer *t, const engine_job *job, int context, err *e) {
    prompt p = {0};
    const prompt_style asked = reordered(own, job->prompt.order), *style = &asked;
    encoder enc = {.t = t, .e = e};
    status s = OK;
    switch (job->prompt.kind) {
    case PROMPT_COMPLETION: s = build_completion(&p, style, &enc, job, context); break;
    case PROMPT_CHAT: s = build_chat(&p, style, chat, &enc, job); break;
    case PROMPT_TEXT:
    case PROMPT_TOKENS: s = build_raw(&p, style, &enc, job); break;
    }
    if (s == OK && p.ids.count == 0 && style->begin_if_empty >= 0)
        vec_push(&p.ids, style->begin_if_empty);
    if (s == OK && p.ids.count == 0)
        s = err_set(e, ERR_USAGE,
                    "the prompt is empty, and this model has no token that begins a text");
    if (s == OK && p.ids.count >= (size_t)context)
        s = err_set(
            e, ERR_LIMIT,
            "the prompt has %zu tokens, but a sequence of this model holds %d "
            "with at least one generated; shorten it or load the model with a longer context",
            p.ids.count, context);
    if (s != OK) {
        prompt_deinit(&p);
        return s;
    }
    *out = p;
    return OK;
}

void prompt_deinit(prompt *p) {
    vec_free(&p->ids);
    *p = (prompt){0};
}
