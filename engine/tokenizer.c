/* SPDX-License-Identifier: Apache-2.0 */
/* The tokenizer: parts put together.
 *
 *     text -- special tokens --> stretches -- pre-tokeniser --> words -- merges --> ids      BPE
 *                                stretches -- spaces to U+2581, best-score pairs --> ids     SPM
 *                                stretches -- folded words, longest pieces --> ids     WordPiece
 *
 * Owns the vocabulary, the merges and three indices (special tokens with and without control ones,
 * ids by bytes for token healing).  Immutable after opening: scratch lives in the encoding call.
 * What it does not do: chat templates, BOS (the prompt builder adds it). */
#include "engine/tokenizer.h"

#include <inttypes.h>

#include "engine/base/limits.h"
#include "engine/bpe.h"
#include "engine/pretokenize.h"
#include "engine/special.h"
#include "engine/spm.h"
#include "engine/tokenizer_facts.h"
#include "engine/wordpiece.h"

#define TEXT_BYTES_MAX (16u * LIMIT_PROMPT_TOKENS) /* longer text does not fit: no need to try */

typedef enum { MODEL_BPE, MODEL_BPE_SPACES, MODEL_SPM, MODEL_WORDS } model_kind;

typedef struct {
    const char *name; /* tokenizer.ggml.model */
    model_kind kind;
    vocab_spelling spelling;
    const char *pre; /* fixed pre-tokeniser, or NULL: the file names it */
} model_row;

static const model_row models[] = {
    {"gpt2", MODEL_BPE, SPELL_BYTES, NULL},
    {"llama", MODEL_SPM, SPELL_SPACE, ""},
    {"gemma4", MODEL_BPE_SPACES, SPELL_SPACE, "gemma4"},
    {"bert", MODEL_WORDS, SPELL_WORDS, ""},
};

struct tokenizer {
    const model_row *model;
    const pretokenizer *pre; /* NULL: no BPE */
    vocab vocab;
    bpe *bpe;  /* NULL: no BPE */
    bool fold; /* MODEL_WORDS: lower case, no accents */
    special_set user, all;
    int32_t *sorted; /* ids by bytes */
    size_t n_sorted;
    uint8_t *eog; /* [vocab] */
    tokenizer_facts facts;
};

/* ---- opening ------------------------------------------------------------------------------- */

static bool is_bpe(const tokenizer *t) {
    return t->model->kind == MODEL_BPE || t->model->kind == MODEL_BPE_SPACES;
}

static status find_model(tokenizer *t, const gguf *g, err *e) {
    str name = {0}, pre = {0};
    if (!gguf_find_str(g, "tokenizer.ggml.model", &name))
        return err_set(e, ERR_FORMAT, "%s has no tokenizer (tokenizer.ggml.model)", gguf_path(g));
    for (size_t i = 0; i < COUNTOF(models); i++) {
        if (str_eq(name, str_of(models[i].name))) t->model = &models[i];
    }
    if (!t->model)
        return err_set(
            e, ERR_UNSUPPORTED,
            "%s: tokenizer model \"%.*s\" is not supported (gpt2, llama, gemma4 and bert are)",
            gguf_path(g), (int)MIN(name.len, 40), name.ptr);
    if (!is_bpe(t)) return OK;
    gguf_find_str(g, "tokenizer.ggml.pre", &pre);
    if (t->model->pre) pre = str_of(t->model->pre);
    t->pre = pretokenizer_find(pre);
    if (t->pre) return OK;
    return err_set(e, ERR_UNSUPPORTED,
                   "%s: pre-tokeniser \"%.*s\" (tokenizer.ggml.pre) is not supported", gguf_path(g),
                   (int)MIN(pre.len, 40), pre.ptr);
}

/* What a model wants when its file is silent. */
static void set_defaults(tokenizer *t) {
    t->facts = (tokenizer_facts){.add_bos = !t->pre || pretokenizer_adds_bos(t->pre),
                                 .add_eos = t->model->kind == MODEL_WORDS,
                                 .add_space_prefix = t->model->kind == MODEL_SPM,
                                 .model = t->model->name,
                                 .pre = t->pre ? pretokenizer_name(t->pre) : ""};
}

/* Tokens that plain text is made of.  User-defined ones count when they are blanks or words, not
 * when they are markup: half a "<" must not become a tag. */
static bool is_text(const vocab *v, int32_t id) {
    if (v->kind[id] == TOKEN_NORMAL || v->kind[id] == TOKEN_BYTE) return true;
    char first = v->piece[id].ptr[0];
    return v->kind[id] == TOKEN_USER && first != '<' && first != '[';
}

status tokenizer_open(tokenizer **out, const gguf *g, err *e) {
    tokenizer *t = xcalloc(1, sizeof *t);
    status s = find_model(t, g, e);
    if (s == OK) s = vocab_init(&t->vocab, g, t->model->spelling, e);
    if (s == OK && t->model->kind == MODEL_SPM && !t->vocab.score)
        s = err_set(e, ERR_FORMAT, "%s has no token scores (tokenizer.ggml.scores)", gguf_path(g));
    if (s != OK) goto fail;
    set_defaults(t);
    t->fold = true;
    gguf_find_bool(g, "tokenizer.ggml.normalizer.lowercase", &t->fold);
    t->eog = xcalloc((size_t)t->vocab.n, 1);
    tokenizer_facts_read(&t->facts, t->eog, &t->vocab, g); /* before merges: it corrects kinds */
    if (is_bpe(t)) s = bpe_new(&t->bpe, &t->vocab, g, e);
    if (s != OK) goto fail;
    special_set_init(&t->user, &t->vocab, false);
    special_set_init(&t->all, &t->vocab, true);
    t->sorted = vocab_sort(&t->vocab, is_text, false, &t->n_sorted);
    *out = t;
    return OK;
fail:
    tokenizer_close(t);
    return s;
}

void tokenizer_close(tokenizer *t) {
    if (!t) return;
    special_set_deinit(&t->user);
    special_set_deinit(&t->all);
    bpe_free(t->bpe);
    vocab_deinit(&t->vocab);
    xfree(t->sorted);
    xfree(t->eog);
    xfree(t);
}

/* ---- encoding ------------------------------------------------------------------------------ */

typedef struct {
    const tokenizer *t;
    bpe_work *bpe;  /* MODEL_BPE* */
    spm_work *spm;  /* MODEL_SPM */
    strbuf spelled; /* the stretch with U+2581 for spaces, or a word in printable bytes */
    token_vec *out;
    size_t first; /* out->count before */
    bool full;    /* more than LIMIT_PROMPT_TOKENS */
} encoding;

static bool is_full(encoding *w) {
    if (w->out->count - w->first > LIMIT_PROMPT_TOKENS) w->full = true;
    return w->full;
}

/* A word that is a token, for models that ask for it. */
static int32_t find_word(encoding *w, str word) {
    if (word.len > w->t->vocab.text_max) return -1;
    strbuf_clear(&w->spelled);
    for (size_t i = 0; i < word.len; i++) {
        char c[4];
        int n = vocab_spell_byte((uint8_t)word.ptr[i], c);
        strbuf_add(&w->spelled, c, (size_t)n);
    }
    return vocab_find_plain(&w->t->vocab, strbuf_str(&w->spelled));
}

static void encode_word(void *ud, str word) {
    encoding *w = ud;
    if (is_full(w)) return;
    int32_t whole = pretokenizer_ignores_merges(w->t->pre) ? find_word(w, word) : -1;
    if (whole >= 0)
        vec_push(w->out, whole);
    else
        bpe_encode(w->t->bpe, w->bpe, word, w->out);
}

/* A line in the spelling of SentencePiece. */
static void encode_line(void *ud, str line) {
    encoding *w = ud;
    for (size_t from = 0, end; from < line.len && !is_full(w); from = end) {
        end = vocab_cut(&w->t->vocab, line, from);
        bpe_encode(w->t->bpe, w->bpe, str_sub(line, from, end), w->out);
    }
}

static void spell_spaces(strbuf *out, str text, bool prefix) {
    strbuf_clear(out);
    if (prefix) strbuf_add_str(out, STR("\xE2\x96\x81"));
    for (size_t i = 0; i < text.len;) {
        size_t from = i;
        while (i < text.len && text.ptr[i] != ' ')
            i++;
        strbuf_add(out, text.ptr + from, i - from);
        if (i < text.len) {
            strbuf_add_str(out, STR("\xE2\x96\x81"));
            i++;
        }
    }
}

/* Text without special tokens; `start`: nothing or a special token stands before it. */
static void encode_stretch(encoding *w, str text, bool start) {
    if (text.len == 0 || w->full) return;
    switch (w->t->model->kind) {
    case MODEL_BPE: pretokenize(w->t->pre, text, encode_word, w); break;
    case MODEL_BPE_SPACES:
        spell_spaces(&w->spelled, text, false);
        pretokenize(w->t->pre, strbuf_str(&w->spelled), encode_line, w);
        break;
    case MODEL_SPM:
        spell_spaces(&w->spelled, text, start && w->t->facts.add_space_prefix);
        spm_encode(&w->t->vocab, w->t->facts.unk, w->spm, strbuf_str(&w->spelled), w->out);
        break;
    case MODEL_WORDS:
        wordpiece_encode(&w->t->vocab, w->t->facts.unk, w->t->fold, text, w->out);
        break;
    }
    (void)is_full(w);
}

static void encode_all(encoding *w, str text, bool special) {
    const special_set *set = special ? &w->t->all : &w->t->user;
    size_t from = 0;
    bool start = true;
    for (size_t i = 0; i < text.len && !w->full;) {
        int32_t id;
        size_t n = special_match(set, &w->t->vocab, str_sub(text, i, text.len), &id);
        if (n == 0) {
            i++;
            continue;
        }
        encode_stretch(w, str_sub(text, from, i), start);
        vec_push(w->out, id);
        from = i += n;
        start = true;
    }
    encode_stretch(w, str_sub(text, from, text.len), start);
}

status tokenizer_encode(const tokenizer *t, str text, bool special, token_vec *out, err *e) {
    encoding w = {.t = t, .out = out, .first = out->count, .full = text.len > TEXT_BYTES_MAX};
    strbuf_init(&w.spelled, 3 * (size_t)TEXT_BYTES_MAX + 8);
    if (t->bpe) w.bpe = bpe_work_new();
    if (t->model->kind == MODEL_SPM) w.spm = spm_work_new();
    encode_all(&w, text, special);
    bpe_work_free(w.bpe);
    spm_work_free(w.spm);
    strbuf_deinit(&w.spelled);
    if (!w.full) return OK;
    out->count = w.first;
    return err_set(e, ERR_LIMIT, "the text of %zu bytes has more than %d tokens; shorten it",
                   text.len, LIMIT_PROMPT_TOKENS);
}

/* ---- decoding and questions ---------------------------------------------------------------- */

str tokenizer_piece(const tokenizer *t, int32_t id) {
    return id < 0 || id >= t->vocab.n ? (str){0} : t->vocab.piece[id];
}

void tokenizer_decode(const tokenizer *t, const int32_t *ids, size_t n, bool special, strbuf *out) {
    for (size_t i = 0; i < n; i++) {
        if (special || !tokenizer_is_control(t, ids[i]))
            strbuf_add_str(out, tokenizer_piece(t, ids[i]));
    }
}

const tokenizer_facts *tokenizer_get_facts(const tokenizer *t) {
    return &t->facts;
}

bool tokenizer_is_control(const tokenizer *t, int32_t id) {
    if (id < 0 || id >= t->vocab.n) return false;
    return t->vocab.kind[id] == TOKEN_CONTROL || t->vocab.kind[id] == TOKEN_UNKNOWN;
}

bool tokenizer_is_eog(const tokenizer *t, int32_t id) {
    return id >= 0 && id < t->vocab.n && t->eog[id];
}

int32_t tokenizer_find(const tokenizer *t, str text) {
    return vocab_find(&t->vocab, text);
}

size_t tokenizer_find_special(const tokenizer *t, str text, size_t *len) {
    for (size_t i = 0; i < text.len; i++) {
        int32_t id;
        size_t n = special_match(&t->all, &t->vocab, str_sub(text, i, text.len), &id);
        bool mark =
            n > 1 && (text.ptr[i] == '<' || text.ptr[i] == '[' || t->vocab.kind[id] != TOKEN_USER);
        if (!mark) continue;
        *len = n;
        return i;
    }
    return text.len;
}

/* ---- token healing ------------------------------------------------------------------------- */

const int32_t *tokenizer_sorted(const tokenizer *t, size_t *count) {
    *count = t->n_sorted;
    return t->sorted;
}

/* First index whose bytes, cut to the length of `prefix`, are not below it (or, with `above`, are
 * above it). */
static size_t bound(const tokenizer *t, str prefix, size_t lo, bool above) {
    size_t hi = t->n_sorted;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        str s = t->vocab.piece[t->sorted[mid]];
        int d = memcmp(s.ptr, prefix.ptr, MIN(s.len, prefix.len));
        if (d == 0 && s.len < prefix.len) d = -1;
        if (d < 0 || (above && d == 0))
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

size_t tokenizer_prefix_range(const tokenizer *t, str prefix, size_t *first) {
    *first = 0;
    if (prefix.len == 0) return t->n_sorted;
    *first = bound(t, prefix, 0, false);
    return bound(t, prefix, *first, true) - *first;
}
