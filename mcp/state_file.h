/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Small JSON files of ours, readable by this user only (0600).  Each blocks for one small file.
 * Thread: loop. */
#include <cjson/cJSON.h>

#include "engine/base/status.h"

/* `folder`/`name` on the heap; NULL when folder is. */
char *state_path(const char *folder, const char *name);
/* An object; empty when there is no file, or (with a warning) none that can be read. */
cJSON *state_read(const char *path);
/* Written whole and renamed; makes the folder. */
bool state_write(const char *path, const cJSON *root);
/* Keeps other processes out until state_unlock; -1 (go on without) when that is not possible. */
int state_lock(const char *path);
void state_unlock(int lock);
/* The member that is an object; made, or made anew, when it is not there or not one. */
cJSON *state_object(cJSON *parent, const char *name);
