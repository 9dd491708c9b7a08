/* SPDX-License-Identifier: Apache-2.0 */
/* Decode: final norm and logits (decode.cuh). */
#include "kernels/cuda/decode.cuh"

cudaError_t cuda_decode_head(const launch_ctx *l, const decode_args *a) {
    int pairs = (a->w[0].rows + 1) / 2;
    /* One wave of CTAs: each then pays for the norm once. */
    int rounds = (pairs + 8 * 3 * 132 - 1) / (8 * 3 * 132);
    return decode<MODE_HEAD>(l, a, pairs, 1, MAX(2, (rounds + 1) / 2 * 2));
}
