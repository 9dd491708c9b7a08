/* SPDX-License-Identifier: Apache-2.0 */
/* See listener.h.  systemd's protocol: the descriptor is 3, LISTEN_PID says whom it is for.
 * Thread: loop. */
#include "lsp/listener.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "engine/base/str.h"
#include "lsp/runtime_dir.h"

#define ACTIVATED_FD 3
#define BACKLOG 64

/* A socket file that nobody answers at was left by a daemon that died. */
static bool is_stale(const char *path) {
    struct stat st;
    if (lstat(path, &st) || !S_ISSOCK(st.st_mode)) return false;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    snprintf(to.sun_path, sizeof to.sun_path, "%s", path);
    bool stale = fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) && errno == ECONNREFUSED;
    if (fd >= 0) close(fd);
    return stale;
}

static int bind_path(uv_pipe_t *handle, const char *path) {
    mode_t mask = umask(0077); /* only this user may connect */
    int rc = uv_pipe_bind(handle, path);
    if (rc == UV_EADDRINUSE && is_stale(path)) {
        unlink(path);
        rc = uv_pipe_bind(handle, path);
    }
    umask(mask);
    return rc;
}

/* What systemd passed; the variables are for us and not for what we start. */
static bool take_activated(void) {
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
    int64_t whose = 0, n = 0;
    bool ours = pid && count && str_to_i64(str_of(pid), &whose) && str_to_i64(str_of(count), &n) &&
                whose == getpid() && n == 1;
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    return ours;
}

status listener_open(uv_pipe_t *handle, loop *l, const char *path, uv_connection_cb knock,
                     bool *open, err *e) {
    struct sockaddr_un limit;
    bool activated = !strcmp(path, "fd");
    if (activated && !take_activated())
        return err_set(e, ERR_USAGE,
                       "--listen fd is for systemd, which passes a socket; name a path");
    if (strlen(path) >= sizeof limit.sun_path)
        return err_set(e, ERR_USAGE, "--listen %s: a socket's path has at most %zu bytes", path,
                       sizeof limit.sun_path - 1);
    uv_pipe_init(&l->uv, handle, 0);
    *open = true;
    int rc = activated ? uv_pipe_open(handle, ACTIVATED_FD) : bind_path(handle, path);
    if (!rc) rc = uv_listen((uv_stream_t *)handle, BACKLOG, knock);
    if (rc == UV_EADDRINUSE)
        return err_set(e, ERR_IO, "--listen %s: another daemon listens there, or it is no socket",
                       path);
    return rc ? err_set(e, ERR_IO, "--listen %s: %s", path, uv_strerror(rc)) : OK;
}

bool listener_is_same_build(int fd) {
    return runtime_peer_build(fd) == runtime_own_build();
}
