/* SPDX-License-Identifier: Apache-2.0 */
/* Loading a vocabulary: one block of memory for all texts and pieces, one hash table by text.
 * File bytes are hostile: counts and kinds are checked, a text that is no valid spelling is kept as
 * it is.  Source: the byte-to-character table of GPT-2's encoder. */
#include "engine/vocab.h"

#include <inttypes.h>

#include "engine/base/hash.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "engine/base/utf8.h"

#define KEY(name) "tokenizer.ggml." name

/* ---- spelling ------------------------------------------------------------------------------ */

/* Bytes that print as themselves; the other 68 are U+0100 and up, in order. */
static bool prints(uint32_t b) {
    return (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || (b >= 174 && b <= 255);
}

int vocab_spell_byte(uint8_t byte, char out[static 4]) {
    uint32_t b = byte;
    if (prints(b)) return utf8_encode(b, out);
    if (b <= 32) return utf8_encode(256 + b, out);
    return utf8_encode(b == 173 ? 323 : 256 + 33 + (b - 127), out);
}

/* The byte that a character spells, or -1. */
static int unspell(uint32_t cp) {
    if (cp < 256) return prints(cp) ? (int)cp : -1;
    if (cp <= 256 + 32) return (int)(cp - 256);
    if (cp <= 322) return (int)(cp - 256 - 33 + 127);
    return cp == 323 ? 173 : -1;
}

/* Writes the bytes of `text` and returns how many (at most text.len); a character that spells no
 * byte stands for itself. */
static size_t unspell_bytes(str text, char *out) {
    size_t n = 0;
    for (size_t i = 0; i < text.len;) {
        uint32_t cp;
        int len = utf8_decode(str_sub(text, i, text.len), &cp);
        int byte = unspell(cp);
        if (byte >= 0) {
            out[n++] = (char)byte;
        } else {
            memcpy(out + n, text.ptr + i, (size_t)len);
            n += (size_t)len;
        }
        i += (size_t)len;
    }
    return n;
}

#define SPACE_MARK "\xE2\x96\x81" /* U+2581, SentencePiece's space */

static size_t unspell_space(str text, char *out) {
    size_t n = 0;
    for (size_t i = 0; i < text.len;) {
        bool mark = str_starts_with(str_sub(text, i, text.len), STR(SPACE_MARK));
        out[n++] = mark ? ' ' : text.ptr[i];
        i += mark ? 3 : 1;
    }
    return n;
}

static int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* <0x41>, or -1 */
static int byte_token(str t) {
    if (t.len != 6 || !str_starts_with(t, STR("<0x")) || t.ptr[5] != '>') return -1;
    int hi = hex(t.ptr[3]), lo = hex(t.ptr[4]);
    return hi < 0 || lo < 0 ? -1 : hi * 16 + lo;
}

static size_t write_piece(const vocab *v, str text, token_kind kind, char *out) {
    int byte = byte_token(text);
    if (kind == TOKEN_BYTE && byte >= 0) {
        *out = (char)byte;
        return 1;
    }
    if (kind == TOKEN_NORMAL && v->spelling == SPELL_BYTES) return unspell_bytes(text, out);
    if (kind == TOKEN_NORMAL) return unspell_space(text, out);
    memcpy(out, text.ptr, text.len);
    return text.len;
}

/* ---- loading ------------------------------------------------------------------------------- */

static status read_kinds(vocab *v, const gguf *g, err *e) {
    gguf_type type;
    uint64_t count;
    memset(v->kind, TOKEN_NORMAL, (size_t)v->n);
    if (!gguf_find_array(g, KEY("token_type"), &type, &count)) return OK;
    int32_t *kinds = xcalloc((size_t)v->n, sizeof *kinds);
    bool good = gguf_array_i32(g, KEY("token_type"), kinds, (uint64_t)v->n);
    for (int i = 0; good && i < v->n; i++) {
        if (kinds[i] >= TOKEN_NORMAL && kinds[i] <= TOKEN_BYTE) v->kind[i] = (uint8_t)kinds[i];
    }
    xfree(kinds);
    if (good) return OK;
    return err_set(e, ERR_FORMAT,
                   "%s: " KEY("token_type") " is not one number for each of %d tokens",
                   gguf_path(g), v->n);
}

static status read_scores(vocab *v, const gguf *g, err *e) {
    gguf_type type;
    uint64_t count;
    if (!gguf_find_array(g, KEY("scores"), &type, &count)) return OK;
    v->score = xcalloc((size_t)v->n, sizeof *v->score);
    if (gguf_array_f32(g, KEY("scores"), v->score, (uint64_t)v->n)) return OK;
    return err_set(e, ERR_FORMAT, "%s: " KEY("scores") " is not one number for each of %d tokens",
                   gguf_path(g), v->n);
}

static void index_texts(vocab *v) {
    uint32_t size = 1024;
    while (size < (uint32_t)v->n * 2)
        size *= 2;
    v->mask = size - 1;
    v->slots = xmalloc(size * sizeof *v->slots);
    memset(v->slots, 0xFF, size * sizeof *v->slots);
    for (int32_t id = 0; id < v->n; id++) {
        str text = v->text[id];
        if (text.len == 0) continue;
        uint32_t at = (uint32_t)hash64(0, text.ptr, text.len) & v->mask;
        while (v->slots[at] >= 0 && !str_eq(v->text[v->slots[at]], text))
            at = (at + 1) & v->mask;
        v->slots[at] = id;
    }
}

int32_t vocab_find(const vocab *v, str text) {
    if (text.len == 0 || text.len > v->text_max) return -1;
    uint32_t at = (uint32_t)hash64(0, text.ptr, text.len) & v->mask;
    while (v->slots[at] >= 0) {
        if (str_eq(v->text[v->slots[at]], text)) return v->slots[at];
        at = (at + 1) & v->mask;
    }
    return -1;
}

int32_t vocab_find_plain(const vocab *v, str text) {
    int32_t id = vocab_find(v, text);
    if (id < 0) return -1;
    token_kind kind = (token_kind)v->kind[id];
    return kind == TOKEN_CONTROL || kind == TOKEN_UNKNOWN || kind == TOKEN_BYTE ? -1 : id;
}

static void copy_texts(vocab *v, const gguf *g) {
    size_t bytes = 0;
    bool found = gguf_array_strs(g, KEY("tokens"), v->text, (uint64_t)v->n);
    ASSERT(found);
    for (int i = 0; i < v->n; i++)
        bytes += v->text[i].len;
    char *at = v->memory = xmalloc(2 * bytes); /* a piece is never longer than its text */
    for (int i = 0; i < v->n; i++) {
        str text = v->text[i]; /* in the file, until here */
        if (text.len) memcpy(at, text.ptr, text.len);
        v->text[i] = (str){at, text.len};
        v->text_max = MAX(v->text_max, text.len);
        at += text.len;
        size_t n = text.len ? write_piece(v, v->text[i], (token_kind)v->kind[i], at) : 0;
        v->piece[i] = (str){at, n};
        at += n;
    }
}

static void index_bytes(vocab *v) {
    for (int b = 0; b < 256; b++) {
        char text[8];
        int n = v->spelling == SPELL_BYTES ? vocab_spell_byte((uint8_t)b, text)
                                           : snprintf(text, sizeof text, "<0x%02X>", b);
        int32_t id = vocab_find(v, (str){text, (size_t)n});
        bool hidden = id >= 0 && (v->kind[id] == TOKEN_CONTROL || v->kind[id] == TOKEN_UNKNOWN);
        v->byte[b] = hidden ? -1 : id;
    }
}

/* Which bytes stand before a space mark inside a token: there a text must not be cut. */
static void find_joins(vocab *v) {
    for (int id = 0; id < v->n; id++) {
        str t = v->text[id];
        if (v->kind[id] == TOKEN_CONTROL || v->kind[id] == TOKEN_BYTE) continue;
        for (size_t i = 1; i + 3 <= t.len; i++) {
            if (memcmp(t.ptr + i, SPACE_MARK, 3) == 0) v->joins[(uint8_t)t.ptr[i - 1]] = true;
        }
    }
    /* The mark's own last byte: a run of marks is one piece, whatever the vocabulary. */
    v->joins[0x81] = true;
}

size_t vocab_cut(const vocab *v, str text, size_t from) {
    const char *p = text.ptr;
    for (size_t i = from + 1; i + 3 <= text.len; i++) {
        if (p[i] == SPACE_MARK[0] && !v->joins[(uint8_t)p[i - 1]] &&
            memcmp(p + i, SPACE_MARK, 3) == 0)
            return i;
    }
    return text.len;
}

status vocab_init(vocab *v, const gguf *g, vocab_spelling spelling, err *e) {
    gguf_type type;
    uint64_t count;
    if (!gguf_find_array(g, KEY("tokens"), &type, &count) || type != GGUF_STRING || count == 0)
        return err_set(e, ERR_FORMAT, "%s has no vocabulary (" KEY("tokens") ")", gguf_path(g));
    if (count > LIMIT_MODEL_VOCAB)
        return err_set(e, ERR_LIMIT, "%s has %" PRIu64 " tokens, at most %d are supported",
                       gguf_path(g), count, LIMIT_MODEL_VOCAB);
    v->n = (int)count;
    v->spelling = spelling;
    v->text = xcalloc((size_t)v->n, sizeof *v->text);
    v->piece = xcalloc((size_t)v->n, sizeof *v->piece);
    v->kind = xmalloc((size_t)v->n);
    status s = read_kinds(v, g, e);
    if (s == OK) s = read_scores(v, g, e);
    if (s != OK) return s;
    copy_texts(v, g);
    index_texts(v);
    index_bytes(v);
    if (v->spelling == SPELL_SPACE) find_joins(v);
    return OK;
}

void vocab_deinit(vocab *v) {
    xfree(v->text);
    xfree(v->piece);
    xfree(v->kind);
    xfree(v->score);
    xfree(v->slots);
    xfree(v->memory);
}
