/* SPDX-License-Identifier: Apache-2.0 */
/* The GGUF container: files, mappings, tensor directory.  Metadata is in gguf_meta.c.
 *
 *     header | key-value pairs | tensor infos | padding | tensor data (each padded)
 *
 * A file is untrusted: everything is read through a cursor, every product is overflow-checked, and
 * no tensor is listed whose bytes are not inside the mapping.  A split model is one `gguf` of
 * several parts; its metadata are those of the first part.
 * Owns the mappings; tensors, keys and strings point into them until gguf_close().
 * Source: the GGUF specification (container, alignment, naming of split files). */
#include "engine/gguf.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/gguf_private.h"

#define ALIGNMENT_DEFAULT 32
#define HEADER_BYTES 24

/* ---- tensor infos -------------------------------------------------------------------------- */

/* Elements and bytes of a tensor; bytes stays 0 for types that are not in the table. */
static void size_tensor(cursor *c, uint64_t at, gguf_tensor *t) {
    uint64_t rows = 1, all;
    for (int i = 0; i < t->n_dims; i++) {
        if (t->ne[i] == 0) {
            cursor_fail(c, ERR_FORMAT, at, "dimension %d is 0", i);
            return;
        }
        if (i > 0 && __builtin_mul_overflow(rows, t->ne[i], &rows)) rows = UINT64_MAX;
    }
    if (__builtin_mul_overflow(rows, t->ne[0], &all) || all > INT64_MAX) {
        cursor_fail(c, ERR_FORMAT, at, "the product of the dimensions overflows");
        return;
    }
    /* I8 .. F64: no model multiplies with them, but deltas carry them. */
    static const uint8_t plain_bytes[] = {1, 2, 4, 8, 8};
    if (t->type >= 24 && t->type <= 28) {
        if (__builtin_mul_overflow(all, (uint64_t)plain_bytes[t->type - 24], &t->bytes) ||
            t->bytes > INT64_MAX)
            cursor_fail(c, ERR_FORMAT, at, "the size in bytes overflows");
        return;
    }
    uint64_t block = (uint64_t)MAX(k_type_block((k_type)t->type), 0);
    if (block == 0) return; /* unknown: listed, and refused by name when the model needs it */
    if (t->ne[0] % block != 0) {
        cursor_fail(c, ERR_FORMAT, at,
                    "rows of %" PRIu64 " elements are no multiple of the %" PRIu64 " of a %s block",
                    t->ne[0], block, k_type_name(t->type));
        return;
    }
    uint64_t row = (uint64_t)k_row_bytes((k_type)t->type, (int64_t)t->ne[0]);
    if (row == 0 || __builtin_mul_overflow(row, rows, &t->bytes) || t->bytes > INT64_MAX)
        cursor_fail(c, ERR_FORMAT, at, "the size in bytes overflows");
}

static void read_tensor(cursor *c, gguf_tensor *t, uint64_t *offset) {
    *t = (gguf_tensor){.ne = {1, 1, 1, 1}};
    uint64_t at = cursor_position(c);
    t->name = cursor_str(c, LIMIT_GGUF_NAME_BYTES, "a tensor name");
    if (c->status == OK && t->name.len == 0) cursor_fail(c, ERR_FORMAT, at, "an empty tensor name");
    c->within = t->name;
    at = cursor_position(c);
    uint32_t n_dims = cursor_u32(c, "the number of dimensions");
    if (c->status == OK && (n_dims < 1 || n_dims > 4))
        cursor_fail(c, ERR_FORMAT, at, "%u dimensions (1 to 4 are possible)", n_dims);
    if (c->status != OK) return;
    t->n_dims = (int)n_dims;
    at = cursor_position(c);
    for (int i = 0; i < t->n_dims; i++)
        t->ne[i] = cursor_u64(c, "a dimension");
    uint32_t type = cursor_u32(c, "the type of a tensor");
    if (type > INT32_MAX) cursor_fail(c, ERR_FORMAT, at, "the tensor type %u", type);
    t->type = (int)type;
    *offset = cursor_u64(c, "the offset of a tensor");
    if (c->status == OK) size_tensor(c, at, t);
    c->within = (str){0};
}

/* ---- one part ------------------------------------------------------------------------------ */

typedef struct {
    uint64_t n_tensors, n_kvs;
} header;

static void check_magic(cursor *c) {
    size_t n = (size_t)cursor_left(c);
    const char *p = (const char *)c->at;
    static const char lfs[] = "version https://git-lfs";
    if (n >= 4 && memcmp(p, "GGUF", 4) == 0) return;
    if (n == 0)
        c->status = err_set(c->err, ERR_FORMAT, "%s is empty; download it again", c->name);
    else if (n >= sizeof lfs - 1 && memcmp(p, lfs, sizeof lfs - 1) == 0)
        c->status =
            err_set(c->err, ERR_FORMAT,
                    "%s is a Git LFS pointer and not the model itself; fetch it with git lfs "
                    "pull or download it",
                    c->name);
    else
        c->status = err_set(c->err, ERR_FORMAT,
                            "%s is not a GGUF file: it begins with \"%.*s\" and not with GGUF",
                            c->name, (int)MIN(n, 4), p);
}

static header read_header(cursor *c) {
    header h = {0};
    check_magic(c);
    cursor_take(c, 4, "the magic");
    uint32_t version = cursor_u32(c, "the version");
    if (c->status == OK && (version == 0x02000000 || version == 0x03000000))
        cursor_fail(c, ERR_UNSUPPORTED, 4,
                    "this is a big-endian GGUF file; convert it: the version");
    else if (c->status == OK && version != 2 && version != 3)
        cursor_fail(c, ERR_UNSUPPORTED, 4, "GGUF version %u (2 and 3 are supported)", version);
    h.n_tensors = cursor_u64(c, "the number of tensors");
    h.n_kvs = cursor_u64(c, "the number of metadata keys");
    if (h.n_tensors > LIMIT_GGUF_TENSORS)
        cursor_fail(c, ERR_LIMIT, 8, "it claims %" PRIu64 " tensors, at most %u are allowed,",
                    h.n_tensors, LIMIT_GGUF_TENSORS);
    if (h.n_kvs > LIMIT_GGUF_KEYS)
        cursor_fail(c, ERR_LIMIT, 16,
                    "it claims %" PRIu64 " metadata keys, at most %u are allowed,", h.n_kvs,
                    LIMIT_GGUF_KEYS);
    return h;
}

static uint64_t round_up(uint64_t n, uint64_t alignment) {
    return (n + alignment - 1) & ~(alignment - 1);
}

/* Offsets must follow each other with nothing but padding between; this is how an overlap or a hole
 * is found.  Behind a tensor of unknown size any later place is possible. */
static status check_offset(const gguf_part *p, const gguf_tensor *t, uint64_t offset,
                           uint64_t expected, uint64_t alignment, err *e) {
    if (offset % alignment == 0 && offset < INT64_MAX && offset == expected) return OK;
    return err_set(e, ERR_FORMAT,
                   "%s: tensor %.*s claims to be at offset %" PRIu64
                   " of the data, expected %" PRIu64 " (alignment %" PRIu64
                   "); the file is damaged",
                   p->path, (int)MIN(t->name.len, 80), t->name.ptr, offset, expected, alignment);
}

/* Turns offsets into pointers, tensors [first, count). */
static status place_tensors(gguf *g, const gguf_part *p, size_t first, const uint64_t *offsets,
                            uint64_t data_start, uint64_t alignment, err *e) {
    uint64_t end = 0; /* of the data, as far as known */
    bool exact = true;
    for (size_t i = first; i < g->tensors.count; i++) {
        const gguf_tensor *t = &g->tensors.at[i];
        uint64_t offset = offsets[i - first];
        uint64_t expected = exact ? round_up(end, alignment) : MAX(offset, end);
        status s = check_offset(p, t, offset, expected, alignment, e);
        if (s != OK) return s;
        if (offset > INT64_MAX - t->bytes - alignment)
            return err_set(e, ERR_FORMAT, "%s: the end of tensor %.*s overflows", p->path,
                           (int)MIN(t->name.len, 80), t->name.ptr);
        end = offset + t->bytes;
        exact = t->bytes != 0;
    }
    uint64_t have = p->bytes > data_start ? p->bytes - data_start : 0;
    if (end > have)
        return err_set(e, ERR_FORMAT,
                       "%s is truncated: it has %zu bytes, its tensors need %" PRIu64
                       "; download it again",
                       p->path, p->bytes, data_start + end);
    for (size_t i = first; i < g->tensors.count; i++)
        g->tensors.at[i].data = p->base + data_start + offsets[i - first];
    return OK;
}

static uint64_t read_alignment(cursor *c, const gguf_kv_vec *kvs) {
    uint64_t a = gguf_kvs_u64(kvs, "general.alignment", ALIGNMENT_DEFAULT);
    if (a < 8 || a > LIMIT_GGUF_ALIGNMENT || (a & (a - 1)) != 0) {
        cursor_fail(c, ERR_FORMAT, cursor_position(c),
                    "general.alignment is %" PRIu64
                    " (a power of two from 8 to %u is possible), found",
                    a, LIMIT_GGUF_ALIGNMENT);
        return ALIGNMENT_DEFAULT;
    }
    return a;
}

/* Reads one part and appends its tensors; the caller keeps the keys. */
static status read_part(gguf *g, const gguf_part *p, gguf_kv_vec *kvs, err *e) {
    cursor c;
    cursor_init(&c, p->base, p->bytes, p->path, e);
    header h = read_header(&c);
    if (c.status != OK) return c.status;
    gguf_read_kvs(&c, h.n_kvs, kvs);
    if (c.status != OK) return c.status;
    uint64_t alignment = read_alignment(&c, kvs);

    size_t first = g->tensors.count;
    if (first + h.n_tensors > LIMIT_GGUF_TENSORS)
        cursor_fail(&c, ERR_LIMIT, 8, "all parts together claim more than %u tensors",
                    LIMIT_GGUF_TENSORS);
    VEC(uint64_t) offsets = {0};
    for (uint64_t i = 0; i < h.n_tensors && c.status == OK; i++) {
        gguf_tensor t;
        uint64_t offset = 0;
        read_tensor(&c, &t, &offset);
        if (c.status != OK) break;
        vec_push(&g->tensors, t);
        vec_push(&offsets, offset);
    }
    status s = c.status;
    if (s == OK) {
        uint64_t start = round_up(cursor_position(&c), alignment);
        s = place_tensors(g, p, first, offsets.at, start, alignment, e);
    }
    vec_free(&offsets);
    return s;
}

/* ---- files --------------------------------------------------------------------------------- */

static status map_file(gguf_part *p, err *e) {
    int fd = open(p->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        status code = errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_IO;
        return err_set(e, code, "the model file %s cannot be opened: %s", p->path, strerror(errno));
    }
    struct stat st;
    status s = OK;
    if (fstat(fd, &st) != 0) {
        s = err_set(e, ERR_IO, "the model file %s cannot be examined: %s", p->path,
                    strerror(errno));
    } else if (!S_ISREG(st.st_mode)) {
        s = err_set(e, ERR_USAGE, "%s is not a file; name a .gguf file", p->path);
    } else if (st.st_size < HEADER_BYTES) {
        s = err_set(e, ERR_FORMAT,
                    "%s is truncated: it has %lld bytes, a GGUF header alone has %d; "
                    "download it again",
                    p->path, (long long)st.st_size, HEADER_BYTES);
    } else {
        void *m = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (m == MAP_FAILED) {
            s = err_set(e, ERR_IO, "the model file %s cannot be mapped: %s", p->path,
                        strerror(errno));
        } else {
            p->base = m;
            p->bytes = (size_t)st.st_size;
            p->mapped = true;
        }
    }
    close(fd); /* the mapping stays */
    return s;
}

static void part_deinit(gguf_part *p) {
    if (p->mapped) {
        union {
            const void *in;
            void *out;
        } base = {.in = p->base};
        munmap(base.out, p->bytes);
    }
    xfree(p->path);
}

/* The name of part `no` (from 0) beside the first part, or NULL when that is not named as one. */
static char *split_path(const char *first, uint64_t no, uint64_t count) {
    char tail[40];
    snprintf(tail, sizeof tail, "-00001-of-%05" PRIu64 ".gguf", count);
    size_t n = strlen(first), t = strlen(tail);
    if (n < t || strcmp(first + n - t, tail) != 0) return NULL;
    char *path = xstrdup(first);
    snprintf(path + n - t, t + 1, "-%05" PRIu64 "-of-%05" PRIu64 ".gguf", no + 1, count);
    return path;
}

static status read_further_part(gguf *g, uint64_t no, uint64_t count, err *e) {
    gguf_part part = {.path = split_path(g->parts.at[0].path, no, count)};
    if (!part.path)
        return err_set(e, ERR_USAGE,
                       "%s says that it is the first of %" PRIu64
                       " parts, but its name does not end in "
                       "-00001-of-%05" PRIu64 ".gguf; give the parts their names back",
                       g->parts.at[0].path, count, count);
    status s = map_file(&part, e);
    if (s != OK) {
        s = err_prefix(e, s, "part %" PRIu64 " of %" PRIu64, no + 1, count);
        part_deinit(&part);
        return s;
    }
    vec_push(&g->parts, part);
    gguf_kv_vec kvs = {0};
    s = read_part(g, &part, &kvs, e);
    if (s == OK && gguf_kvs_u64(&kvs, "split.no", UINT64_MAX) != no)
        s = err_set(e, ERR_FORMAT,
                    "%s does not say that it is part %" PRIu64 " (split.no); it belongs "
                    "to another model or is misnamed",
                    part.path, no + 1);
    gguf_kvs_free(&kvs);
    return s;
}

static status read_splits(gguf *g, bool from_file, err *e) {
    const char *path = g->parts.at[0].path;
    uint64_t count = gguf_kvs_u64(&g->kvs, "split.count", 1);
    uint64_t no = gguf_kvs_u64(&g->kvs, "split.no", 0);
    if (count <= 1) return OK;
    if (count > LIMIT_GGUF_SPLITS)
        return err_set(e, ERR_LIMIT, "%s: split.count is %" PRIu64 ", at most %u parts are allowed",
                       path, count, LIMIT_GGUF_SPLITS);
    if (no != 0)
        return err_set(e, ERR_USAGE, "%s is part %" PRIu64 " of %" PRIu64 "; open the first part",
                       path, no + 1, count);
    if (!from_file)
        return err_set(e, ERR_UNSUPPORTED, "%s is a split model and can only be opened by path",
                       path);
    for (uint64_t i = 1; i < count; i++) {
        status s = read_further_part(g, i, count, e);
        if (s != OK) return s;
    }
    uint64_t tensors = gguf_kvs_u64(&g->kvs, "split.tensors.count", g->tensors.count);
    if (tensors != g->tensors.count)
        return err_set(e, ERR_FORMAT,
                       "%s: its %" PRIu64 " parts hold %zu tensors, but "
                       "split.tensors.count is %" PRIu64,
                       path, count, g->tensors.count, tensors);
    return OK;
}

static status index_names(gguf *g, err *e) {
    str dup = {0};
    g->kv_order = gguf_index(g->kvs.at, g->kvs.count, sizeof(gguf_kv), &dup);
    if (!g->kv_order)
        return err_set(e, ERR_FORMAT, "%s: the metadata key %.*s is there twice", gguf_path(g),
                       (int)MIN(dup.len, 80), dup.ptr);
    g->tensor_order = gguf_index(g->tensors.at, g->tensors.count, sizeof(gguf_tensor), &dup);
    if (!g->tensor_order)
        return err_set(e, ERR_FORMAT, "%s: the tensor %.*s is there twice", gguf_path(g),
                       (int)MIN(dup.len, 80), dup.ptr);
    return OK;
}

/* Takes `first` (its path and its mapping). */
static status build(gguf **out, gguf_part first, err *e) {
    gguf *g = xcalloc(1, sizeof *g);
    vec_push(&g->parts, first);
    status s = read_part(g, &g->parts.at[0], &g->kvs, e);
    if (s == OK) s = read_splits(g, first.mapped, e);
    if (s == OK) s = index_names(g, e);
    if (s != OK) {
        gguf_close(g);
        return s;
    }
    *out = g;
    return OK;
}

status gguf_open(gguf **out, const char *path, err *e) {
    gguf_part first = {.path = xstrdup(path)};
    status s = map_file(&first, e);
    if (s != OK) {
        part_deinit(&first);
        return s;
    }
    return build(out, first, e);
}

status gguf_parse(gguf **out, const void *bytes, size_t n, const char *name, err *e) {
    return build(out, (gguf_part){.path = xstrdup(name), .base = bytes, .bytes = n}, e);
}

void gguf_close(gguf *g) {
    if (!g) return;
    gguf_kvs_free(&g->kvs);
    xfree(g->kv_order);
    xfree(g->tensor_order);
    vec_free(&g->tensors);
    for (size_t i = 0; i < g->parts.count; i++)
        part_deinit(&g->parts.at[i]);
    vec_free(&g->parts);
    xfree(g);
}

/* ---- questions ----------------------------------------------------------------------------- */

const char *gguf_path(const gguf *g) {
    return g->parts.at[0].path;
}

uint64_t gguf_file_bytes(const gguf *g) {
    uint64_t sum = 0;
    for (size_t i = 0; i < g->parts.count; i++)
        sum += g->parts.at[i].bytes;
    return sum;
}

size_t gguf_tensor_count(const gguf *g) {
    return g->tensors.count;
}

const gguf_tensor *gguf_tensor_at(const gguf *g, size_t index) {
    ASSERT(index < g->tensors.count);
    return &g->tensors.at[index];
}

const gguf_tensor *gguf_tensor_find(const gguf *g, const char *name) {
    ptrdiff_t i = gguf_index_find(g->tensors.at, g->tensors.count, sizeof(gguf_tensor),
                                  g->tensor_order, str_of(name));
    return i < 0 ? NULL : &g->tensors.at[i];
}
