/* SPDX-License-Identifier: Apache-2.0 */
/* UNUSED --first use--> CONNECTING --connected, AUTH and SELECT answered--> READY
 *                            |---------------- any failure ------------------> DOWN, for a pause
 *
 * A link is one connection with the commands that wait for their replies, in order.  It outlives
 * its owner's interest: dropped, it has no owner, and goes when libuv has closed it.  Late replies
 * are counted and thrown away; three within ten seconds end the link.  Thread: loop. */
#include "mcp/redis.h"

#include <curl/curl.h>

#include <hiredis/hiredis.h>

#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/vec.h"

typedef enum { FOR_SETUP, FOR_GET, FOR_SET } purpose;

typedef struct {
    purpose purpose;
    double until_ms;
    bool graced;   /* FOR_GET: its time is over, what has come meanwhile is read first */
    redis_got got; /* FOR_GET; NULL: told already */
    void *ud;
    uint64_t number;
} pending;

typedef struct {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    };
    redis *owner; /* NULL: dropped, being closed */
    redis *home;  /* who counts the handles */
    uv_connect_t connecting;
    redisReader *reader;
    size_t unread;     /* bytes since the last whole reply */
    VEC(pending) sent; /* in order */
    size_t setups;     /* of those: FOR_SETUP */
    char bytes[16384];
} link;

struct redis {
    uv_loop_t *loop;
    uv_timer_t timer;
    uv_getaddrinfo_t resolving;
    bool is_resolving;
    char *path;                   /* unix; or */
    char *host, *user, *password; /* the last two may be NULL */
    char port[8], where[300];
    int database;
    redis_state state;
    char why[256];
    link *link;
    double connect_until_ms, retry_ms, pause_ms, no_sets_until_ms;
    double late_ms[LIMIT_REDIS_LATE]; /* when the last replies were late */
    size_t n_late;
    size_t attempts; /* a name's addresses are tried in turn */
    redis_info numbers;
    size_t handles; /* that libuv still has */
    bool closing;
    void (*closed)(void *ud);
    void *closed_ud;
};

const char *redis_state_name(redis_state s) {
    static const char *const names[] = {
        [REDIS_UNUSED] = "unused",
        [REDIS_CONNECTING] = "connecting",
        [REDIS_READY] = "ready",
        [REDIS_DOWN] = "down",
    };
    return names[s];
}

/* ---- the address ----------------------------------------------------------------------------- */

static char *part_of(CURLU *u, CURLUPart part, unsigned flags) {
    char *got = NULL, *own = NULL;
    if (curl_url_get(u, part, &got, flags) == CURLUE_OK && got[0]) own = xstrdup(got);
    curl_free(got);
    return own;
}

static bool database_of(const char *text, int *out) {
    int64_t n;
    if (!str_to_i64(str_of(text), &n) || n < 0 || n > 9999) return false;
    *out = (int)n;
    return true;
}

static void read_unix(redis *r, const char *rest, bool *good) {
    const char *query = strchr(rest, '?');
    size_t n = query ? (size_t)(query - rest) : strlen(rest);
    *good = rest[0] == '/' && n > 1 && n < 100; /* a socket's name has 108 bytes */
    r->path = xmalloc(n + 1);
    memcpy(r->path, rest, n);
    r->path[n] = '\0';
    snprintf(r->where, sizeof r->where, "%.250s", r->path);
    if (query)
        *good = *good && strncmp(query, "?db=", 4) == 0 && database_of(query + 4, &r->database);
}

static void read_tcp(redis *r, CURLU *u, bool *good) {
    char *path = part_of(u, CURLUPART_PATH, CURLU_URLDECODE);
    char *port = part_of(u, CURLUPART_PORT, 0);
    char *scheme = part_of(u, CURLUPART_SCHEME, 0);
    r->host = part_of(u, CURLUPART_HOST, 0);
    r->user = part_of(u, CURLUPART_USER, CURLU_URLDECODE);
    r->password = part_of(u, CURLUPART_PASSWORD, CURLU_URLDECODE);
    snprintf(r->port, sizeof r->port, "%s", port ? port : "6379");
    snprintf(r->where, sizeof r->where, "%.250s:%s", r->host ? r->host : "", r->port);
    size_t n = r->host ? strlen(r->host) : 0;
    if (n > 2 && r->host[0] == '[') { /* an address of IPv6 is resolved without its brackets */
        memmove(r->host, r->host + 1, n - 2);
        r->host[n - 2] = '\0';
    }
    *good = n > 0 && scheme && strcmp(scheme, "redis") == 0 &&
            (!path || !path[1] || database_of(path + 1, &r->database));
    xfree(path);
    xfree(port);
    xfree(scheme);
}

static status parse(redis *r, const char *url, err *e) {
    bool good = false;
    CURLU *u = curl_url();
    if (strncmp(url, "unix://", 7) == 0)
        read_unix(r, url + 7, &good);
    else if (curl_url_set(u, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK)
        read_tcp(r, u, &good);
    curl_url_cleanup(u);
    if (good) return OK;
    if (strncmp(url, "rediss:", 7) == 0)
        return err_set(e, ERR_UNSUPPORTED,
                       "Redis with TLS (rediss://) is not supported; put a tunnel on this machine");
    return err_set(e, ERR_USAGE,
                   "the address of Redis is not understood; write redis://host:port/database or "
                   "unix:///path?db=0");
}

/* ---- ends ------------------------------------------------------------------------------------ */

static void free_redis(redis *r) {
    void (*closed)(void *ud) = r->closed;
    void *ud = r->closed_ud;
    xfree(r->path);
    xfree(r->host);
    xfree(r->user);
    xfree(r->password);
    xfree(r);
    if (closed) closed(ud);
}

static void handle_gone(redis *r) {
    if (--r->handles == 0 && r->closing) free_redis(r);
}

static void on_link_closed(uv_handle_t *h) {
    link *l = h->data;
    redis *r = l->home;
    redisReaderFree(l->reader);
    vec_free(&l->sent);
    xfree(l);
    handle_gone(r);
}

static void wake_at(redis *r, double when_ms);

/* Ends the link; every GET that waits is a miss.  `got` may come back to us: the link is off by
 * then. */
static void drop_link(redis *r, bool tell) {
    link *l = r->link;
    if (!l) return;
    r->link = NULL;
    l->owner = NULL;
    uv_close(&l->handle, on_link_closed); /* not before the next turn of the loop */
    for (size_t i = 0; tell && i < l->sent.count; i++) {
        pending p = l->sent.at[i];
        if (!p.got) continue;
        r->numbers.misses++;
        p.got(p.ud, p.number, (str){0});
    }
}

static void down(redis *r, double pause_ms, const char *why) {
    snprintf(r->why, sizeof r->why, "%s", why);
    if (r->state != REDIS_DOWN) log_warn("redis", "%s: %s", r->where, r->why);
    r->state = REDIS_DOWN;
    r->pause_ms = MIN(r->pause_ms > 0 ? r->pause_ms * 2 : 1000, LIMIT_REDIS_PAUSE_MS);
    r->retry_ms = clock_ms() + MAX(pause_ms, r->pause_ms);
    drop_link(r, true);
}

/* ---- sending --------------------------------------------------------------------------------- */

typedef struct {
    uv_write_t request;
    char *command;
} written;

static void on_written(uv_write_t *request, int result) {
    written *w = request->data;
    UNUSED(result); /* a failed write is followed by a failed read */
    redisFreeCommand(w->command);
    xfree(w);
}

static void send_command(link *l, const pending *p, int n, const char **texts,
                         const size_t *lengths) {
    written *w = xcalloc(1, sizeof *w);
    int bytes = redisFormatCommandArgv(&w->command, n, texts, lengths);
    if (bytes < 0) { /* hiredis had no memory: as if the server had gone */
        xfree(w);
        down(l->home, 0, "a command could not be written");
        return;
    }
    vec_push(&l->sent, *p);
    w->request.data = w;
    uv_buf_t buf = uv_buf_init(w->command, (unsigned)bytes);
    if (uv_write(&w->request, &l->stream, &buf, 1, on_written)) on_written(&w->request, -1);
    wake_at(l->home, p->until_ms);
}

static void setup(link *l, const char *word, const char *a, const char *b) {
    const char *texts[3] = {word, a ? a : b, b};
    const size_t lengths[3] = {strlen(word), strlen(texts[1]), b ? strlen(b) : 0};
    pending p = {.purpose = FOR_SETUP, .until_ms = clock_ms() + LIMIT_REDIS_CONNECT_MS};
    l->setups++;
    send_command(l, &p, a && b ? 3 : 2, texts, lengths);
}

/* ---- replies --------------------------------------------------------------------------------- */

static void error_reply(redis *r, const char *text, purpose for_what) {
    static const struct {
        const char *begin;
        double pause_ms;
        const char *why;
    } known[] = {
        {"NOAUTH", 60000, "it wants a password: INLINED_REDIS can carry it"},
        {"WRONGPASS", 60000, "it refuses our name or password"},
        {"NOPERM", 60000, "our user may not do this there"},
        {"MOVED", 60000, "it is part of a cluster, which is not supported"},
        {"CLUSTERDOWN", 60000, "it is part of a cluster, which is not supported"},
        {"LOADING", 1000, "it is loading its data"},
        {"READONLY", 5000, "it is a read-only replica"},
        {"MASTERDOWN", 5000, "its primary is away"},
    };
    r->numbers.errors++;
    for (size_t i = 0; i < COUNTOF(known); i++) {
        if (strncmp(text, known[i].begin, strlen(known[i].begin)) != 0) continue;
        down(r, known[i].pause_ms, known[i].why);
        return;
    }
    if (for_what == FOR_SETUP) {
        down(r, 60000, "it refuses our name, password or database");
    } else if (strncmp(text, "OOM", 3) == 0) {
        r->no_sets_until_ms = clock_ms() + LIMIT_REDIS_FULL_MS;
        log_info("redis", "%s is full: nothing more is kept there for a while", r->where);
    }
}

/* Takes the reply to the oldest command.  The link may be gone afterwards. */
static void take_reply(link *l, const redisReply *reply) {
    redis *r = l->owner;
    pending p = l->sent.at[0];
    vec_remove(&l->sent, 0);
    str value = {0};
    if (reply->type == REDIS_REPLY_STRING && reply->str) value = (str){reply->str, reply->len};
    if (p.purpose == FOR_SETUP && reply->type != REDIS_REPLY_ERROR && --l->setups == 0) {
        r->state = REDIS_READY;
        r->pause_ms = 0;
    }
    if (p.purpose == FOR_SET && reply->type == REDIS_REPLY_STATUS) r->numbers.kept++;
    if (p.got) {
        if (value.ptr)
            r->numbers.hits++;
        else
            r->numbers.misses++;
        p.got(p.ud, p.number, value);
    }
    if (l->owner && reply->type == REDIS_REPLY_ERROR)
        error_reply(r, reply->str ? reply->str : "", p.purpose);
}

/* What the reader would do with an array or a map of a billion is not tried: we ask for nothing
 * that is answered by one. */
static bool is_simple(const redisReader *reader) {
    return reader->ridx != -1 || reader->pos >= reader->len ||
           strchr("+-:$", reader->buf[reader->pos]) != NULL;
}

static void take_bytes(link *l, size_t n) {
    void *reply = NULL;
    l->unread += n;
    if (redisReaderFeed(l->reader, l->bytes, n) != REDIS_OK) {
        down(l->owner, 0, "its bytes are not Redis's protocol");
        return;
    }
    while (l->owner) {
        bool simple = is_simple(l->reader);
        if (!simple || redisReaderGetReply(l->reader, &reply) != REDIS_OK) {
            down(l->owner, 0, "its bytes are not Redis's protocol");
            return;
        }
        if (!reply) break;
        l->unread = l->reader->len - l->reader->pos;
        if (l->sent.count == 0)
            down(l->owner, 0, "it answered what was not asked");
        else
            take_reply(l, reply);
        freeReplyObject(reply);
    }
    if (l->owner && l->unread > LIMIT_REDIS_REPLY_BYTES) down(l->owner, 0, "its reply is too long");
}

static void on_alloc(uv_handle_t *h, size_t wanted, uv_buf_t *buf) {
    link *l = h->data;
    UNUSED(wanted);
    *buf = uv_buf_init(l->bytes, sizeof l->bytes);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
    link *l = stream->data;
    UNUSED(buf);
    if (!l->owner || n == 0) return;
    if (n < 0)
        down(l->owner, 0, "it closed the connection");
    else
        take_bytes(l, (size_t)n);
}

/* ---- connecting ------------------------------------------------------------------------------ */

static void on_connected(uv_connect_t *request, int result) {
    link *l = request->data;
    redis *r = l->owner;
    char why[128], database[16];
    if (!r) return;
    if (result == 0) result = uv_read_start(&l->stream, on_alloc, on_read);
    if (result) {
        snprintf(why, sizeof why, "no connection: %s", uv_strerror(result));
        down(r, 0, why);
        return;
    }
    snprintf(database, sizeof database, "%d", r->database);
    if (r->password) setup(l, "AUTH", r->user, r->password);
    if (l->owner) setup(l, "SELECT", NULL, database);
}

static link *link_new(redis *r) {
    link *l = xcalloc(1, sizeof *l);
    l->owner = l->home = r;
    l->reader = redisReaderCreate();
    l->connecting.data = l;
    r->handles++;
    r->link = l;
    return l;
}

static void connect_tcp(redis *r, const struct sockaddr *address) {
    link *l = link_new(r);
    uv_tcp_init(r->loop, &l->tcp);
    l->handle.data = l;
    int result =
        l->reader ? uv_tcp_connect(&l->connecting, &l->tcp, address, on_connected) : UV_ENOMEM;
    if (result) on_connected(&l->connecting, result);
}

static const struct addrinfo *nth(const struct addrinfo *list, size_t n) {
    size_t count = 0;
    for (const struct addrinfo *a = list; a; a = a->ai_next)
        count++;
    for (n %= count; n > 0; n--)
        list = list->ai_next;
    return list;
}

static void on_resolved(uv_getaddrinfo_t *request, int result, struct addrinfo *found) {
    redis *r = request->data;
    r->is_resolving = false;
    if (!r->closing && r->state == REDIS_CONNECTING) {
        if (result == 0 && found)
            connect_tcp(r, nth(found, r->attempts++)->ai_addr);
        else
            down(r, 0, "its name cannot be resolved");
    }
    uv_freeaddrinfo(found);
    handle_gone(r);
}

static void connect_now(redis *r) {
    r->state = REDIS_CONNECTING;
    r->connect_until_ms = clock_ms() + LIMIT_REDIS_CONNECT_MS;
    wake_at(r, r->connect_until_ms);
    if (r->path) {
        link *l = link_new(r);
        uv_pipe_init(r->loop, &l->pipe, 0);
        l->handle.data = l;
        if (l->reader)
            uv_pipe_connect(&l->connecting, &l->pipe, r->path, on_connected);
        else
            on_connected(&l->connecting, UV_ENOMEM);
        return;
    }
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    if (r->is_resolving) return;
    r->resolving.data = r;
    if (uv_getaddrinfo(r->loop, &r->resolving, on_resolved, r->host, r->port, &hints)) {
        down(r, 0, "its name cannot be resolved");
        return;
    }
    r->is_resolving = true;
    r->handles++;
}

static bool is_ready(redis *r) {
    if (r->state == REDIS_UNUSED || (r->state == REDIS_DOWN && clock_ms() >= r->retry_ms))
        connect_now(r);
    return r->state == REDIS_READY && r->link->sent.count < LIMIT_REDIS_PENDING;
}

/* ---- time ------------------------------------------------------------------------------------ */

static void count_late(redis *r, double now) {
    r->numbers.late++;
    r->late_ms[r->n_late++ % LIMIT_REDIS_LATE] = now;
    if (r->n_late < LIMIT_REDIS_LATE || now - r->late_ms[r->n_late % LIMIT_REDIS_LATE] > 10000)
        return;
    r->n_late = 0;
    down(r, 0, "it answers too late");
}

/* Tells those whose time is over.  Timers run before sockets are read: a reply that came in time
 * while we were busy gets one turn of the loop. */
static void check_sent(redis *r, double now) {
    double next = 0;
    for (size_t i = 0; r->link && i < r->link->sent.count; i++) {
        pending *p = &r->link->sent.at[i];
        if (p->purpose != FOR_GET || p->got) {
            if (now < p->until_ms) {
                next = next > 0 ? MIN(next, p->until_ms) : p->until_ms;
                continue;
            }
            if (p->purpose != FOR_GET) {
                down(r, 0, "it does not answer");
                return;
            }
            if (!p->graced) {
                p->graced = true;
                next = now + 1;
                continue;
            }
            redis_got got = p->got;
            p->got = NULL;
            r->numbers.misses++;
            got(p->ud, p->number, (str){0});
            count_late(r, now);
            i = (size_t)-1; /* anything may have changed: from the start, those told are skipped */
            next = 0;
        }
    }
    if (next > 0) wake_at(r, next);
}

static void on_timer(uv_timer_t *timer) {
    redis *r = timer->data;
    double now = clock_ms();
    if (r->state == REDIS_CONNECTING && now >= r->connect_until_ms)
        down(r, 0, "no connection in time");
    else if (r->state == REDIS_CONNECTING)
        wake_at(r, r->connect_until_ms);
    check_sent(r, now);
}

static void wake_at(redis *r, double when_ms) {
    double now = clock_ms();
    uint64_t wait = when_ms > now ? (uint64_t)(when_ms - now + 0.999) : 1;
    if (r->closing ||
        (uv_is_active((uv_handle_t *)&r->timer) && uv_timer_get_due_in(&r->timer) <= wait))
        return;
    uv_update_time(r->loop);
    uv_timer_start(&r->timer, on_timer, wait, 0);
}

/* ---- the public part ------------------------------------------------------------------------- */

status redis_new(uv_loop_t *loop, const char *url, redis **out, err *e) {
    redis *r = xcalloc(1, sizeof *r);
    status s = parse(r, url, e);
    if (s != OK) {
        free_redis(r);
        return s;
    }
    r->loop = loop;
    uv_timer_init(loop, &r->timer);
    r->timer.data = r;
    r->handles = 1;
    *out = r;
    return OK;
}

static void on_timer_closed(uv_handle_t *h) {
    handle_gone(h->data);
}

void redis_close(redis *r, void (*closed)(void *ud), void *ud) {
    r->closing = true;
    r->closed = closed;
    r->closed_ud = ud;
    drop_link(r, false);
    if (r->is_resolving) uv_cancel((uv_req_t *)&r->resolving);
    uv_close((uv_handle_t *)&r->timer, on_timer_closed);
}

void redis_begin(redis *r) {
    (void)is_ready(r);
}

bool redis_get(redis *r, const char *key, redis_got got, void *ud, uint64_t number) {
    if (r->closing || !is_ready(r)) return false;
    const char *texts[] = {"GET", key};
    const size_t lengths[] = {3, strlen(key)};
    pending p = {.purpose = FOR_GET,
                 .until_ms = clock_ms() + LIMIT_REDIS_GET_MS,
                 .got = got,
                 .ud = ud,
                 .number = number};
    send_command(r->link, &p, 2, texts, lengths);
    return r->state == REDIS_READY;
}

void redis_set(redis *r, const char *key, str value, double ms) {
    char life[24];
    double now = clock_ms();
    if (ms < 1 || value.len > LIMIT_REDIS_REPLY_BYTES / 2 || r->closing) return;
    if (!is_ready(r) || now < r->no_sets_until_ms ||
        uv_stream_get_write_queue_size(&r->link->stream) > LIMIT_REDIS_WRITE_BYTES) {
        r->numbers.lost++;
        return;
    }
    snprintf(life, sizeof life, "%.0f", MIN(ms, 86400000.0));
    const char *texts[] = {"SET", key, value.ptr, "PX", life};
    const size_t lengths[] = {3, strlen(key), value.len, 2, strlen(life)};
    pending p = {.purpose = FOR_SET, .until_ms = now + LIMIT_REDIS_CONNECT_MS};
    send_command(r->link, &p, 5, texts, lengths);
}

void redis_tell(const redis *r, redis_info *out) {
    double wait = r->retry_ms - clock_ms();
    *out = r->numbers;
    out->state = r->state;
    out->why = r->state == REDIS_DOWN ? r->why : "";
    out->where = r->where;
    out->retry_in_ms = r->state == REDIS_DOWN && wait > 0 ? wait : 0;
}
