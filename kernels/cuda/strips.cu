/* SPDX-License-Identifier: Apache-2.0 */
/* Planes to strips, once at load (strips.cuh): a piece of a matrix comes from the file, is taken
 * apart into planes (repack.cu) and put where the token kernel wants it. */
#include "kernels/cuda/strips.cuh"

/* Two chunks of one row: they share the bytes of nibble formats. */
template <int FMT>
static __device__ void put_two_chunks(const wmat &from, int row, const wmat &to, strip_row r,
                                      int c) {
    typedef tile_of<FMT> T;
    wraw raw[2];
    int v[2][8];
#pragma unroll
    for (int k = 0; k < 2; k++) {
        bool there = c + k < from.chunks;
        size_t at = (size_t)row * from.chunks + (there ? c + k : c);
        wload<FMT>(raw[k], from.q, from.h, from.s, from.d, at);
        wunpack<FMT>(v[k], raw[k]);
#pragma unroll
        for (int i = 0; i < 8; i++) {
            if (fmt_high_by_16<FMT>() && i >= 4) v[k][i] = v[k][i] >> 4 & 0x0f0f0f0f;
            if (!there) v[k][i] = 0;
        }
    }
    for (int k = 0; k < 2; k++) {
        if (c + k >= from.chunks) continue;
        strip_chunk p = strip_chunk_at<FMT>(to, r, c + k);
        for (int i = 0; i < 8; i++) {
            int t = i & 3, half = i >> 2, reg = p.hi + 2 * half;
            uint32_t *q = p.q + 4 * t + 2 * half;
            if (T::bytes8)
                *q = (uint32_t)v[k][i];
            else if (k == 0)
                *q = (uint32_t)(v[0][i] & 0x0f0f0f0f) | (uint32_t)(v[1][i] & 0x0f0f0f0f) << 4;
            uint32_t high = (uint32_t)v[k][i] >> 4 & (T::five ? 0x01010101u : 0x03030303u);
            if (T::five) atomicOr(p.h + t, high << (reg + 4 * p.odd));
            if (T::halves) atomicOr(p.h + 2 * t, high << (2 * reg));
        }
        if (T::halves) {
            ((uint16_t *)p.s)[p.hi] = raw[k].s;
            ((uint16_t *)p.d)[p.hi] = (uint16_t)raw[k].d2;
        } else if (T::k_quant) {
            p.s[p.hi] = (uint8_t)raw[k].s;
            p.s[2 + p.hi] = (uint8_t)(raw[k].s >> 8);
            ((uint32_t *)p.d)[p.hi] = raw[k].d2;
        } else {
            ((uint16_t *)p.s)[p.hi] = (uint16_t)raw[k].d2;
            if (T::minimum) ((uint16_t *)p.s)[2 + p.hi] = (uint16_t)(raw[k].d2 >> 16);
        }
    }
}

static __global__ void strips_kernel(wmat from, wmat to, int row0) {
    int pairs = (from.chunks + 1) / 2;
    size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= (size_t)from.rows * pairs) return;
    int row = (int)(i / pairs), c = (int)(i % pairs) * 2;
    strip_row r = strip_row_of(to.map, row0 + row);
    switch (to.fmt) {
#define X(F)                                                                                       \
    case F: put_two_chunks<F>(from, row, to, r, c); break;
        STRIP_FORMATS(X)
#undef X
    default: break;
    }
}

/* Rows row0 .. of `to`, whose memory was zero before, from planes. */
void cuda_put_strips(cudaStream_t st, const wmat *from, const wmat *to, int row0) {
    size_t n = (size_t)from->rows * (size_t)((from->chunks + 1) / 2);
    strips_kernel<<<(unsigned)((n + 255) / 256), 256, 0, st>>>(*from, *to, row0);
}

/* Tiles a strip and bytes of `rows` rows in strips; 0: this format has none. */
size_t cuda_strip_bytes(int fmt, int rows, int chunks, int *tiles) {
    tile_size size = strip_tile_size(fmt);
    if (size.chunks == 0) return 0;
    *tiles = (chunks + size.chunks - 1) / size.chunks;
    return (size_t)((rows + STRIP - 1) / STRIP) * (size_t)*tiles * (size_t)size.bytes;
}
