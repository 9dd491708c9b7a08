/* SPDX-License-Identifier: Apache-2.0 */
/* See gguf_write.h.  Header pieces are gathered in two buffers (pairs, descriptions), because their
 * counts stand in front of them. */
#include "engine/gguf_write.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "engine/base/vec.h"

enum { ALIGNMENT = 32 };

struct gguf_writer {
    char *path, *temporary;
    FILE *file;
    strbuf pairs, tensors;
    VEC(uint64_t) sizes; /* of the tensors */
    uint64_t n_pairs, offset;
    size_t current;   /* tensor that data goes to */
    uint64_t written; /* of the current tensor */
    bool header_done, committed;
    int error; /* errno of the first failure; 0: none */
};

status gguf_writer_open(gguf_writer **out, const char *path, err *e) {
    gguf_writer *w = xcalloc(1, sizeof *w);
    w->path = xstrdup(path);
    size_t n = strlen(path) + 32;
    w->temporary = xmalloc(n);
    snprintf(w->temporary, n, "%s.part-%ld", path, (long)getpid());
    strbuf_init(&w->pairs, LIMIT_GGUF_STRING_BYTES);
    strbuf_init(&w->tensors, LIMIT_GGUF_STRING_BYTES);
    w->file = fopen(w->temporary, "wb");
    if (!w->file) {
        status s = err_set(e, ERR_IO, "cannot write %s: %s", w->temporary, strerror(errno));
        gguf_writer_close(w);
        return s;
    }
    *out = w;
    return OK;
}

void gguf_writer_close(gguf_writer *w) {
    if (!w) return;
    if (w->file) {
        fclose(w->file);
        if (!w->committed) unlink(w->temporary);
    }
    strbuf_deinit(&w->pairs);
    strbuf_deinit(&w->tensors);
    vec_free(&w->sizes);
    xfree(w->path);
    xfree(w->temporary);
    xfree(w);
}

/* ---- header ---------------------------------------------------------------------------------- */

/* Little endian, as the format is and the machines are that this is built for. */
static void put_u32(strbuf *b, uint32_t v) {
    strbuf_add(b, &v, sizeof v);
}
static void put_u64(strbuf *b, uint64_t v) {
    strbuf_add(b, &v, sizeof v);
}

static void put_str(strbuf *b, str s) {
    put_u64(b, s.len);
    strbuf_add_str(b, s);
}

static void begin_pair(gguf_writer *w, str key, uint32_t type) {
    put_str(&w->pairs, key);
    put_u32(&w->pairs, type);
    w->n_pairs++;
}

void gguf_write_str(gguf_writer *w, str key, str value) {
    begin_pair(w, key, GGUF_STRING);
    put_str(&w->pairs, value);
}

void gguf_write_u32(gguf_writer *w, str key, uint32_t value) {
    begin_pair(w, key, GGUF_U32);
    put_u32(&w->pairs, value);
}

static void begin_array(gguf_writer *w, str key, uint32_t elem, uint64_t count) {
    begin_pair(w, key, GGUF_ARRAY);
    put_u32(&w->pairs, elem);
    put_u64(&w->pairs, count);
}

void gguf_write_strs(gguf_writer *w, str key, const str *values, size_t count) {
    begin_array(w, key, GGUF_STRING, count);
    for (size_t i = 0; i < count; i++)
        put_str(&w->pairs, values[i]);
}

void gguf_write_f32s(gguf_writer *w, str key, const float *values, size_t count) {
    begin_array(w, key, GGUF_F32, count);
    strbuf_add(&w->pairs, values, count * sizeof *values);
}

void gguf_write_copy(gguf_writer *w, str key, const gguf *from, size_t index) {
    uint32_t head[2];
    uint64_t count;
    str raw = gguf_key_raw(from, index, head, &count);
    if (head[0] == GGUF_ARRAY)
        begin_array(w, key, head[1], count);
    else
        begin_pair(w, key, head[0]);
    if (head[0] == GGUF_STRING) put_u64(&w->pairs, count);
    strbuf_add_str(&w->pairs, raw);
}

void gguf_write_tensor(gguf_writer *w, str name, int type, int n_dims, const uint64_t *ne,
                       uint64_t bytes) {
    ASSERT(!w->header_done);
    put_str(&w->tensors, name);
    put_u32(&w->tensors, (uint32_t)n_dims);
    for (int i = 0; i < n_dims; i++)
        put_u64(&w->tensors, ne[i]);
    put_u32(&w->tensors, (uint32_t)type);
    put_u64(&w->tensors, w->offset);
    w->offset += (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    vec_push(&w->sizes, bytes);
}

/* ---- data ------------------------------------------------------------------------------------ */

static void put(gguf_writer *w, const void *bytes, size_t n) {
    if (w->error || n == 0) return;
    errno = 0;
    if (fwrite(bytes, 1, n, w->file) != n) w->error = errno ? errno : EIO;
}

static void pad(gguf_writer *w, uint64_t from) {
    static const uint8_t zeros[ALIGNMENT];
    put(w, zeros, (ALIGNMENT - from % ALIGNMENT) % ALIGNMENT);
}

static void end_header(gguf_writer *w) {
    if (w->header_done) return;
    w->header_done = true;
    if (w->pairs.overflow || w->tensors.overflow) w->error = EFBIG;
    strbuf head;
    strbuf_init(&head, 64);
    strbuf_add(&head, "GGUF", 4);
    put_u32(&head, 3);
    put_u64(&head, w->sizes.count);
    put_u64(&head, w->n_pairs);
    put(w, head.ptr, head.len);
    put(w, w->pairs.ptr, w->pairs.len);
    put(w, w->tensors.ptr, w->tensors.len);
    pad(w, head.len + w->pairs.len + w->tensors.len);
    strbuf_deinit(&head);
}

void gguf_write_data(gguf_writer *w, const void *bytes, size_t n) {
    end_header(w);
    ASSERT(w->current < w->sizes.count && w->written + n <= w->sizes.at[w->current]);
    put(w, bytes, n);
    w->written += n;
    if (w->written < w->sizes.at[w->current]) return;
    pad(w, w->written);
    w->current++;
    w->written = 0;
}

status gguf_writer_commit(gguf_writer *w, err *e) {
    end_header(w);
    ASSERT(w->error || w->current == w->sizes.count);
    if (!w->error && (fflush(w->file) != 0 || fsync(fileno(w->file)) != 0)) w->error = errno;
    if (!w->error && rename(w->temporary, w->path) != 0) w->error = errno;
    if (w->error) {
        return err_set(e, ERR_IO, "cannot write %s: %s%s", w->path, strerror(w->error),
                       w->error == ENOSPC ? "; make room and try again" : "");
    }
    w->committed = true;
    return OK;
}
