/* SPDX-License-Identifier: Apache-2.0 */
/* Copies and checks plans.  A copy owns its list of operations and its rope tables, so the caller's
 * plan may go; tensors stay where they lie.  Thread: engine.
 */
#include "engine/base/mem.h"
#include "kernels/backend.h"

k_plan *k_plan_copy(const k_plan *p) {
    k_plan *c = xcalloc(1, sizeof *c);
    *c = *p;
    c->ops = xcalloc((size_t)p->n_ops, sizeof *c->ops);
    for (int i = 0; i < p->n_ops; i++) {
        c->ops[i] = p->ops[i];
        k_rope *r = &c->ops[i].rope;
        if (r->kind == ROPE_NONE || !r->inv_freq) continue;
        size_t bytes = (size_t)(r->n_rot / 2) * sizeof(float);
        float *freq = xmalloc(bytes);
        memcpy(freq, r->inv_freq, bytes);
        r->inv_freq = freq;
    }
    return c;
}

void k_plan_free(k_plan *p) {
    if (!p) return;
    for (int i = 0; p->ops && i < p->n_ops; i++) {
        const k_rope *r = &p->ops[i].rope;
        if (r->kind != ROPE_NONE) xfree((void *)(uintptr_t)r->inv_freq);
    }
    xfree(p->ops);
    xfree(p);
}

static const char *name_of(const k_tensor *t) {
    return t->name ? t->name : "a tensor";
}

static status check_matrix(const k_tensor *t, err *e) {
    if (t->rows == 0) return OK;
    if (k_type_block(t->type) == 0)
        return err_set(e, ERR_UNSUPPORTED,
                       "%s has the type %s, which no kernel reads; use another "
                       "quantisation of this model",
                       name_of(t), k_type_name((int)t->type));
    if (k_row_bytes(t->type, t->cols) == 0)
        return err_set(e, ERR_UNSUPPORTED,
                       "%s has rows of %lld elements, which %s blocks do not "
                       "divide; the file is damaged",
                       name_of(t), (long long)t->cols, k_type_name((int)t->type));
    return OK;
}

static status check_vector(const k_tensor *t, err *e) {
    if (t->rows == 0 || t->type == K_F32) return OK;
    return err_set(e, ERR_UNSUPPORTED, "%s is a vector of type %s; only F32 is read here",
                   name_of(t), k_type_name((int)t->type));
}

static status check_op(const k_op *op, err *e) {
    const k_norm *norms[] = {&op->norm, &op->q_norm, &op->k_norm};
    status s = OK;
    for (int i = 0; i < 3 && s == OK; i++) {
        s = check_matrix(&op->w[i], e);
        if (s == OK) s = check_vector(&op->bias[i], e);
        if (s == OK) s = check_vector(&norms[i]->weight, e);
        if (s == OK) s = check_vector(&norms[i]->bias, e);
    }
    return s;
}

/* Backends cut stacks of matrices at panels of rows. */
static status check_stack(const k_tensor *t, int parts, err *e) {
    int64_t rows = parts > 0 ? t->rows / parts : 0;
    if (rows > 0 && rows * parts == t->rows && rows % K_STACK_ROWS == 0) return OK;
    return err_set(e, ERR_UNSUPPORTED,
                   "%s has %lld rows for %d parts, which are no multiples of %d rows each",
                   name_of(t), (long long)t->rows, parts, K_STACK_ROWS);
}

static status check_stacks(const k_op *op, err *e) {
    status s = OK;
    const k_tensor *per_head = op->kind == OP_LATENT   ? &op->w[2]
                               : op->kind == OP_VALUES ? &op->w[0]
                                                       : NULL;
    if (per_head) {
        s = check_stack(per_head, op->n_head, e);
        ASSERT(per_head->type == K_F32 || per_head->type == K_F16); /* the plan makes them so */
    }
    for (int i = 0; op->kind == OP_EXPERTS && i < 3 && s == OK; i++)
        s = check_stack(&op->w[i], op->n_experts, e);
    return s;
}

status k_plan_check(const k_plan *p, err *e) {
    for (int i = 0; i < p->n_ops; i++) {
        status s = check_op(&p->ops[i], e);
        if (s == OK) s = check_stacks(&p->ops[i], e);
        if (s != OK) return s;
    }
    return OK;
}
