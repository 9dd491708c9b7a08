/* SPDX-License-Identifier: Apache-2.0 */
/* Small files: whole into a buffer, and whether they have changed.  Reads until the end instead of
 * trusting st_size, so pipes and /proc work; the bound is the caller's. */
#include "engine/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/hash.h"

status file_read(const char *path, size_t bytes_max, strbuf *out, err *e) {
    bool is_stdin = strcmp(path, "-") == 0;
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return err_set(e, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "cannot open %s: %s", path,
                       strerror(errno));
    }
    status s = OK;
    size_t total = 0;
    char chunk[16384];
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) s = err_set(e, ERR_IO, "cannot read %s: %s", path, strerror(errno));
        if (n <= 0) break;
        total += (size_t)n;
        if (total <= bytes_max) strbuf_add(out, chunk, (size_t)n);
        if (total > bytes_max || out->overflow) {
            s = err_set(e, ERR_LIMIT, "%s is larger than %zu bytes", path, bytes_max);
            break;
        }
    }
    if (!is_stdin) close(fd);
    return s;
}

uint64_t file_stamp(uint64_t seed, const char *path) {
    struct stat st = {0};
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode)) return hash64(seed, "", 1);
    const int64_t facts[] = {(int64_t)st.st_dev, (int64_t)st.st_ino, (int64_t)st.st_size,
                             (int64_t)st.st_mtim.tv_sec, (int64_t)st.st_mtim.tv_nsec};
    return hash64(seed, facts, sizeof facts);
}
