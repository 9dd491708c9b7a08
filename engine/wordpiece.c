/* SPDX-License-Identifier: Apache-2.0 */
/* WordPiece encoding.  Text is folded, cut at blanks, around punctuation and around ideographs; the
 * vocabulary spells the start of a word with U+2581.  Lossy by design: decoding does not give the
 * text back.  Thread: any; the word under work is the only memory.
 * Source: BERT's basic tokenizer and greedy longest-match-first WordPiece. */
#include "engine/wordpiece.h"

#include "engine/base/utf8.h"
#include "engine/unicode.h"

#define WORD_BYTES_MAX 1024 /* longer words are unknown anyway; BERT gives up after 100 letters */
#define MARK "\xE2\x96\x81"

typedef struct {
    const vocab *v;
    int32_t unk;
    token_vec *out;
    strbuf word; /* U+2581 and what has been read of it */
} encoding;

static void start_word(encoding *w) {
    strbuf_clear(&w->word);
    strbuf_add_str(&w->word, STR(MARK));
}

/* The longest token at the start of `rest`. */
static int32_t longest(const vocab *v, str rest, size_t *len) {
    for (size_t n = MIN(rest.len, v->text_max); n > 0; n--) {
        int32_t id = vocab_find_plain(v, str_sub(rest, 0, n));
        if (id < 0) continue;
        *len = n;
        return id;
    }
    return -1;
}

static void end_word(encoding *w) {
    str rest = strbuf_str(&w->word);
    size_t before = w->out->count, len = 0;
    bool whole = rest.len > sizeof MARK - 1 && !w->word.overflow;
    if (rest.len <= sizeof MARK - 1) return;
    while (whole && rest.len) {
        int32_t id = longest(w->v, rest, &len);
        if (id >= 0)
            vec_push(w->out, id);
        else
            whole = false;
        rest = str_sub(rest, len, rest.len);
    }
    if (!whole) {
        w->out->count = before;
        if (w->unk >= 0) vec_push(w->out, w->unk);
    }
    start_word(w);
}

static void add_cp(encoding *w, uint32_t cp) {
    char bytes[4];
    strbuf_add(&w->word, bytes, (size_t)utf8_encode(cp, bytes));
}

/* Hangul syllables fold to their two or three letters (NFD). */
static bool add_hangul(encoding *w, uint32_t cp) {
    if (cp < 0xAC00 || cp > 0xD7A3) return false;
    uint32_t at = cp - 0xAC00;
    add_cp(w, 0x1100 + at / 588);
    add_cp(w, 0x1161 + at % 588 / 28);
    if (at % 28) add_cp(w, 0x11A7 + at % 28);
    return true;
}

static bool is_ideograph(uint32_t cp) {
    return (cp >= 0x4E00 && cp <= 0x9FFF) || (cp >= 0x3400 && cp <= 0x4DBF) ||
           (cp >= 0x20000 && cp <= 0x2A6DF) || (cp >= 0x2A700 && cp <= 0x2B81F) ||
           (cp >= 0x2B920 && cp <= 0x2CEAF) || (cp >= 0xF900 && cp <= 0xFAFF) ||
           (cp >= 0x2F800 && cp <= 0x2FA1F);
}

/* Controls vanish, of them only tab and newlines are blanks. */
static bool is_control(uint32_t cp, uint8_t class) {
    return cp == 0x0B || cp == 0x0C || cp == 0x85 || cp == 0xFFFD || class == 0;
}

static void add_char(encoding *w, uint32_t cp, bool fold) {
    if (is_control(cp, unicode_class(cp))) return;
    if (fold) cp = unicode_fold(cp);
    if (cp == 0 || (fold && add_hangul(w, cp))) return;
    uint8_t class = unicode_class(cp);
    if (class & UC_SPACE) {
        end_word(w);
        return;
    }
    bool alone = (class & UC_PUNCT) || (cp < 127 && (class & UC_SYMBOL)) || is_ideograph(cp);
    if (alone) end_word(w);
    add_cp(w, cp);
    if (alone) end_word(w);
}

void wordpiece_encode(const vocab *v, int32_t unk, bool fold, str text, token_vec *out) {
    encoding w = {.v = v, .unk = unk, .out = out};
    strbuf_init(&w.word, WORD_BYTES_MAX);
    start_word(&w);
    for (size_t i = 0; i < text.len;) {
        uint32_t cp;
        i += (size_t)utf8_decode(str_sub(text, i, text.len), &cp);
        add_char(&w, cp, fold);
    }
    end_word(&w);
    strbuf_deinit(&w.word);
}
