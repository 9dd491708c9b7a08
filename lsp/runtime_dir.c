/* SPDX-License-Identifier: Apache-2.0 */
/* Private means: a folder of ours, mode 0700, no link; and whoever accepts on the socket runs as
 * this user, which the kernel says.  Thread: any; no state. */
#define _GNU_SOURCE /* struct ucred */
#include "lsp/runtime_dir.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "engine/base/hash.h"

status runtime_dir(char out[static RUNTIME_PATH_BYTES], err *e) {
    const char *base = getenv("XDG_RUNTIME_DIR");
    int n;
    if (base && base[0] == '/')
        n = snprintf(out, RUNTIME_PATH_BYTES, "%s/inlined", base);
    else
        n = snprintf(out, RUNTIME_PATH_BYTES, "/tmp/inlined-%u", (unsigned)getuid());
    if (n >= RUNTIME_PATH_BYTES - 16)
        snprintf(out, RUNTIME_PATH_BYTES, "/tmp/inlined-%u-%08x", (unsigned)getuid(),
                 (unsigned)hash64(0, base, strlen(base)));
    struct stat st;
    if (mkdir(out, 0700) && errno != EEXIST)
        return err_set(e, ERR_IO, "cannot make the folder %s: %s", out, strerror(errno));
    if (lstat(out, &st) || !S_ISDIR(st.st_mode) || st.st_uid != getuid() || (st.st_mode & 0077))
        return err_set(e, ERR_IO,
                       "the folder %s is not this user's alone; remove it, or set XDG_RUNTIME_DIR",
                       out);
    return OK;
}

status runtime_socket(char out[static RUNTIME_PATH_BYTES], err *e) {
    status s = runtime_dir(out, e);
    if (s) return s;
    size_t n = strlen(out);
    snprintf(out + n, RUNTIME_PATH_BYTES - n, "/d-%08x", (unsigned)runtime_own_build());
    return OK;
}

status runtime_system_socket(char out[static RUNTIME_PATH_BYTES], err *e) {
    status s = runtime_dir(out, e);
    size_t n = strlen(out);
    if (!s) snprintf(out + n, RUNTIME_PATH_BYTES - n, "/systemd");
    return s;
}

/* The link in /proc leads to the file that runs, also when another has its name by now. */
static uint32_t build_of(const char *exe) {
    struct stat st;
    if (stat(exe, &st)) return 0;
    uint64_t build[] = {(uint64_t)st.st_size, (uint64_t)st.st_mtim.tv_sec,
                        (uint64_t)st.st_mtim.tv_nsec};
    return MAX((uint32_t)hash64(0, (const char *)build, sizeof build), 1);
}

uint32_t runtime_own_build(void) {
    return build_of("/proc/self/exe");
}

uint32_t runtime_peer_build(int fd) {
    struct ucred peer;
    socklen_t size = sizeof peer;
    char exe[48];
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size)) return 0;
    snprintf(exe, sizeof exe, "/proc/%lld/exe", (long long)peer.pid);
    return build_of(exe);
}

bool runtime_peer_is_ours(int fd) {
    struct ucred peer;
    socklen_t size = sizeof peer;
    return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) && peer.uid == getuid();
}

int runtime_connect(const char *path, err *e) {
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof to.sun_path) {
        (void)err_set(e, ERR_USAGE, "%s: a socket's path has at most %zu bytes", path,
                      sizeof to.sun_path - 1);
        return -1;
    }
    snprintf(to.sun_path, sizeof to.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to)) {
        (void)err_set(e, ERR_NOT_FOUND, "no daemon answers at %s: %s", path, strerror(errno));
        if (fd >= 0) close(fd);
        return -1;
    }
    if (runtime_peer_is_ours(fd)) return fd;
    (void)err_set(e, ERR_IO, "what answers at %s is another user's", path);
    close(fd);
    return -1;
}
