/* SPDX-License-Identifier: Apache-2.0 */
/* Decode: attention output and FFN down, added to the residual stream (decode.cuh). */
#include "kernels/cuda/decode.cuh"

cudaError_t cuda_decode_proj(const launch_ctx *l, const decode_args *a) {
    int pairs = (a->w[0].rows + 1) / 2;
    return decode<MODE_PROJ>(l, a, pairs, choose_split(pairs, a->w[0].chunks), 1);
}
