/* SPDX-License-Identifier: Apache-2.0 */
/* Which experts a token goes to, and with which weights.  Pure.  Thread: any. */
#include <math.h>

#include "kernels/backend.h"

/* Put `id` into the n chosen ones, which ascend. */
static void insert(int32_t *ids, int n, int32_t id) {
    for (; n > 0 && ids[n - 1] > id; n--)
        ids[n] = ids[n - 1];
    ids[n] = id;
}

static bool is_chosen(const int32_t *ids, int n, int32_t id) {
    for (int i = 0; i < n; i++)
        if (ids[i] == id) return true;
    return false;
}

void k_route(const k_op *op, const float *row, int32_t *ids, float *weights) {
    for (int n = 0; n < op->n_used; n++) {
        int32_t best = -1;
        for (int32_t i = 0; i < op->n_experts; i++)
            if (!is_chosen(ids, n, i) && (best < 0 || row[i] > row[best])) best = i;
        insert(ids, n, best);
    }
    double max = -HUGE_VAL, all = 0, chosen = 0;
    for (int i = 0; i < op->n_experts; i++)
        max = fmax(max, (double)row[i]);
    for (int i = 0; i < op->n_experts; i++)
        all += exp((double)row[i] - max);
    for (int i = 0; i < op->n_used; i++)
        chosen += exp((double)row[ids[i]] - max);
    for (int i = 0; i < op->n_used; i++)
        weights[i] = (float)((double)op->scale * exp((double)row[ids[i]] - max) /
                             (op->shares ? chosen : all));
}
