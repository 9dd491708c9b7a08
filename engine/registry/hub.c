/* SPDX-License-Identifier: Apache-2.0 */
/* Fetching from the hub.
 *
 *     HEAD ...resolve/main/FILE     size and SHA-256, from the hub's headers
 *     part there? hash it           .NAME@SHA16.part: its name says of which bytes it is a part
 *     GET with Range                redirects by hand; after a failure on from where it stopped
 *     size and SHA-256 right?       only then is it handed on
 *
 * Invariants: (1) `hash` has seen exactly the first `have` bytes of the part; (2) the token goes to
 * the endpoint's own scheme, host and port and nowhere else; (3) an encrypted answer never leads to
 * an unencrypted one.  Thread: the caller's; blocks. */
#include "engine/registry/hub.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/hash.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/base/str.h"
#include "engine/registry/folder.h"

#define HUB "https://huggingface.co"
#define STALL_S 30
#define SPARE_BYTES (16u << 20) /* what a full disk should keep for others */
#define READ_BYTES (1u << 20)

typedef struct {
    const hub_access *access;
    const model_entry *m;
    const model_source *src;
    const pull_hooks *hooks;
    char url[LIMIT_HTTP_URL_BYTES];
    hub_facts want; /* what the file must be */
    char *path;     /* of the part */
    int fd;
    uint64_t have, most; /* most: the furthest that any try came */
    sha256 hash;
    int tries;      /* failures in a row */
    bool checked;   /* this answer's headers fit */
    bool restart;   /* this answer does not go on where we stopped */
    status trouble; /* of the sink; its sentence is in *e */
    err *e;
} fetch;

/* ---- where and as whom ----------------------------------------------------------------------- */

static bool is_word(const char *s) {
    for (; *s; s++) {
        if ((unsigned char)*s <= 0x20 || (unsigned char)*s >= 0x7f) return false;
    }
    return true;
}

status hub_access_read(hub_access *out, const char *endpoint, err *e) {
    const char *set = getenv("HF_ENDPOINT"), *token = getenv("HF_TOKEN");
    const char *stall = getenv("INLINED_STALL_S");
    int64_t stall_s = STALL_S;
    if (set && set[0]) endpoint = set;
    if (!endpoint[0]) endpoint = HUB;
    str url = str_of(endpoint);
    while (url.len && url.ptr[url.len - 1] == '/')
        url.len--;
    bool http = str_starts_with(url, STR("http://")) || str_starts_with(url, STR("https://"));
    if (!http || !is_word(endpoint) || url.len >= sizeof out->endpoint)
        return err_set(e, ERR_USAGE, "the endpoint %.80s is no address that begins with https://",
                       endpoint);
    if (token && (!is_word(token) || strlen(token) > LIMIT_REGISTRY_TEXT_BYTES))
        return err_set(e, ERR_USAGE, "HF_TOKEN holds something else than a token");
    if (stall && (!str_to_i64(str_of(stall), &stall_s) || stall_s < 1 || stall_s > 3600))
        return err_set(e, ERR_USAGE, "INLINED_STALL_S must be a number of seconds from 1 to 3600");
    *out = (hub_access){.token = token && token[0] ? token : NULL, .stall_s = (int)stall_s};
    snprintf(out->endpoint, sizeof out->endpoint, "%.*s", STR_ARG(url));
    return OK;
}

/* A token travels encrypted, or not at all (this machine itself is no network). */
static const char *token_for(const fetch *f, const char *url) {
    const hub_access *a = f->access;
    if (!a->token || !http_same_origin(url, a->endpoint)) return NULL;
    return http_is_secure(url) || http_is_loopback(url) ? a->token : NULL;
}

/* ---- asking ---------------------------------------------------------------------------------- */

static bool keep_on(void *ud) {
    const fetch *f = ud;
    return !(f->hooks && f->hooks->cancelled && f->hooks->cancelled(f->hooks->ud));
}

static void tell(const fetch *f, pull_stage stage, uint64_t done) {
    if (f->hooks && f->hooks->progress)
        f->hooks->progress(f->hooks->ud, stage, done, f->want.bytes);
}

static bool is_redirect(int code) {
    return code == 301 || code == 302 || code == 303 || code == 307 || code == 308;
}

/* Why a redirect is not followed, or NULL. */
static const char *why_not(const http_reply *r, const char *from, int hops) {
    if (!r->location[0]) return "it redirects to nowhere";
    if (hops == LIMIT_HTTP_REDIRECTS) return "it redirects without end";
    str to = str_of(r->location);
    if (!str_starts_with(to, STR("https://")) && !str_starts_with(to, STR("http://")))
        return "it redirects to something else than the web";
    if (http_is_secure(from) && !http_is_secure(r->location))
        return "it redirects to an unencrypted address";
    return NULL;
}

/* The question with its redirects.  A HEAD ends where the hub names the file: the storage server
 * behind it need not be asked. */
static void ask(fetch *f, http_question *q, http_reply *r) {
    char url[LIMIT_HTTP_URL_BYTES];
    snprintf(url, sizeof url, "%s", f->url);
    for (int hops = 0;; hops++) {
        f->checked = f->restart = false;
        q->url = url;
        q->token = token_for(f, url);
        http_ask(q, r);
        if (r->end != HTTP_ANSWERED || !is_redirect(r->code)) return;
        if (q->head && r->linked_etag[0]) {
            r->code = 200;
            r->has_length = false; /* it was the length of the redirect's own page */
            return;
        }
        const char *wrong = why_not(r, url, hops);
        if (wrong) {
            r->end = HTTP_SENSELESS;
            snprintf(r->why, sizeof r->why, "%s", wrong);
            return;
        }
        snprintf(url, sizeof url, "%s", r->location);
    }
}

static status pause_ms(fetch *f, int ms) {
    double until = clock_ms() + ms;
    while (clock_ms() < until) {
        tell(f, PULL_PAUSING, f->have);
        if (!keep_on(f)) return err_set(f->e, ERR_CANCELLED, "cancelled");
        usleep(50 * 1000);
    }
    return OK;
}

/* After a failure: waits, or gives up. */
static status have_patience(fetch *f, const http_reply *r, hub_next *next) {
    int wait_ms;
    status code;
    *next = hub_judge(r, f->tries, f->access, f->src, &wait_ms, &code, f->e);
    log_debug("registry", "hub end=%d code=%d tries=%d wait_ms=%d why=\"%s\"", (int)r->end, r->code,
              f->tries, wait_ms, r->why);
    if (*next == HUB_GOOD) return OK;
    f->tries++;
    return *next == HUB_FAILED ? code : pause_ms(f, wait_ms);
}

/* ---- what the file must be ------------------------------------------------------------------- */

static bool is_sha256(const char *s) {
    return strlen(s) == 64 && strspn(s, "0123456789abcdef") == 64;
}

static status take_promise(fetch *f, const http_reply *r) {
    const char *etag = is_sha256(r->linked_etag) ? r->linked_etag : r->etag;
    uint64_t bytes = r->linked_size ? r->linked_size : r->has_length ? r->length : 0;
    const model_entry *m = f->m;
    snprintf(f->want.commit, sizeof f->want.commit, "%s", r->commit);
    bool other = (m->sha256[0] && is_sha256(etag) && strcmp(etag, m->sha256) != 0) ||
                 (m->bytes && bytes && m->bytes != bytes);
    if (other)
        return err_set(f->e, ERR_FORMAT,
                       "%s in %s is another file than the list promises (%llu bytes, SHA-256 "
                       "%.12s): it was replaced there",
                       f->src->file, f->src->repo, (unsigned long long)bytes, etag);
    f->want.bytes = m->bytes ? m->bytes : bytes;
    snprintf(f->want.sha256, sizeof f->want.sha256, "%s",
             m->sha256[0]      ? m->sha256
             : is_sha256(etag) ? etag
                               : "");
    if (f->want.sha256[0] && f->want.bytes) return OK;
    return err_set(f->e, ERR_FORMAT,
                   "neither the list nor %s says what size and SHA-256 %s has: fetch it by hand, "
                   "then run: inlined models add FILE",
                   f->access->endpoint, f->src->file);
}

static status probe(fetch *f) {
    http_question q = {.head = true, .stall_s = f->access->stall_s, .keep_on = keep_on, .ud = f};
    http_reply r;
    hub_next next = HUB_AGAIN;
    while (next != HUB_GOOD) {
        ask(f, &q, &r);
        if (r.end == HTTP_STOPPED) return err_set(f->e, ERR_CANCELLED, "cancelled");
        if (r.end == HTTP_ANSWERED && (r.code == 405 || r.code == 501)) { /* a plain mirror */
            r = (http_reply){.code = 200};
            break;
        }
        status s = have_patience(f, &r, &next);
        if (s != OK) return s;
    }
    f->tries = 0;
    return take_promise(f, &r);
}

/* ---- the part -------------------------------------------------------------------------------- */

static bool is_part_of(const char *file, const char *name) {
    size_t n = strlen(name);
    return file[0] == '.' && strncmp(file + 1, name, n) == 0 && file[n + 1] == '@' &&
           str_ends_with(str_of(file), STR(".part"));
}

uint64_t hub_part_bytes(const char *folder, const char *name) {
    DIR *dir = opendir(folder);
    uint64_t bytes = 0;
    for (struct dirent *d = dir ? readdir(dir) : NULL; d; d = readdir(dir)) {
        if (!is_part_of(d->d_name, name)) continue;
        char *path = folder_join(folder, d->d_name);
        struct stat st;
        if (lstat(path, &st) == 0 && S_ISREG(st.st_mode)) bytes = (uint64_t)st.st_size;
        xfree(path);
    }
    if (dir) closedir(dir);
    return bytes;
}

void hub_remove_parts(const char *folder, const char *name, const char *keep) {
    DIR *dir = opendir(folder);
    for (struct dirent *d = dir ? readdir(dir) : NULL; d; d = readdir(dir)) {
        if (!is_part_of(d->d_name, name)) continue;
        char *path = folder_join(folder, d->d_name);
        if (!keep || strcmp(path, keep) != 0) unlink(path);
        xfree(path);
    }
    if (dir) closedir(dir);
}

static status start_again(fetch *f) {
    f->have = 0;
    sha256_init(&f->hash);
    if (ftruncate(f->fd, 0) == 0 && lseek(f->fd, 0, SEEK_SET) == 0) return OK;
    return err_set(f->e, ERR_IO, "cannot write %s: %s", f->path, strerror(errno));
}

/* Hashes what an earlier try left. */
static status take_up(fetch *f) {
    struct stat st;
    if (fstat(f->fd, &st) != 0 || (uint64_t)st.st_size > f->want.bytes) return start_again(f);
    uint8_t *bytes = xmalloc(READ_BYTES);
    status s = OK;
    while (s == OK) {
        ssize_t n = read(f->fd, bytes, READ_BYTES);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) s = start_again(f);
        if (n <= 0) break;
        sha256_add(&f->hash, bytes, (size_t)n);
        f->have += (uint64_t)n;
        tell(f, PULL_CHECKING, f->have);
        if (!keep_on(f)) s = err_set(f->e, ERR_CANCELLED, "cancelled");
    }
    xfree(bytes);
    return s;
}

static status open_part(fetch *f, const char *folder) {
    char name[LIMIT_REGISTRY_NAME_BYTES + 32];
    snprintf(name, sizeof name, ".%s@%.16s.part", f->m->name, f->want.sha256);
    f->path = folder_join(folder, name);
    hub_remove_parts(folder, f->m->name, f->path); /* of a version that nobody wants any more */
    f->fd = open(f->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (f->fd < 0) return err_set(f->e, ERR_IO, "cannot write %s: %s", f->path, strerror(errno));
    status s = take_up(f);
    uint64_t free_bytes = folder_free_bytes(folder), more = f->want.bytes - f->have + SPARE_BYTES;
    if (s == OK && free_bytes < more)
        s = err_set(f->e, ERR_IO,
                    "the disk is full: %s has %llu MB free, fetching %s needs %llu MB", folder,
                    (unsigned long long)(free_bytes / 1000000), f->m->name,
                    (unsigned long long)(more / 1000000 + 1));
    return s;
}

/* ---- the body -------------------------------------------------------------------------------- */

static status wrong_length(fetch *f, uint64_t bytes) {
    return err_set(f->e, ERR_FORMAT, "%s sends %llu bytes of %s instead of %llu: the file is wrong",
                   f->access->endpoint, (unsigned long long)bytes, f->src->file,
                   (unsigned long long)f->want.bytes);
}

/* Does this body go on where we stopped? */
static status check_reply(fetch *f, const http_reply *r) {
    if (r->code == 206) {
        if (r->has_range && r->range_all != f->want.bytes) return wrong_length(f, r->range_all);
        f->restart = !r->has_range || r->range_first != f->have;
        return OK;
    }
    if (r->has_length && r->length != f->want.bytes) return wrong_length(f, r->length);
    return f->have ? start_again(f) : OK; /* the server does not resume */
}

static status write_bytes(fetch *f, const uint8_t *p, size_t n) {
    if (f->have + n > f->want.bytes) return wrong_length(f, f->have + n);
    while (n) {
        ssize_t w = write(f->fd, p, n);
        if (w < 0 && errno == EINTR) continue;
        if (w < 0) {
            bool full = errno == ENOSPC || errno == EDQUOT || errno == EFBIG;
            return err_set(f->e, ERR_IO,
                           full ? "the disk is full at %s (%s): make room, then run "
                                  "the command again; it goes on where it stopped"
                                : "cannot write %s: %s",
                           f->path, strerror(errno));
        }
        sha256_add(&f->hash, p, (size_t)w);
        f->have += (uint64_t)w;
        p += w;
        n -= (size_t)w;
    }
    if (f->have > f->most) f->tries = 0; /* something new came */
    f->most = MAX(f->most, f->have);
    tell(f, PULL_FETCHING, f->have);
    return OK;
}

static bool on_bytes(void *ud, const http_reply *r, const void *bytes, size_t n) {
    fetch *f = ud;
    if (!f->checked) f->trouble = check_reply(f, r);
    f->checked = true;
    if (f->trouble == OK && !f->restart) f->trouble = write_bytes(f, bytes, n);
    return f->trouble == OK && !f->restart;
}

static status fetch_rest(fetch *f) {
    http_reply r;
    while (f->have < f->want.bytes) {
        http_question q = {.from = f->have,
                           .stall_s = f->access->stall_s,
                           .sink = on_bytes,
                           .keep_on = keep_on,
                           .ud = f};
        tell(f, PULL_FETCHING, f->have);
        ask(f, &q, &r);
        if (f->trouble != OK) return f->trouble;
        if (r.end == HTTP_STOPPED && !f->restart) return err_set(f->e, ERR_CANCELLED, "cancelled");
        hub_next next = HUB_FROM_START;
        if (f->restart)
            f->tries++;
        else if (r.end == HTTP_ANSWERED && (r.code == 200 || r.code == 206) &&
                 f->have < f->want.bytes)
            r.end = HTTP_BROKEN; /* it ended early, politely */
        status s = OK;
        if (!f->restart) s = have_patience(f, &r, &next);
        if (s == OK && next == HUB_FROM_START) s = start_again(f);
        if (s == OK && f->tries > LIMIT_FETCH_TRIES)
            s = err_set(f->e, ERR_IO, "%s does not send %s from where it is asked to",
                        f->access->endpoint, f->src->file);
        if (s != OK) return s;
    }
    return OK;
}

static status check_hash(fetch *f) {
    char hex[65];
    tell(f, PULL_CHECKING, f->have);
    sha256_hex(&f->hash, hex);
    if (strcmp(hex, f->want.sha256) != 0)
        return err_set(f->e, ERR_FORMAT,
                       "the fetched file of %s is not the one that was promised (wrong SHA-256): "
                       "it was thrown away; run the command again",
                       f->m->name);
    if (fsync(f->fd) != 0)
        return err_set(f->e, ERR_IO, "cannot write %s: %s", f->path, strerror(errno));
    return OK;
}

status hub_fetch(const hub_access *a, const hub_order *o, char **part, hub_facts *facts, err *e) {
    fetch f = {.access = a, .m = o->m, .src = o->src, .hooks = o->hooks, .fd = -1, .e = e};
    sha256_init(&f.hash);
    snprintf(f.url, sizeof f.url, "%s/%s/resolve/%s/%s", a->endpoint, f.src->repo, f.src->revision,
             f.src->file);
    status s = probe(&f);
    if (s == OK) s = open_part(&f, o->folder);
    if (s == OK) s = fetch_rest(&f);
    if (s == OK) s = check_hash(&f);
    if (f.fd >= 0) close(f.fd);
    /* Bytes that are known to be wrong would only spoil the next try; none are worth a file. */
    if (s != OK && f.path && (s == ERR_FORMAT || f.have == 0)) unlink(f.path);
    if (s == OK) {
        *part = f.path;
        *facts = f.want;
        return OK;
    }
    xfree(f.path);
    return s;
}
