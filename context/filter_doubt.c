/* SPDX-License-Identifier: Apache-2.0 */
/* Doubt: the text ends before the first token that the model itself finds improbable.
 *
 * A line often begins right and goes astray at a name that the model cannot know: the sure
 * beginning is worth a key, the guess behind it is not.  A cut inside a word takes the beginning of
 * the word along, as half a name is no help.
 */
#include "context/filter.h"

#define KEPT_BYTES_MIN 10 /* less is typed as soon as it is read */

static bool is_word(char ch) {
    unsigned char u = (unsigned char)ch;
    return u == '_' || u >= 0x80 || (u >= '0' && u <= '9') || (u >= 'a' && u <= 'z') ||
           (u >= 'A' && u <= 'Z');
}

static size_t before_word(str text, size_t at) {
    if (at >= text.len || !is_word(text.ptr[at])) return at;
    while (at > 0 && is_word(text.ptr[at - 1]))
        at--;
    return at;
}

const char *filter_doubt(candidate *c) {
    const context_answer *answer = c->answer;
    size_t end = c->text.len, kept = 0;
    for (size_t i = 0; i < answer->n_tokens && end == c->text.len; i++) {
        if (answer->tokens[i].logprob < c->logprob_token_min)
            end = MIN(answer->tokens[i].start, end);
    }
    if (end == c->text.len) return NULL;
    end = before_word(c->text, end);
    while (end > 0 && (c->text.ptr[end - 1] == ' ' || c->text.ptr[end - 1] == '\t'))
        end--;
    if (end < KEPT_BYTES_MIN) return "confidence";
    float sum = 0;
    for (size_t i = 0; i < answer->n_tokens && answer->tokens[i].start < end; i++, kept++)
        sum += answer->tokens[i].logprob;
    c->text = str_sub(c->text, 0, end);
    c->logprob_mean = kept ? sum / (float)kept : 0;
    return NULL;
}
