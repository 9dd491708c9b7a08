/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A command's connection to the running daemon: one request at a time, waiting for its answer.
 * Thread: main. */
#include <cjson/cJSON.h>

#include "engine/base/status.h"

typedef struct cli_daemon cli_daemon;

/* `path` NULL: the user's own.  ERR_NOT_FOUND: none is running. */
status cli_daemon_open(cli_daemon **out, const char *path, err *e) MUST_USE;
void cli_daemon_close(cli_daemon *d); /* accepts NULL */
/* A text or a number of an answer; "" and 0 where there is none. */
const char *cli_daemon_text(const cJSON *o, const char *key);
double cli_daemon_number(const cJSON *o, const char *key);
/* Takes params (may be NULL); *result is freed with cJSON_Delete.  ERR_NOT_FOUND: the daemon's own
 * sentence.  ERR_LIMIT: nothing came for ten seconds. */
status cli_daemon_ask(cli_daemon *d, const char *method, cJSON *params, cJSON **result,
                      err *e) MUST_USE;
