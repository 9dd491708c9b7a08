/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Matrix times full tiles of tokens through AMX.  Included once by isa_amx.c, through
 * body_matmul.h.
 *
 *     C [token][row] i32  =  A [token][32 columns] i8  x  B [4 columns][row] i8
 *
 * A is a tile's codes as they lie, and a block of a panel is B once it is unpacked to signed bytes.
 * The integer dots are exact, so what follows them is tile_dot's arithmetic, in its order, and the
 * results are the same to the bit.
 *
 * The loops are cut so that everything lies in the first cache: a strip of blocks of a few panels
 * is unpacked once for up to AMX_TILES tiles of tokens, and a tile's part of the strip is read once
 * from further away for all of these panels.  The sums wait on the stack between two strips.  The
 * panels that follow are asked for meanwhile: reading them is a fifth of the time otherwise.
 */

#define AMX_STRIP 14 /* blocks */
#define AMX_PANELS 2 /* 14 KB unpacked */
#define AMX_AHEAD 2  /* blocks whose products are under way while one is added up */
#define AMX_RING (AMX_AHEAD + 1)
#define AMX_TILES 8
#define AMX_BLOCK_BYTES (CPU_BLOCK * V_ROWS)

/* The registers' shapes.  0: C; 1 and 2: A and B of 32 columns; 3 and 4: of 16. */
typedef struct {
    uint8_t palette, start_row, reserved[14];
    uint16_t column_bytes[16];
    uint8_t rows[16];
} amx_config;

static void amx_configure(void) {
    static const amx_config config = {
        .palette = 1,
        .column_bytes = {4 * V_ROWS, 32, 4 * V_ROWS, 16, 4 * V_ROWS},
        .rows = {V_TILE, V_TILE, 8, V_TILE, 4},
    };
    _tile_loadconfig(&config);
}

/* What the tiles of a panel share.  With each block that is multiplied, `lines` cache lines from
 * `next` on are asked for: the weights of the panels that follow. */
typedef struct {
    const cpu_matrix *w;
    const uint8_t *panel, *strip, *next;
    int lines;
} amx_work;

/* A strip of codes as signed bytes. */
V_INLINE void amx_unpack(k_type type, const uint8_t *q, int blocks, uint8_t *strip) {
    const v_form f = form_of(type);
    const vb table = b_table(type == K_MXFP4 ? mxfp4_table : iq4_table);
    const vb zero = _mm512_set1_epi8((char)(1 << MAX(f.shift, 0)));
    for (int b = 0; b < blocks; b++, q += 4 * V_ROWS * f.bits) {
        V_UNROLL
        for (int s = 0; s < 8; s++, strip += 4 * V_ROWS) {
            vb code = step_codes(f, q, table, s);
            if (f.shift >= 0) code = _mm512_sub_epi8(code, zero);
            _mm512_store_si512(strip, code);
        }
    }
}

/* dot[group][token][row] of one block. */
V_INLINE void amx_dots(const v_form f, const uint8_t *strip, const uint8_t *act, int32_t *dot) {
    if (f.group == 32) {
        _tile_zero(0);
        _tile_loadd(1, act, CPU_BLOCK);
        _tile_loadd(2, strip, 4 * V_ROWS);
        _tile_dpbssd(0, 1, 2);
        _tile_stored(0, dot, 4 * V_ROWS);
        return;
    }
    for (int g = 0; g < 2; g++) {
        _tile_zero(0);
        _tile_loadd(3, act + 16 * g, CPU_BLOCK);
        _tile_loadd(4, strip + AMX_BLOCK_BYTES / 2 * g, 4 * V_ROWS);
        _tile_dpbssd(0, 3, 4);
        _tile_stored(0, dot + V_TILE * V_ROWS * g, 4 * V_ROWS);
    }
}

/* Blocks b0..b1-1 of a panel and one tile of tokens: from zero at the first block, to `out` after
 * the last, and in between by way of sums[token][row]. */
V_INLINE void amx_tile(k_type type, const amx_work *a, int b0, int b1, const uint8_t *act,
                       float *sums, const v_out *out) {
    const v_form f = form_of(type);
    const int groups = 32 / f.group, place = V_TILE * V_ROWS * groups;
    const uint8_t *strip = a->strip;
    _Alignas(64) int32_t dots[AMX_RING * 2 * V_TILE * V_ROWS];
    vf acc[V_TILE];
    V_UNROLL
    for (int t = 0; t < V_TILE; t++)
        acc[t] = b0 ? v_load(sums + t * V_ROWS) : v_zero();
    const int n = b1 - b0;
    const size_t act_block = V_TILE * CPU_ACT_BLOCK_BYTES;
    for (int i = 0; i < MIN(AMX_AHEAD, n); i++)
        amx_dots(f, strip + i * AMX_BLOCK_BYTES, act + (size_t)i * act_block, dots + i * place);
    const uint8_t *ahead = a->next;
    for (int b = b0; b < b1; b++) {
        const int i = b - b0, next = i + AMX_AHEAD;
        for (int line = 0; line < a->lines; line++, ahead += 64)
            __builtin_prefetch(ahead, 0, 2);
        const float *d =
            (const float *)(const void *)(act + (size_t)i * act_block + V_TILE * CPU_BLOCK);
        const int32_t *dot = dots + i % AMX_RING * place;
        if (next < n)
            amx_dots(f, strip + next * AMX_BLOCK_BYTES, act + (size_t)next * act_block,
                     dots + next % AMX_RING * place);
        for (int g = 0; g < groups; g++, dot += V_TILE * V_ROWS) {
            const float *sum = d + V_TILE * (groups == 1 ? 2 : 5 + g);
            vf scale = group_scale(f, a->w, a->panel, b * groups + g, 0);
            vf min = f.min ? group_scale(f, a->w, a->panel, b * groups + g, 1) : v_zero();
            V_UNROLL
            for (int t = 0; t < V_TILE; t++) {
                vi one = _mm512_load_si512(dot + t * V_ROWS);
                acc[t] = v_fma(i_float(one), v_mul(scale, v_set1(d[t])), acc[t]);
                if (f.min) acc[t] = v_fma(min, v_set1(sum[t]), acc[t]);
            }
        }
    }
    if (b1 == a->w->blocks) {
        tile_store(V_TILE, acc, out);
        return;
    }
    V_UNROLL
    for (int t = 0; t < V_TILE; t++)
        v_store(sums + t * V_ROWS, acc[t]);
}

/* Some panels and up to AMX_TILES tiles, the last of which may have empty places (zeros). */
V_INLINE void amx_panels(k_type type, const cpu_matrix *w, const uint8_t *panel, int panels,
                         const uint8_t *act, const v_out *out) {
    _Alignas(64) uint8_t strip[AMX_PANELS][AMX_STRIP * AMX_BLOCK_BYTES];
    _Alignas(64) float sums[AMX_TILES][AMX_PANELS][V_TILE * V_ROWS];
    const size_t block = 4 * V_ROWS * (size_t)form_of(type).bits;
    const size_t act_block = V_TILE * CPU_ACT_BLOCK_BYTES, tile = (size_t)w->blocks * act_block;
    const size_t after = (size_t)panels * w->panel_bytes;
    const int count = (out->used + V_TILE - 1) / V_TILE;
    const int lines = (int)(w->panel_bytes / 64) / (w->blocks * count) + 1;
    for (int b = 0; b < w->blocks; b += AMX_STRIP) {
        int end = MIN(b + AMX_STRIP, w->blocks);
        for (int p = 0; p < panels; p++)
            amx_unpack(type, panel + (size_t)p * w->panel_bytes + (size_t)b * block, end - b,
                       strip[p]);
        for (int t = 0, i = 0; t < out->used; t += V_TILE, i++)
            for (int p = 0; p < panels; p++) {
                v_out to = {out->to + (size_t)(t / out->planes) * out->ld + p * V_ROWS, out->ld,
                            MIN(V_TILE, out->used - t), out->planes};
                const uint8_t *at = panel + (size_t)p * w->panel_bytes;
                size_t asked = (size_t)(b * count + i * (end - b)) * (size_t)lines * 64;
                const amx_work work = {w, at, strip[p], at + after + asked, lines};
                amx_tile(type, &work, b, end, act + (size_t)i * tile + (size_t)b * act_block,
                         sums[i][p], &to);
            }
    }
}

typedef void (*amx_fn)(const cpu_matrix *w, const uint8_t *panel, int panels, const uint8_t *act,
                       const v_out *out);

#define AMX_FN(type)                                                                               \
 static                                                                                            \
     __attribute__((noinline)) void amx_##type(const cpu_matrix *w, const uint8_t *panel,          \
                                               int panels, const uint8_t *act, const v_out *out) { \
  amx_panels(type, w, panel, panels, act, out);                                                    \
 }
AMX_FN(K_Q4_0)
AMX_FN(K_Q4_1)
AMX_FN(K_Q5_0)
AMX_FN(K_Q5_1)
AMX_FN(K_Q8_0)
AMX_FN(K_Q2_K)
AMX_FN(K_Q3_K)
AMX_FN(K_Q4_K)
AMX_FN(K_Q5_K)
AMX_FN(K_Q6_K)
AMX_FN(K_IQ4_NL)
AMX_FN(K_IQ4_XS)
AMX_FN(K_MXFP4)

static const amx_fn amx_types[K_MXFP4 + 1] = {
    [K_Q4_0] = amx_K_Q4_0,   [K_Q4_1] = amx_K_Q4_1,     [K_Q5_0] = amx_K_Q5_0,
    [K_Q5_1] = amx_K_Q5_1,   [K_Q8_0] = amx_K_Q8_0,     [K_Q2_K] = amx_K_Q2_K,
    [K_Q3_K] = amx_K_Q3_K,   [K_Q4_K] = amx_K_Q4_K,     [K_Q5_K] = amx_K_Q5_K,
    [K_Q6_K] = amx_K_Q6_K,   [K_IQ4_NL] = amx_K_IQ4_NL, [K_IQ4_XS] = amx_K_IQ4_XS,
    [K_MXFP4] = amx_K_MXFP4,
};

/* The tiles of full width, for up to AMX_PANELS panels; returns the places that they take. */
static int amx_full_tiles(const cpu_matrix *w, const uint8_t *panel, int panels, const cpu_act *a,
                          const v_out *whole) {
    const int places = a->n * a->planes;
    const size_t place = (size_t)w->blocks * CPU_ACT_BLOCK_BYTES;
    int at = 0;
    while (places - at > V_TILE / 2) { /* what is left is wider than the next class */
        int used = MIN(places - at, AMX_TILES * V_TILE), rest = used % V_TILE;
        if (rest > 0 && rest <= V_TILE / 2) used -= rest;
        v_out to = {whole->to + (size_t)(at / a->planes) * whole->ld, whole->ld, used, a->planes};
        amx_types[w->type](w, panel, panels, a->tiles + (size_t)at * place, &to);
        at += used;
    }
    return at;
}

/* What v_matmul asks for, as far as full tiles go; returns the places that are done. */
static int amx_matmul(const cpu_matrix *w, int64_t p0, int64_t p1, const cpu_act *a, float *out,
                      size_t ld) {
    int done = 0;
    amx_configure();
    for (int64_t p = p0; p < p1; p += AMX_PANELS) {
        const v_out to = {out + (p - p0) * V_ROWS, ld, 0, 0};
        done = amx_full_tiles(w, w->data + (size_t)p * w->panel_bytes, (int)MIN(AMX_PANELS, p1 - p),
                              a, &to);
    }
    _tile_release(); /* or a switch of threads would have to save them */
    return done;
}
