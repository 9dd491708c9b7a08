/* SPDX-License-Identifier: Apache-2.0 */
/* See lock.h.  The file stays: removing it would let two holders in. */
#include "engine/registry/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "engine/registry/folder.h"

status lock_take(const char *folder, const char *name, const pull_hooks *hooks, int *fd, err *e) {
    char file[LIMIT_REGISTRY_NAME_BYTES + 16];
    snprintf(file, sizeof file, ".%s.lock", name);
    char *path = folder_join(folder, file);
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    status s = OK;
    if (*fd < 0) s = err_set(e, ERR_IO, "cannot write %s: %s", path, strerror(errno));
    while (s == OK && flock(*fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            s = err_set(e, ERR_IO, "cannot lock %s: %s", path, strerror(errno));
            break;
        }
        if (hooks && hooks->progress) hooks->progress(hooks->ud, PULL_WAITING, 0, 0);
        if (hooks && hooks->cancelled && hooks->cancelled(hooks->ud))
            s = err_set(e, ERR_CANCELLED, "cancelled");
        usleep(100 * 1000);
    }
    xfree(path);
    return s;
}
