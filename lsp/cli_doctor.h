/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The checks of `inlined doctor`.  Each adds one or more results and never stops the others. */
#include "engine/base/vec.h"
#include "engine/registry.h"
#include "lsp/cli_engine.h"

typedef struct {
    const char *name; /* stable, for scripts */
    bool ok;
    char detail[400]; /* what was found */
    char fix[400];    /* what to do; when ok: empty, or advice */
} check;
typedef VEC(check) check_vec;

/* Adds a result; the returned check is valid until the next one is added. */
check *check_add(check_vec *v, const char *name, bool ok, const char *detail, ...)
    PRINTF_LIKE(4, 5);
void check_fix(check *c, const char *fix, ...) PRINTF_LIKE(2, 3);

/* cli_doctor_machine.c: program, processor, threads, memory, devices, grammars, editors */
void check_machine(check_vec *v, const settings *st);
void check_grammars(check_vec *v);
void check_editors(check_vec *v);
