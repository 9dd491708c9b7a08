/* SPDX-License-Identifier: Apache-2.0 */
/* The file: a head, the tokens, the pages as the backend gives them, and the SHA-256 of all that.
 *
 * The bytes are hostile like any file's: sizes are checked against the file's own before anything
 * is read, tokens against the vocabulary, and pages go to the cache only after the sum has matched
 * (the file is read twice).  Numbers are in the machine's order: the cache is not portable anyway.
 */
#include "engine/session_file.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/hash.h"
#include "engine/base/mem.h"

#define MAGIC "inlined KV 1\n"
#define CHECK_BYTES ((uint64_t)2 << 20) /* summed up between two looks at others */

typedef struct {
    char magic[16], identity[64];
    uint64_t page_bytes;
    uint32_t page_tokens, tokens;
} head;

typedef struct {
    FILE *f;
    sha256 sum;
    bool failed;
} stream;

static void put(stream *s, const void *bytes, size_t n) {
    sha256_add(&s->sum, bytes, n);
    s->failed = s->failed || fwrite(bytes, 1, n, s->f) != n;
}

static bool get(stream *s, void *bytes, size_t n) {
    s->failed = s->failed || fread(bytes, 1, n, s->f) != n;
    if (!s->failed) sha256_add(&s->sum, bytes, n);
    return !s->failed;
}

static status go_on(const session_store *s, err *e) {
    return s->between(s->between_ud) ? OK : err_set(e, ERR_CANCELLED, "the sequence was given up");
}

static int pages_of(uint32_t tokens) {
    return (int)((tokens + K_PAGE_TOKENS - 1) / K_PAGE_TOKENS);
}

static head head_of(const session_store *s, int tokens) {
    head h = {.page_bytes = k_kv_page_bytes(s->kernels),
              .page_tokens = K_PAGE_TOKENS,
              .tokens = (uint32_t)tokens};
    memcpy(h.magic, MAGIC, sizeof MAGIC);
    memcpy(h.identity, s->identity, sizeof h.identity);
    return h;
}

/* ---- save ------------------------------------------------------------------------------------ */

static session *last_used(session_table *t) {
    session *best = NULL;
    for (size_t i = 0; i < COUNTOF(t->at); i++) {
        session *s = &t->at[i];
        if (s->held || s->count == 0) continue;
        if (!best || s->used > best->used) best = s;
    }
    return best;
}

static status write_all(const session_store *s, const session *from, FILE *f, err *e) {
    stream out = {.f = f};
    char hex[65];
    status result = OK;
    head h = head_of(s, from->count);
    void *page = xmalloc(h.page_bytes);
    sha256_init(&out.sum);
    put(&out, &h, sizeof h);
    put(&out, from->tokens, (size_t)from->count * sizeof *from->tokens);
    for (int i = 0; result == OK && i < pages_of(h.tokens); i++) {
        result = k_kv_read_page(s->kernels, from->pages[i], page, e);
        if (result == OK) put(&out, page, h.page_bytes);
        if (result == OK) result = go_on(s, e);
    }
    sha256_hex(&out.sum, hex);
    xfree(page);
    out.failed = out.failed || fwrite(hex, 1, 64, f) != 64 || fflush(f) != 0;
    if (result == OK && out.failed)
        result = err_set(e, ERR_IO, "the sequence could not be written: %s", strerror(errno));
    return result;
}

status session_save(const session_store *s, const char *path, int *tokens, err *e) {
    session *from = last_used(s->table);
    if (!from) return err_set(e, ERR_NOT_FOUND, "there is no sequence to save yet");
    from->held = true; /* jobs that run between two pages leave it alone */
    char fresh[4096];
    int len = snprintf(fresh, sizeof fresh, "%s.%ld", path, (long)getpid());
    FILE *f = len < (int)sizeof fresh ? fopen(fresh, "wbe") : NULL;
    status result = OK;
    if (!f)
        result = err_set(e, ERR_IO, "%s: cannot be written: %s", path, strerror(errno));
    else
        result = write_all(s, from, f, e);
    if (f && fclose(f) != 0 && result == OK)
        result = err_set(e, ERR_IO, "%s: cannot be written: %s", path, strerror(errno));
    if (result == OK && rename(fresh, path) != 0)
        result = err_set(e, ERR_IO, "%s: cannot be replaced: %s", path, strerror(errno));
    if (f && result != OK) unlink(fresh);
    *tokens = from->count;
    session_release(s->table, from);
    return result;
}

/* ---- restore --------------------------------------------------------------------------------- */

static status damaged(const char *path, err *e) {
    return err_set(e, ERR_FORMAT, "%s: is no whole saved sequence; delete it", path);
}

/* The head fits the model, the file's length fits the head, the sum fits the file. */
static status check(const session_store *s, const char *path, FILE *f, head *h, err *e) {
    stream in = {.f = f};
    struct stat st;
    char block[65536], hex[65], stands[64];
    sha256_init(&in.sum);
    if (fstat(fileno(f), &st) != 0 || !get(&in, h, sizeof *h)) return damaged(path, e);
    head want = head_of(s, (int)MIN(h->tokens, INT32_MAX));
    if (memcmp(h->magic, want.magic, sizeof h->magic) != 0) return damaged(path, e);
    if (memcmp(h->identity, want.identity, sizeof h->identity) != 0 ||
        h->page_bytes != want.page_bytes || h->page_tokens != want.page_tokens)
        return err_set(e, ERR_FORMAT,
                       "%s: was saved by another model or device; save it again with this one",
                       path);
    if (h->tokens == 0 || h->tokens > (uint32_t)s->table->context)
        return err_set(e, ERR_LIMIT, "%s: has %u tokens, but the context is %d tokens long", path,
                       h->tokens, s->table->context);
    uint64_t left = h->tokens * sizeof(int32_t) + (uint64_t)pages_of(h->tokens) * h->page_bytes;
    if ((uint64_t)st.st_size != sizeof *h + left + sizeof stands) return damaged(path, e);
    for (; left > 0; left -= MIN(left, sizeof block)) {
        if (!get(&in, block, (size_t)MIN(left, sizeof block))) return damaged(path, e);
        if (left / CHECK_BYTES != (left - MIN(left, sizeof block)) / CHECK_BYTES) {
            status more = go_on(s, e);
            if (more != OK) return more;
        }
    }
    sha256_hex(&in.sum, hex);
    bool whole = fread(stands, 1, sizeof stands, f) == sizeof stands &&
                 memcmp(stands, hex, sizeof stands) == 0;
    return whole ? OK : damaged(path, e);
}

static status fill(const session_store *s, session *to, const head *h, const char *path, FILE *f,
                   err *e) {
    stream in = {.f = f};
    int n = (int)h->tokens;
    if (!session_reserve(s->table, to, n))
        return err_set(e, ERR_LIMIT, "%s: %d tokens find no room in the cache", path, n);
    int32_t *ids = xcalloc((size_t)n, sizeof *ids);
    void *page = xmalloc(h->page_bytes);
    status result = OK;
    if (fseek(f, sizeof *h, SEEK_SET) != 0 || !get(&in, ids, (size_t)n * sizeof *ids))
        result = damaged(path, e);
    for (int i = 0; result == OK && i < n; i++)
        if (ids[i] < 0 || ids[i] >= s->vocab) result = damaged(path, e);
    for (int i = 0; result == OK && i < pages_of(h->tokens); i++) {
        result = get(&in, page, h->page_bytes) ? OK : damaged(path, e);
        if (result == OK) result = k_kv_write_page(s->kernels, to->pages[i], page, e);
        if (result == OK) result = go_on(s, e);
    }
    if (result == OK) session_append(to, ids, n);
    xfree(ids);
    xfree(page);
    return result;
}

status session_restore(const session_store *s, const char *path, int *tokens, err *e) {
    head h;
    FILE *f = fopen(path, "rbe");
    if (!f) return err_set(e, ERR_NOT_FOUND, "%s: cannot be read: %s", path, strerror(errno));
    status result = check(s, path, f, &h, e);
    session *to = result == OK ? session_take_idle(s->table) : NULL;
    if (result == OK && !to)
        result = err_set(e, ERR_LIMIT, "%s: every sequence of the model is in use", path);
    if (to) {
        result = fill(s, to, &h, path, f, e);
        session_release(s->table, to);
        *tokens = to->count;
    }
    fclose(f);
    return result;
}
