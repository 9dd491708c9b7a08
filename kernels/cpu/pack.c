/* SPDX-License-Identifier: Apache-2.0 */
/* Repacking.  A panel interleaves R rows, so that one vector load brings the same four columns of
 * all of them: byte 4r+k of a step belongs to row r, column 4s+k.
 *
 *   4 bits   4 x 4R bytes per block: byte i of load s holds step s low, step s+4 high
 *   5 bits   the same, then 8 x R/2 bytes: one bit per byte of each step, in order
 *   6 bits   the same as 4, then 2 x 4R bytes: crumb c of load h belongs to step 4h+c
 *   8 bits   8 x 4R bytes
 *
 * Pure functions.  Thread: any.
 */
#include "kernels/cpu/pack.h"

#include "kernels/codes.h"

#define ROWS_MAX 16 /* of a panel */

/* How codes of a type are stored: bits, columns per scale, what was added to the code. */
typedef struct {
    int bits, group, added;
    bool supers, min, full8; /* full8: signed 8-bit values; the ISA says how they are stored */
} form;

static bool is_float(k_type t) {
    return t == K_F32 || t == K_F16 || t == K_BF16;
}

static form form_of(k_type t) {
    switch (t) {
    case K_Q4_0: return (form){4, 32, 8, false, false, false};
    case K_Q4_1: return (form){4, 32, 0, false, true, false};
    case K_Q5_0: return (form){5, 32, 16, false, false, false};
    case K_Q5_1: return (form){5, 32, 0, false, true, false};
    case K_Q8_0: return (form){8, 32, 0, false, false, true};
    case K_Q2_K: return (form){4, 16, 0, true, true, false};
    case K_Q3_K: return (form){4, 16, 4, true, false, false};
    case K_Q4_K: return (form){4, 32, 0, true, true, false};
    case K_Q5_K: return (form){5, 32, 0, true, true, false};
    case K_Q6_K: return (form){6, 16, 32, true, false, false};
    case K_IQ4_NL: return (form){4, 32, 0, false, false, false};
    case K_IQ4_XS: return (form){4, 32, 0, true, false, false};
    case K_MXFP4: return (form){4, 32, 0, false, false, false};
    case K_F32:
    case K_F16:
    case K_BF16: break;
    }
    return (form){0};
}

/* ---- layout ---------------------------------------------------------------------------------- */

static size_t rounded(size_t bytes) {
    return (bytes + 63) / 64 * 64;
}

void pack_layout(cpu_matrix *m, const k_tensor *t, int panel_rows) {
    size_t r = (size_t)panel_rows, cols = (size_t)t->cols;
    *m = (cpu_matrix){.type = t->type,
                      .rows = t->rows,
                      .cols = t->cols,
                      .panels = (t->rows + panel_rows - 1) / panel_rows,
                      .panel_rows = panel_rows};
    if (is_float(t->type)) {
        m->panel_bytes = rounded(cols * r * k_type_bytes(t->type));
        return;
    }
    form f = form_of(t->type);
    m->blocks = (int)(cols / CPU_BLOCK);
    size_t groups = cols / (size_t)f.group, scale = f.supers ? 1 : sizeof(k_half);
    if (t->type == K_MXFP4) scale = sizeof(float);
    size_t at = (size_t)m->blocks * 4 * r * (size_t)f.bits;
    m->scale = at;
    at += rounded(groups * r * scale);
    if (f.min) {
        m->min = at;
        at += rounded(groups * r * scale);
    }
    if (f.supers) {
        m->d = at;
        at += rounded(cols / 256 * r * sizeof(k_half));
    }
    if (f.supers && f.min) {
        m->dmin = at;
        at += rounded(cols / 256 * r * sizeof(k_half));
    }
    m->panel_bytes = rounded(at);
}

/* ---- one row of blocks, unpacked ------------------------------------------------------------- */

/* 256 columns (or one 32-block) of one row as codes and scales. */
typedef struct {
    uint8_t code[256];
    int8_t scale[16], min[16]; /* 256-blocks: per group                       */
    k_half d, m;               /* scale and minimum of the block; m is added  */
    float f;                   /* MXFP4's scale                               */
} unpacked;

static k_half negated(k_half h) {
    return (k_half)(h ^ 0x8000);
}

/* The 32-blocks; where the nibbles are ready (below), only the scales. */
static void unpack_small(unpacked *u, k_type t, const void *src, bool signed8) {
    if (t == K_Q4_0 || t == K_IQ4_NL) { /* the same struct */
        const block_q4_0 *b = src;
        u->d = b->d;
    } else if (t == K_Q4_1) {
        const block_q4_1 *b = src;
        u->d = b->d;
        u->m = b->m;
    } else if (t == K_Q5_0) {
        const block_q5_0 *b = src;
        u->d = b->d;
        for (int j = 0; j < 32; j++)
            u->code[j] = (uint8_t)k_code5(b->qs, b->qh, j);
    } else if (t == K_Q5_1) {
        const block_q5_1 *b = src;
        u->d = b->d;
        u->m = b->m;
        for (int j = 0; j < 32; j++)
            u->code[j] = (uint8_t)k_code5(b->qs, b->qh, j);
    } else if (t == K_Q8_0) {
        const block_q8_0 *b = src;
        u->d = b->d;
        for (int j = 0; j < 32; j++)
            u->code[j] = (uint8_t)(b->qs[j] ^ (signed8 ? 0 : 0x80));
    } else {
        ASSERT(t == K_MXFP4);
        const block_mxfp4 *b = src;
        uint32_t bits = k_mxfp4_scale_bits(b->e);
        memcpy(&u->f, &bits, sizeof u->f);
    }
}

static void unpack_q2_k(unpacked *u, const block_q2_k *b) {
    u->d = b->d;
    u->m = negated(b->dmin);
    for (int g = 0; g < 16; g++) {
        u->scale[g] = b->scales[g] & 15;
        u->min[g] = (int8_t)(b->scales[g] >> 4);
        for (int j = 0; j < 16; j++)
            u->code[g * 16 + j] = (uint8_t)k_code2(b->qs, g, j);
    }
}

static void unpack_q3_k(unpacked *u, const block_q3_k *b) {
    u->d = b->d;
    for (int g = 0; g < 16; g++) {
        u->scale[g] = (int8_t)k_q3_k_scale(b->scales, g);
        for (int j = 0; j < 16; j++)
            u->code[g * 16 + j] = (uint8_t)k_code3(b, g, j);
    }
}

static void unpack_scale_min(unpacked *u, const uint8_t *scales) {
    for (int s = 0; s < 8; s++) {
        int scale, min;
        k_scale_min(scales, s, &scale, &min);
        u->scale[s] = (int8_t)scale;
        u->min[s] = (int8_t)min;
    }
}

static void unpack_q4_k(unpacked *u, const block_q4_k *b) {
    u->d = b->d;
    u->m = negated(b->dmin);
    unpack_scale_min(u, b->scales);
    for (int i = 0; i < 256; i++)
        u->code[i] = b->qs[i / 64 * 32 + i % 32] >> (i / 32 % 2 * 4) & 15;
}

static void unpack_q5_k(unpacked *u, const block_q5_k *b) {
    u->d = b->d;
    u->m = negated(b->dmin);
    unpack_scale_min(u, b->scales);
    for (int i = 0; i < 256; i++) {
        int low = b->qs[i / 64 * 32 + i % 32] >> (i / 32 % 2 * 4) & 15;
        u->code[i] = (uint8_t)(low | (b->qh[i % 32] >> (i / 32) & 1) << 4);
    }
}

static void unpack_q6_k(unpacked *u, const block_q6_k *b) {
    u->d = b->d;
    memcpy(u->scale, b->scales, sizeof u->scale);
    for (int i = 0; i < 256; i++)
        u->code[i] = (uint8_t)k_code6(b, i);
}

static void unpack_iq4_xs(unpacked *u, const block_iq4_xs *b) {
    u->d = b->d;
    for (int s = 0; s < 8; s++) {
        u->scale[s] = (int8_t)k_iq4_xs_scale(b, s);
        for (int j = 0; j < 32; j++)
            u->code[s * 32 + j] = (uint8_t)k_code4(b->qs + s * 16, j);
    }
}

static void unpack(unpacked *u, k_type t, const void *src, bool signed8) {
    switch (t) {
    case K_Q2_K: unpack_q2_k(u, src); break;
    case K_Q3_K: unpack_q3_k(u, src); break;
    case K_Q4_K: unpack_q4_k(u, src); break;
    case K_Q5_K: unpack_q5_k(u, src); break;
    case K_Q6_K: unpack_q6_k(u, src); break;
    case K_IQ4_XS: unpack_iq4_xs(u, src); break;
    case K_Q4_0:
    case K_Q4_1:
    case K_Q5_0:
    case K_Q5_1:
    case K_Q8_0:
    case K_IQ4_NL:
    case K_MXFP4: unpack_small(u, t, src, signed8); break;
    case K_F32:
    case K_F16:
    case K_BF16: ASSERT(0);
    }
}

/* ---- panels ---------------------------------------------------------------------------------- */

/* Puts the 32 codes of row r into one block of the code plane, which starts as zeros. */
static void put_codes(uint8_t *q, int bits, int panel_rows, int r, const uint8_t *code) {
    int load = 4 * panel_rows; /* bytes */
    for (int s = 0; s < 8 && bits == 8; s++)
        memcpy(q + (s * load + 4 * r), code + 4 * s, 4);
    for (int j = 0; j < 32 && bits < 8; j++) {
        int step = j / 4, byte = 4 * r + j % 4;
        q[step % 4 * load + byte] |= (uint8_t)((code[j] & 15) << (step / 4 * 4));
        if (bits == 5)
            q[4 * load + step * (load / 8) + byte / 8] |= (uint8_t)((code[j] >> 4) << (byte % 8));
        if (bits == 6)
            q[(4 + step / 4) * load + byte] |= (uint8_t)((code[j] >> 4) << (2 * (step % 4)));
    }
}

/* The nibbles of a 32-block of these types already stand as the plane wants them. */
static const uint8_t *ready_nibbles(k_type t, const uint8_t *block) {
    if (t == K_Q4_0 || t == K_IQ4_NL) return block + offsetof(block_q4_0, qs);
    if (t == K_Q4_1) return block + offsetof(block_q4_1, qs);
    if (t == K_MXFP4) return block + offsetof(block_mxfp4, qs);
    return NULL;
}

static void put_nibbles(uint8_t *q, int panel_rows, int r, const uint8_t *qs) {
    for (int s = 0; s < 4; s++)
        memcpy(q + (4 * s * panel_rows + 4 * r), qs + 4 * s, 4);
}

static int get_code(const uint8_t *q, int bits, int panel_rows, int r, int j) {
    int load = 4 * panel_rows, step = j / 4, byte = 4 * r + j % 4;
    if (bits == 8) return q[step * load + byte];
    int low = q[step % 4 * load + byte] >> (step / 4 * 4) & 15;
    if (bits == 5) return low | (q[4 * load + step * (load / 8) + byte / 8] >> (byte % 8) & 1) << 4;
    if (bits == 6) return low | (q[(4 + step / 4) * load + byte] >> (2 * (step % 4)) & 3) << 4;
    return low;
}

static void put_half(uint8_t *plane, size_t at, k_half h) {
    memcpy(plane + at * sizeof h, &h, sizeof h);
}

static k_half get_half(const uint8_t *plane, size_t at) {
    k_half h;
    memcpy(&h, plane + at * sizeof h, sizeof h);
    return h;
}

/* Row r of a panel, from the blocks of one row of the file. */
static void put_row(const cpu_matrix *m, uint8_t *panel, int r, const uint8_t *src, bool signed8) {
    form f = form_of(m->type);
    size_t rows = (size_t)m->panel_rows, block_bytes = k_type_bytes(m->type);
    int per_block = f.supers ? 8 : 1, groups = 256 / f.group;
    unpacked u = {0};
    for (int b = 0; b < m->blocks; b += per_block, src += block_bytes) {
        const uint8_t *nibbles = ready_nibbles(m->type, src);
        unpack(&u, m->type, src, signed8);
        for (int i = 0; i < per_block; i++) {
            uint8_t *q = panel + (size_t)(b + i) * 4 * rows * (size_t)f.bits;
            if (nibbles)
                put_nibbles(q, m->panel_rows, r, nibbles);
            else
                put_codes(q, f.bits, m->panel_rows, r, u.code + i * 32);
        }
        size_t at = (size_t)(b / per_block) * rows + (size_t)r;
        if (f.supers) {
            put_half(panel + m->d, at, u.d);
            if (f.min) put_half(panel + m->dmin, at, u.m);
            for (int g = 0; g < groups; g++) {
                size_t group_at = ((size_t)(b / 8 * groups + g)) * rows + (size_t)r;
                panel[m->scale + group_at] = (uint8_t)u.scale[g];
                if (f.min) panel[m->min + group_at] = (uint8_t)u.min[g];
            }
        } else if (m->type == K_MXFP4) {
            memcpy(panel + m->scale + at * sizeof u.f, &u.f, sizeof u.f);
        } else {
            put_half(panel + m->scale, at, u.d);
            if (f.min) put_half(panel + m->min, at, u.m);
        }
    }
}

static void put_float_row(const cpu_matrix *m, uint8_t *panel, int r, const uint8_t *src) {
    size_t bytes = k_type_bytes(m->type);
    for (size_t c = 0; c < (size_t)m->cols; c++)
        memcpy(panel + (c * (size_t)m->panel_rows + (size_t)r) * bytes, src + c * bytes, bytes);
}

void pack_panels(const cpu_matrix *m, const k_tensor *t, bool signed8, int64_t p0, int64_t p1) {
    size_t row_bytes = k_row_bytes(t->type, t->cols);
    for (int64_t p = p0; p < p1; p++) {
        uint8_t *panel = m->data + (size_t)p * m->panel_bytes;
        memset(panel, 0, m->panel_bytes);
        for (int r = 0; r < m->panel_rows; r++) {
            int64_t row = p * m->panel_rows + r;
            if (row >= m->rows) break;
            const uint8_t *src = (const uint8_t *)t->data + (size_t)row * row_bytes;
            if (is_float(m->type))
                put_float_row(m, panel, r, src);
            else
                put_row(m, panel, r, src, signed8);
        }
    }
}

/* ---- back ------------------------------------------------------------------------------------ */

static float code_value(k_type t, bool signed8, int code) {
    if (t == K_Q8_0) return (float)(signed8 ? (int8_t)code : code - 128);
    if (t == K_IQ4_NL || t == K_IQ4_XS) return (float)k_iq4_values[code];
    if (t == K_MXFP4) return (float)k_mxfp4_values[code];
    return (float)(code - form_of(t).added);
}

/* Scale (which 0) or minimum (1) of group g of a row. */
static float group_value(const cpu_matrix *m, const uint8_t *panel, int r, int g, int which) {
    form f = form_of(m->type);
    size_t rows = (size_t)m->panel_rows, at = (size_t)g * rows + (size_t)r;
    const uint8_t *plane = panel + (which ? m->min : m->scale);
    if (m->type == K_MXFP4) {
        float x;
        memcpy(&x, plane + at * sizeof x, sizeof x);
        return x;
    }
    if (!f.supers) return k_half_to_float(get_half(plane, at));
    size_t super = (size_t)(g / (256 / f.group)) * rows + (size_t)r;
    return k_half_to_float(get_half(panel + (which ? m->dmin : m->d), super)) *
           (float)(int8_t)plane[at];
}

static void float_row(const cpu_matrix *m, const uint8_t *panel, int r, float *dst) {
    size_t bytes = k_type_bytes(m->type);
    for (size_t c = 0; c < (size_t)m->cols; c++)
        k_dequant(m->type, panel + (c * (size_t)m->panel_rows + (size_t)r) * bytes, dst + c, 1);
}

void pack_row(const cpu_matrix *m, bool signed8, int64_t row, float *dst) {
    const uint8_t *panel = m->data + (size_t)(row / m->panel_rows) * m->panel_bytes;
    int r = (int)(row % m->panel_rows);
    if (is_float(m->type)) {
        float_row(m, panel, r, dst);
        return;
    }
    form f = form_of(m->type);
    for (int g = 0; g < m->blocks * (CPU_BLOCK / f.group); g++) {
        float scale = group_value(m, panel, r, g, 0), min = 0;
        if (f.min) min = group_value(m, panel, r, g, 1);
        for (int j = 0; j < f.group; j++) {
            int col = g * f.group + j;
            const uint8_t *q =
                panel + (size_t)(col / 32) * 4 * (size_t)m->panel_rows * (size_t)f.bits;
            float v = scale *
                      code_value(m->type, signed8, get_code(q, f.bits, m->panel_rows, r, col % 32));
            dst[col] = f.min ? v + min : v;
        }
    }
}
