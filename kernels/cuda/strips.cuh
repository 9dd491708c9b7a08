/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Weight strips: the layout of the token kernel (token.cu), made for tensor cores and for bulk
 * copies.  A strip is 16 rows of a matrix, in tiles of 128 columns (256 for K-quants), each tile
 * one dense piece of memory with everything that its products need:
 *
 *   q  per two chunks of 32 columns, 16 bytes a lane: dword r holds the A register r of
 *      mma.m16n8k32 of the first chunk in its low nibbles, of the second in its high nibbles
 *      (Q8_0: 16 bytes a lane and chunk, the registers themselves)
 *   h  Q5: 4 bytes a lane and two chunks, bit r of a byte belongs to register r, bit 4 + r to that
 *      of the second chunk; Q6_K: 8 bytes, two bits a value, first chunk then second
 *   s  a cell per row 0..7 and chunk 0..3, for that row and the one 8 below it: what the format
 *      needs per chunk (scales as float16, or the 6 and 8-bit scales of K-quants)
 *   d  K-quants: a cell per row 0..7 with the float16 factors of that row and the one 8 below it
 *
 * Which row of the matrix lies where is a row map: rows that an epilogue needs together (the two
 * that a rotation turns, a gate and its up row) are put 8 apart, so they end in one lane.
 */
#include "kernels/cuda/formats.cuh"

enum { STRIP = 16, GROUP_CHUNKS = 4 };

/* Sizes and places inside a tile. */
template <int FMT> struct tile_of {
    enum : int {
        bytes8 = FMT == FMT_Q8_0,
        five = FMT == FMT_Q5_0 || FMT == FMT_Q5_1 || FMT == FMT_Q5_K,
        k_quant = FMT == FMT_Q4_K || FMT == FMT_Q5_K || FMT == FMT_Q6_K,
        halves = FMT == FMT_Q6_K,
        minimum = FMT == FMT_Q4_1 || FMT == FMT_Q5_1,
        by_16 = fmt_high_by_16_of(FMT),
        groups = k_quant ? 2 : 1, /* of 4 chunks */
        chunks = groups * GROUP_CHUNKS,
        q_group = bytes8 ? 2048 : 1024,
        h_pair = five ? 128 : halves ? 256 : 0,
        s_cell = minimum ? 8 : 4,
        s_group = 32 * s_cell,
        d_cell = !k_quant ? 0 : halves ? 4 : 8,
        h_at = groups * q_group,
        s_at = h_at + groups * 2 * h_pair,
        d_at = s_at + groups * s_group,
        bytes = d_at + 8 * d_cell,
    };
};

/* The formats that have strips. */
#define STRIP_FORMATS(X)                                                                           \
    X(FMT_Q8_0) X(FMT_Q4_0) X(FMT_Q4_1) X(FMT_Q5_0) X(FMT_Q5_1) X(FMT_Q4_K) X(FMT_Q5_K) X(FMT_Q6_K)

typedef struct {
    int chunks, bytes; /* of a tile; 0: the format has no strips */
} tile_size;

static __host__ __device__ inline tile_size strip_tile_size(int fmt) {
    switch (fmt) {
#define X(F)                                                                                       \
    case F: return {tile_of<F>::chunks, tile_of<F>::bytes};
        STRIP_FORMATS(X)
#undef X
    default: return {0, 0};
    }
}

typedef struct {
    int strip, at; /* at: 0..15 */
} strip_row;

static __host__ __device__ inline strip_row strip_row_of(const row_map &map, int row) {
    strip_row r = {row / STRIP, row % STRIP};
    if (map.kind == MAP_UPPER || map.kind == MAP_LOWER) {
        r.strip = row / 8;
        r.at = row % 8 + (map.kind == MAP_LOWER ? 8 : 0);
    } else if (map.kind == MAP_HEADS) {
        int head = row / map.head_dim, d = row % map.head_dim, half = map.turning;
        bool apart = d < 2 * half; /* partners stand `half` apart; the others are neighbours */
        int pair = apart ? d % half : d / 2;
        r.strip = head * (map.head_dim / STRIP) + pair / 8;
        r.at = pair % 8 + (apart ? d / half : d & 1) * 8;
    }
    return r;
}

/* The other way round; of MAP_UPPER and MAP_LOWER only their own places. */
static __host__ __device__ inline int row_of_strip(const row_map &map, strip_row r) {
    if (map.kind == MAP_UPPER || map.kind == MAP_LOWER) return r.strip * 8 + r.at % 8;
    if (map.kind != MAP_HEADS) return r.strip * STRIP + r.at;
    int a_head = map.head_dim / STRIP, pair = r.strip % a_head * 8 + r.at % 8, high = r.at / 8;
    int d = pair < map.turning ? pair + high * map.turning : 2 * pair + high;
    return r.strip / a_head * map.head_dim + d;
}

static __device__ __forceinline__ uint8_t *strip_tile(const wmat &w, int strip, int tile) {
    tile_size size = strip_tile_size(w.fmt);
    return (uint8_t *)w.q + ((size_t)strip * w.tiles + tile) * size.bytes;
}

/* ---- one chunk of a row: for loading, embeddings and float16 mirrors ------------------------- */

/* Places of a row's chunk: q dwords are at q + 16 * k for k = 0..3 (columns 4k) and 8 bytes further
 * for columns 16 + 4k. */
typedef struct {
    uint32_t *q, *h;
    uint8_t *s, *d;
    int odd, hi; /* second chunk of its two; row 8 and up */
} strip_chunk;

template <int FMT>
static __device__ __forceinline__ strip_chunk strip_chunk_at(const wmat &w, strip_row r, int c) {
    typedef tile_of<FMT> T;
    uint8_t *tile = strip_tile(w, r.strip, c / T::chunks);
    int group = c % T::chunks / GROUP_CHUNKS, j = c % GROUP_CHUNKS, g = r.at & 7;
    strip_chunk p;
    p.odd = T::bytes8 ? 0 : j & 1;
    p.hi = r.at >> 3;
    uint8_t *q = tile + group * T::q_group + (T::bytes8 ? j : j / 2) * 512;
    p.q = (uint32_t *)(q + g * 64 + 4 * p.hi);
    int pair = group * 2 + j / 2, lane_bytes = T::halves ? 8 : 4;
    p.h = (uint32_t *)(tile + T::h_at + pair * T::h_pair + 4 * g * lane_bytes);
    if (T::halves) p.h += p.odd;
    p.s = tile + T::s_at + group * T::s_group + (g * 4 + j) * T::s_cell;
    p.d = tile + T::d_at + g * T::d_cell;
    return p;
}

/* The 8 dwords of a chunk as wunpack gives them for planes (high nibbles shifted down). */
template <int FMT>
static __device__ __forceinline__ void strip_unpack(int v[8], const strip_chunk &p) {
    typedef tile_of<FMT> T;
#pragma unroll
    for (int k = 0; k < 8; k++) {
        int t = k & 3, half = k >> 2, r = p.hi + 2 * half;
        uint32_t q = p.q[4 * t + 2 * half];
        if (!T::bytes8) q = q >> (4 * p.odd) & 0x0f0f0f0f;
        if (T::five) q |= (p.h[t] >> (r + 4 * p.odd) & 0x01010101) << 4;
        if (T::halves) q |= (p.h[2 * t] >> (2 * r) & 0x03030303) << 4;
        v[k] = (int)q;
    }
}

/* value = a * q + b, per half of 16 columns, of this row. */
template <int FMT>
static __device__ __forceinline__ void strip_scales(float s[4], const strip_chunk &p) {
    typedef tile_of<FMT> T;
    wraw r;
    r.d2 = r.s = 0;
    if (T::halves) {
        r.s = ((const uint16_t *)p.s)[p.hi];
        r.d2 = ((const uint16_t *)p.d)[p.hi];
    } else if (T::k_quant) {
        r.s = (uint16_t)(p.s[p.hi] | p.s[2 + p.hi] << 8);
        r.d2 = ((const uint32_t *)p.d)[p.hi];
    } else {
        r.d2 = ((const uint16_t *)p.s)[p.hi];
        if (T::minimum) r.d2 |= (uint32_t)((const uint16_t *)p.s)[2 + p.hi] << 16;
    }
    wscales<FMT>(r, s[0], s[1], s[2], s[3]);
}

template <int FMT>
static __device__ __forceinline__ void strip_floats(float out[32], const wmat &w, int row, int c) {
    strip_chunk p = strip_chunk_at<FMT>(w, strip_row_of(w.map, row), c);
    int v[8];
    float s[4];
    strip_unpack<FMT>(v, p);
    strip_scales<FMT>(s, p);
#pragma unroll
    for (int k = 0; k < 8; k++) {
#pragma unroll
        for (int b = 0; b < 4; b++) {
            float q = (float)(int8_t)(v[k] >> (8 * b));
            out[4 * k + b] = k < 4 ? s[0] * q + s[2] : s[1] * q + s[3];
        }
    }
}

/* 32 values of a row, from planes or strips. */
static __device__ inline void weight_values(float out[32], const wmat &w, int row, int c) {
    if (w.tiles == 0) {
        wvalues_any(out, w, row, c);
        return;
    }
    switch (w.fmt) {
#define X(F)                                                                                       \
    case F: strip_floats<F>(out, w, row, c); break;
        STRIP_FORMATS(X)
#undef X
    default: break;
    }
}
