/* SPDX-License-Identifier: Apache-2.0 */
/* Prompt lookup: code repeats itself, so what followed the last few tokens earlier in the prompt is
 * often what follows them now.  A step that checks k guesses reads the weights once instead of k
 * times; guesses that are wrong cost only their rows.
 *
 * The model's own choice decides every token: a guess is kept exactly when the model chose it, so
 * the output is the same with and without guessing.
 *
 * Source: prompt lookup decoding (Saxena 2023), as an idea.
 */
#include "engine/draft.h"

#define MATCH_TOKENS 3 /* shorter matches are chance */
#define TRIAL 6        /* guesses before a job's record counts */

int draft_find(const draft_record *r, const int32_t *ids, int n, int room, int32_t *out) {
    bool hopeless = r->proposed >= TRIAL && 4 * r->accepted < r->proposed;
    int most = MIN(room, DRAFT_MAX);
    if (n <= MATCH_TOKENS || most <= 0 || hopeless) return 0;
    const int32_t *end = ids + n - MATCH_TOKENS;
    for (int at = n - MATCH_TOKENS - 1; at >= 0; at--) {
        if (memcmp(ids + at, end, MATCH_TOKENS * sizeof *ids) != 0) continue;
        int count = MIN(most, n - (at + MATCH_TOKENS));
        memcpy(out, ids + at + MATCH_TOKENS, (size_t)count * sizeof *out);
        return count;
    }
    return 0;
}
