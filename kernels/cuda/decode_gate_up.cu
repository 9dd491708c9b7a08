/* SPDX-License-Identifier: Apache-2.0 */
/* Decode: norm, gate, up, activation, int8 output in one launch (decode.cuh). */
#include "kernels/cuda/decode.cuh"

cudaError_t cuda_decode_gate_up(const launch_ctx *l, const decode_args *a) {
    bool gated = a->w[0].rows != 0;
    int ff = a->w[1].rows, pairs = gated ? ff : (ff + 1) / 2;
    return decode<MODE_GATE_UP>(l, a, pairs, 1, (gated ? U_ROWS : U_ROWS / 2) / WARPS);
}
