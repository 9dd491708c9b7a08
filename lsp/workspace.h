/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The folders of a connection: what in them is private, what of them the model may see.
 * Thread: loop. */
#include "engine/base/str.h"

struct cJSON;
typedef struct server server;
struct document;

/* Folders or settings have changed. */
void workspace_update(server *s);
/* Asks the client to report changed files, where it offers that. */
void workspace_register(server *s);
/* The connection ends: the symbol index forgets it. */
void workspace_gone(server *s);
/* A document was opened; `file` is the absolute path of its URI, or what stands for one. */
void workspace_opened(server *s, struct document *d, str file);
void workspace_closing(server *s, struct document *d);
/* Every few seconds. */
void workspace_tick(server *s);

/* Notifications. */
void workspace_saved(server *s, const struct cJSON *params);
void workspace_files_changed(server *s, const struct cJSON *params);
