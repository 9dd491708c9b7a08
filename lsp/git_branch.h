/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the branch that is checked out in each workspace folder has changed, kept up to date for
 * the prompts of one connection.  Thread: loop. */
#include "engine/base/str.h"
#include "engine/base/vec.h"

typedef struct server server;
typedef struct branch_folder branch_folder;

typedef struct {
    VEC(branch_folder *) folders;
} git_branches;

/* The folder of the repository around a folder, with HEAD and config in it; NULL: none.  xfree. */
char *git_repository_of(const char *folder);

/* Folders or settings have changed. */
void git_branch_update(server *s);
/* A file was saved or reported as changed (absolute path; "": many). */
void git_branch_touched(server *s, str path);
/* Every few seconds: looks whether HEAD moved, and asks git where something has changed. */
void git_branch_tick(server *s);
/* The connection ends. */
void git_branch_gone(server *s);
