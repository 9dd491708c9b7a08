/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The folder where the user's daemon has its socket and its lock.  Thread: any. */
#include "engine/base/status.h"

#define RUNTIME_PATH_BYTES 100 /* a socket's path has 107 at most */

/* $XDG_RUNTIME_DIR/inlined, else /tmp/inlined-UID, made when it is not there; where the former is
 * too long for a socket, /tmp/inlined-UID-HASH of it.  ERR_IO: it cannot be
 * made, or others than this user may look into it: then nothing in it is trusted. */
status runtime_dir(char out[static RUNTIME_PATH_BYTES], err *e) MUST_USE;
/* The daemon's socket in it.  Its name depends on the program's file: a daemon and those who talk
 * to it are of one build.  After an update the old daemon serves those whom it has until they go,
 * then it leaves; everybody else gets a new one. */
status runtime_socket(char out[static RUNTIME_PATH_BYTES], err *e) MUST_USE;
/* The socket at which systemd starts a daemon, where its unit is enabled; that may be of another
 * build, and then says nothing and hangs up. */
status runtime_system_socket(char out[static RUNTIME_PATH_BYTES], err *e) MUST_USE;
/* A number for this program's file; two that are equal are one build. */
uint32_t runtime_own_build(void);
/* The same of the process at the other end of a Unix socket; 0: nobody knows. */
uint32_t runtime_peer_build(int fd);
/* Whether the process at the other end of a Unix socket runs as this user. */
bool runtime_peer_is_ours(int fd);
/* A connection to a Unix socket whose listener is this user's: a descriptor, or -1 and why. */
int runtime_connect(const char *path, err *e);
