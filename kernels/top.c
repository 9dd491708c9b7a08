/* SPDX-License-Identifier: Apache-2.0 */
/* The best entries of a row of logits and their log-probabilities, plainly: the definition of
 * k_top.  Sums in double, ties to the smaller id.  Pure.  Thread: any.
 */
#include <math.h>

#include "kernels/backend.h"

void k_top_of_row(const float *logits, int vocab, int count, int32_t *ids, float *logprobs) {
    int n = 0;
    for (int32_t id = 0; id < vocab; id++) {
        float v = logits[id];
        if (n == count && !(v > logits[ids[n - 1]])) continue;
        int at = n < count ? n++ : n - 1;
        for (; at > 0 && v > logits[ids[at - 1]]; at--)
            ids[at] = ids[at - 1];
        ids[at] = id;
    }
    double max = (double)logits[ids[0]], sum = 0;
    for (int i = 0; i < vocab; i++)
        sum += exp((double)logits[i] - max);
    for (int i = 0; i < n; i++)
        logprobs[i] = (float)((double)logits[ids[i]] - max - log(sum));
    for (int i = n; i < count; i++) { /* a vocabulary smaller than `count` */
        ids[i] = -1;
        logprobs[i] = -INFINITY;
    }
}
