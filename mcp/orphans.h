/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Servers that outlive us because we were killed: each running one has a mark, a small file; the
 * next host ends those whose owner is gone.  Blocks for a few small files.  Thread: loop. */
#include "engine/base/base.h"

/* A variable of a server's environment, and so of all that it starts: its value, the tag, names the
 * server among all that ever ran. */
#define ORPHANS_VARIABLE "INLINED_MCP_SERVER"
typedef char orphans_tag[64];
void orphans_tag_make(orphans_tag out);
/* Ends (SIGKILL) every process that carries this tag, also one that has left the server's group;
 * returns how many.  Reads the environment of all processes of this user.  Thread: any. */
int orphans_end(const char *tag);

/* `folder` NULL: nothing is marked. */
void orphans_mark(const char *folder, int pid, const char *tag);
void orphans_unmark(const char *folder, int pid);
/* Ends (SIGKILL) the whole group of each marked process, and what carries its tag, when its owner
 * does not run any more; returns how many there were.  A process that only has the same number is
 * left alone: start times are compared. */
int orphans_sweep(const char *folder);
