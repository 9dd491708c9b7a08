/* SPDX-License-Identifier: Apache-2.0 */
/* Any model file: hyper-parameters and tensors are bound or refused in one sentence, and every byte
 * that a plan points to is inside the file. */
#include "engine/arch.h"
#include "engine/base/mem.h"
#include "engine/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void touch(const k_tensor *t) {
    if (t->rows == 0) return;
    const volatile uint8_t *b = t->data;
    (void)(b[0] + b[k_row_bytes(t->type, t->cols) * (size_t)t->rows - 1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    gguf *g = NULL;
    arch a;
    plan p = {0};
    err e = {{0}};
    if (gguf_parse(&g, data, size, "fuzz", &e) != OK) return 0;
    status s = arch_read(&a, g, &e);
    if (s == OK) s = plan_build(&p, &a, g, 1024, &e);
    if (s != OK && !e.text[0]) abort();
    for (int i = 0; s == OK && i < p.plan.n_ops; i++) {
        const k_op *op = &p.plan.ops[i];
        for (int k = 0; k < 3; k++) {
            touch(&op->w[k]);
            touch(&op->bias[k]);
        }
        touch(&op->norm.weight);
        touch(&op->norm.bias);
        touch(&op->q_norm.weight);
        touch(&op->k_norm.weight);
    }
    if (s == OK) plan_deinit(&p);
    gguf_close(g);
    return 0;
}
