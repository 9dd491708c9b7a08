/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Reading a model's file on a thread of its own: mapping, vocabulary, and every page of it touched,
 * so that the engine thread, which repacks it, never waits for a disk.  Thread: engine. */
#include "engine/load.h"
#include "engine/mailbox.h"

typedef struct opening opening;

/* Takes the command.  Progress is told to the mailbox, as events of the command's slot; when it
 * ends, the mailbox is nudged.  Without a thread to be had it reads at once, blocking. */
opening *opening_start(command *c, mailbox *box);
const command *opening_of(const opening *o);
bool opening_is_done(const opening *o);
/* It ends soon, with ERR_CANCELLED. */
void opening_cancel(opening *o);
/* Waits for its end and frees it.  OK: *out is the opened model (model_build follows). */
status opening_finish(opening *o, model **out, command **c, err *e) MUST_USE;
