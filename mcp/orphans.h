/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Servers that outlive us because we were killed: each running one has a mark, a small file; the
 * next host ends those whose owner is gone.  Blocks for a few small files.  Thread: loop. */
#include "engine/base/base.h"

/* `folder` NULL: nothing is marked. */
void orphans_mark(const char *folder, int pid);
void orphans_unmark(const char *folder, int pid);
/* Ends (SIGKILL) the whole group of each marked process whose owner does not run any more; returns
 * how many.  A process that only has the same number is left alone: start times are compared. */
int orphans_sweep(const char *folder);
