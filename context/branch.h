/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the branches of the workspace's folders have changed (context_set_diff).  Thread: loop. */
typedef struct context context;

/* Forgets those of folders that are none any more. */
void branch_settle(context *c);
void branch_deinit(context *c);
