/* SPDX-License-Identifier: Apache-2.0 */
/* Decode: norm, q, k, v, bias, rotary embedding, KV write in one launch (decode.cuh). */
#include "kernels/cuda/decode.cuh"

/* Matrices of different formats (attn_v is often finer) go one format a launch. */
cudaError_t cuda_decode_qkv(const launch_ctx *l, const decode_args *a) {
    bool done[3] = {false, false, false};
    for (int i = 0; i < 3; i++) {
        if (done[i]) continue;
        decode_args part = *a;
        part.q_rows = a->w[0].rows;
        part.k_rows = a->w[1].rows;
        part.raw_stride = a->w[0].rows + a->w[1].rows + a->w[2].rows;
        int pairs = 0, chunks = a->w[i].chunks;
        for (int k = 0; k < 3; k++) {
            bool same = !done[k] && a->w[k].fmt == a->w[i].fmt;
            if (same) {
                pairs += a->w[k].rows / 2;
                done[k] = true;
            } else {
                part.w[k].rows = 0;
            }
        }
        part.w[0].fmt = a->w[i].fmt; /* what the launch goes by, even without q rows */
        part.w[0].chunks = chunks;
        cudaError_t code = decode<MODE_QKV>(l, &part, pairs, choose_split(pairs, chunks), 1);
        if (code != cudaSuccess) return code;
    }
    return cudaSuccess;
}
