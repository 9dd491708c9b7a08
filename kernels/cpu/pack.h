/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Weights from GGUF blocks to panels (cpu_matrix in isa.h) and back.  Every value is kept exactly:
 * codes and scales only move. */
#include "kernels/cpu/isa.h"

/* Fills all fields but `data`: what the matrix will take.  t->rows > 0, its type and cols
 * checked. */
void pack_layout(cpu_matrix *m, const k_tensor *t, int panel_rows);
static inline size_t pack_bytes(const cpu_matrix *m) {
    return m->panel_bytes * (size_t)m->panels;
}

/* Fills panels p0..p1-1 of m->data from the tensor. Rows beyond the last are zero. Thread: any. */
void pack_panels(const cpu_matrix *m, const k_tensor *t, bool signed8, int64_t p0, int64_t p1);

/* One row back as floats: exactly k_dequant of the tensor's row. */
void pack_row(const cpu_matrix *m, bool signed8, int64_t row, float *dst);
