/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* An engine for one command: started, one model loaded (with progress on stderr), pumped by hand.
 * */
#include "engine/engine.h"
#include "engine/registry.h"
#include "lsp/cli.h"
#include "lsp/cli_term.h"
#include "lsp/settings.h"

typedef struct cli_engine cli_engine;

/* The settings that a command runs with: defaults, --config, then the command line.  What is wrong
 * in the file is said on stderr. */
status cli_settings(const cli_args *a, settings *out, err *e) MUST_USE;

/* Finds the model, starts the engine, loads the model into slot 0.  Blocks; Ctrl-C cancels. */
status cli_engine_open(cli_engine **out, const settings *st, err *e) MUST_USE;
void cli_engine_close(cli_engine *c); /* accepts NULL */

engine *cli_engine_get(cli_engine *c);
const engine_model_info *cli_engine_info(const cli_engine *c);
const char *cli_engine_name(const cli_engine *c); /* of the model, as people know it */

/* Hands events to `fn` until *done is true.  ERR_CANCELLED after Ctrl-C: the caller cancels its job
 * and may pump again for the end of it. */
status cli_engine_pump(cli_engine *c, void (*fn)(void *ud, const engine_event *ev), void *ud,
                       const bool *done, err *e) MUST_USE;

/* Runs one job to its end and calls `fn` with its result, whatever its status; `text` (may be NULL)
 * gets the text as it comes.  Returns the job's status. */
typedef struct {
    void (*result)(void *ud, const engine_result *r);
    void (*text)(void *ud, str text);
    void *ud;
} cli_job_hooks;
status cli_engine_run(cli_engine *c, const engine_job *job, const cli_job_hooks *hooks,
                      err *e) MUST_USE;
