/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The tokens of a model: texts as the file stores them, the bytes they stand for, kinds, scores.
 * Copies everything out of the file; immutable after loading.  Thread: any. */
#include "engine/gguf.h"

typedef enum { /* numbers of tokenizer.ggml.token_type */
               TOKEN_NORMAL = 1,
               TOKEN_UNKNOWN,
               TOKEN_CONTROL,
               TOKEN_USER, /* parsed in any text, also in a user's */
               TOKEN_UNUSED,
               TOKEN_BYTE,
} token_kind;

typedef enum {
    SPELL_BYTES, /* GPT-2: each byte is one printable character; "Ġ" is a space */
    SPELL_SPACE, /* SentencePiece: "▁" is a space, <0x41> a byte */
    SPELL_WORDS, /* WordPiece: "▁" begins a word */
} vocab_spelling;

typedef struct {
    int n;
    vocab_spelling spelling;
    str *text;         /* [n] as stored */
    str *piece;        /* [n] bytes it stands for; control tokens: their text */
    uint8_t *kind;     /* [n] token_kind */
    float *score;      /* [n] or NULL */
    int32_t *slots;    /* ids by text, open addressing; -1: free */
    uint32_t mask;     /* slots - 1 */
    size_t text_max;   /* longest text in bytes */
    int32_t byte[256]; /* id of the token for one byte, or -1 */
    bool joins[256];   /* SPELL_SPACE: bytes that stand before a space mark inside a token */
    char *memory;      /* what text and piece point into */
} vocab;

/* `v` is zeroed.  On failure vocab_deinit() is still needed. */
status vocab_init(vocab *v, const gguf *g, vocab_spelling spelling, err *e) MUST_USE;
void vocab_deinit(vocab *v); /* accepts a zeroed one */
/* The id whose text is this, or -1; of several the last. */
int32_t vocab_find(const vocab *v, str text);
/* The same, but -1 for tokens that plain text must not become: control, unknown, byte. */
int32_t vocab_find_plain(const vocab *v, str text);
/* SPELL_SPACE: the next place behind `from` where no token can reach across (before a space mark),
 * or the end.  What is between two such places can be encoded by itself. */
size_t vocab_cut(const vocab *v, str text, size_t from);
/* Writes the printable character of a byte (1 or 2 bytes of UTF-8) and returns its length. */
int vocab_spell_byte(uint8_t byte, char out[static 4]);
