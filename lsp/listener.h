/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Where a daemon waits for editors: a Unix socket of its own, or one that systemd holds for it.
 * Thread: loop. */
#include "lsp/loop.h"

/* Listens at `path`, which only this user can open; at "fd" with the socket that came with the
 * process (LISTEN_FDS).  `*open` once the handle must be closed, which also removes the path.
 * ERR_USAGE: the path is too long, or nothing came; ERR_IO: it cannot, or somebody is there. */
status listener_open(uv_pipe_t *handle, loop *l, const char *path, uv_connection_cb knock,
                     bool *open, err *e) MUST_USE;
/* Whether who is connected there runs this very program file. */
bool listener_is_same_build(int fd);
