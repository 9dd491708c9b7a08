/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the files of `inlined models` share. */
#include "engine/registry.h"
#include "lsp/cli.h"
#include "lsp/cli_term.h"

/* Progress of one model on one line. */
typedef struct {
    const char *name;
    meter line;
    pull_stage stage;
    char label[160]; /* what the line shows; a new stage is a new address */
} pull_view;
/* Prepares the line and holds interrupts back; the hooks look for them. */
pull_hooks cli_models_hooks(pull_view *v);

/* An entry and its state, as JSON; the keys are promised to scripts. */
cJSON *cli_models_entry(const model_entry *m);

/* cli_status.c: load, unload, use. */
status cli_models_tier(const cli_args *a, err *e) MUST_USE;
status cli_models_add(const registry *r, const cli_args *a, err *e) MUST_USE;
status cli_models_rm(const model_entry *m, const cli_args *a, err *e) MUST_USE;
