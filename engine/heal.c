/* SPDX-License-Identifier: Apache-2.0 */
/* Token healing.
 *
 * A tokeniser splits "    return x" into other pieces than "    " and "return x"; a model that is
 * shown a prompt ending in "    " or in half a word has hardly ever seen such an ending and
 * continues badly. So the tokens whose boundary the cursor made are dropped, and generation is
 * constrained: as long as bytes R are owed, a token is allowed if its bytes begin with R, or if R
 * begins with them.
 *
 * The first set is one range of the vocabulary sorted by bytes; the second is found by looking up
 * each proper prefix of R.  Tokens that end generation are in neither.
 */
#include "engine/heal.h"

typedef enum { KIND_WORD, KIND_BLANK, KIND_OTHER } byte_kind;

static byte_kind kind_of(char c) {
    unsigned char u = (unsigned char)c;
    if (u == ' ' || u == '\t' || u == '\n' || u == '\r') return KIND_BLANK;
    bool word = (u >= 'a' && u <= 'z') || (u >= 'A' && u <= 'Z') || (u >= '0' && u <= '9') ||
                u == '_' || u >= 0x80;
    return word ? KIND_WORD : KIND_OTHER;
}

/* Does a word or a run of blanks go on across the boundary between these two pieces, so that the
 * tokeniser might put it elsewhere once more text follows?  A piece like " return" is safe: a run
 * of blanks always gives its last one to the word behind it. */
static bool is_joined(str left, str right) {
    byte_kind kind = kind_of(left.ptr[left.len - 1]);
    if (kind == KIND_OTHER || kind != kind_of(right.ptr[0])) return false;
    return kind == KIND_WORD || kind_of(right.ptr[right.len - 1]) == KIND_BLANK;
}

int heal_count(const tokenizer *t, const int32_t *ids, int n) {
    int count = 0;
    size_t bytes = 0;
    str right = {0};
    while (count < n && count < HEAL_TOKENS_MAX) {
        int32_t id = ids[n - 1 - count];
        str piece = tokenizer_piece(t, id);
        if (piece.len == 0 || tokenizer_is_control(t, id)) break;
        if (bytes + piece.len > HEAL_BYTES_MAX) break;
        if (count > 0 && !is_joined(piece, right)) break;
        bytes += piece.len;
        right = piece;
        count++;
    }
    return count;
}

void heal_init(heal *h, const tokenizer *t, const int32_t *dropped, int n) {
    h->from = h->to = 0;
    for (int i = 0; i < n; i++) {
        str piece = tokenizer_piece(t, dropped[i]);
        ASSERT(h->to + (int)piece.len <= HEAL_BYTES_MAX);
        memcpy(h->owed + h->to, piece.ptr, piece.len);
        h->to += (int)piece.len;
    }
}

bool heal_is_owing(const heal *h) {
    return h->from < h->to;
}

int heal_candidates(const heal *h, const tokenizer *t, const float *logits, int vocab,
                    candidate *out) {
    str owed = {(const char *)h->owed + h->from, (size_t)(h->to - h->from)};
    size_t total, first;
    const int32_t *sorted = tokenizer_sorted(t, &total);
    size_t count = tokenizer_prefix_range(t, owed, &first);
    int n = 0;
    for (size_t i = first; i < first + count; i++)
        if (sorted[i] < vocab) out[n++] = (candidate){sorted[i], logits[sorted[i]]};
    for (size_t len = 1; len < owed.len; len++) {
        count = tokenizer_prefix_range(t, str_sub(owed, 0, len), &first);
        /* Those that are exactly this prefix stand first in its range. */
        for (size_t i = first; i < first + count; i++) {
            if (tokenizer_piece(t, sorted[i]).len != len) break;
            if (sorted[i] < vocab) out[n++] = (candidate){sorted[i], logits[sorted[i]]};
        }
    }
    return n;
}

int heal_pay(heal *h, str piece) {
    int paid = MIN((int)piece.len, h->to - h->from);
    h->from += paid;
    return paid;
}
