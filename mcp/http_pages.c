/* SPDX-License-Identifier: Apache-2.0 */
/* See http_pages.h.  A request has no body that matters: whatever comes is refused or dropped.
 *
 * Invariant: between on_access and its answer nothing is kept, so a close needs to wait for nobody.
 * Thread: loop. */
#include "mcp/http_pages.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "engine/base/mem.h"
#include "mcp/http_loop.h"

#define CONNECTIONS_MAX 16
#define IDLE_S 30
#define PAGE_BYTES ((size_t)4 << 20)

struct http_pages {
    http_loop http;
    http_pages_hooks hooks;
    char *socket; /* NULL: a port */
    char where[160];
    void (*closed)(void *ud);
    void *closed_ud;
};

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned code, const char *type,
                              str body) {
    char *copy = body.len ? xstrndup(body.ptr, body.len) : NULL;
    struct MHD_Response *r = MHD_create_response_from_buffer(body.len, copy, MHD_RESPMEM_MUST_FREE);
    if (!r) { /* no memory: the connection ends */
        xfree(copy);
        return MHD_NO;
    }
    if (type) MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    if (code == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    MHD_add_response_header(r, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    enum MHD_Result rc = MHD_queue_response(connection, code, r);
    MHD_destroy_response(r);
    return rc;
}

static unsigned judge(const http_pages *p, struct MHD_Connection *connection, const char *method) {
    const char *host =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST);
    const char *origin =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ORIGIN);
    bool stranger = !host || !http_host_is_loopback(str_of(host)) ||
                    (origin && !http_origin_is_loopback(str_of(origin)));
    if (!p->socket && stranger) return MHD_HTTP_FORBIDDEN; /* no page reaches a Unix socket */
    bool reads = !strcmp(method, MHD_HTTP_METHOD_GET) || !strcmp(method, MHD_HTTP_METHOD_HEAD);
    return reads ? 0 : MHD_HTTP_METHOD_NOT_ALLOWED;
}

/* The library's shape of it.  tidy: parameters */
static enum MHD_Result on_access(void *ud, struct MHD_Connection *connection, const char *url,
                                 const char *method, const char *version, const char *bytes,
                                 size_t *n_bytes, void **ours) {
    http_pages *p = ud;
    UNUSED(version);
    UNUSED(bytes);
    if (!*ours) {  /* the headers; it comes again with or without a body */
        *ours = p; /* anything but NULL */
        return MHD_YES;
    }
    if (*n_bytes) {
        *n_bytes = 0;
        return MHD_YES;
    }
    unsigned refused = judge(p, connection, method);
    if (refused) return answer(connection, refused, NULL, STR(""));
    http_page page = {.code = MHD_HTTP_OK, .type = "text/plain; charset=utf-8"};
    strbuf_init(&page.body, PAGE_BYTES);
    enum MHD_Result rc = p->hooks.get(p->hooks.ud, str_of(url), &page)
                             ? answer(connection, page.code, page.type, strbuf_str(&page.body))
                             : answer(connection, MHD_HTTP_NOT_FOUND, NULL, STR(""));
    strbuf_deinit(&page.body);
    return rc;
}

/* ---- where it listens ------------------------------------------------------------------------ */

static int listen_fd(http_pages *p, const char *where, err *e) {
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    struct stat st;
    if (strlen(where) >= sizeof at.sun_path) {
        (void)err_set(e, ERR_USAGE, "%s: a socket's path has at most %zu bytes", where,
                      sizeof at.sun_path - 1);
        return -1;
    }
    snprintf(at.sun_path, sizeof at.sun_path, "%s", where);
    if (!lstat(where, &st) && S_ISSOCK(st.st_mode) && st.st_uid == getuid()) (void)unlink(where);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t mask = umask(0177);
    bool fine = fd >= 0 && !bind(fd, (struct sockaddr *)&at, sizeof at) && !listen(fd, 16);
    umask(mask);
    if (fine) {
        p->socket = xstrdup(where);
        return fd;
    }
    (void)err_set(e, ERR_IO, "cannot listen at %s: %s", where, strerror(errno));
    if (fd >= 0) close(fd);
    return -1;
}

static status start(http_pages *p, struct MHD_Daemon **out, const char *where, err *e) {
    struct sockaddr_in at = {.sin_family = AF_INET};
    struct MHD_OptionItem place[] = {{MHD_OPTION_SOCK_ADDR, 0, &at}, {MHD_OPTION_END, 0, NULL}};
    int64_t port;
    if (where[0] == '/') {
        int fd = listen_fd(p, where, e);
        if (fd < 0) return ERR_IO;
        place[0] = (struct MHD_OptionItem){MHD_OPTION_LISTEN_SOCKET, fd, NULL};
    } else if (!str_to_i64(str_of(where), &port) || port < 0 || port > 65535) {
        return err_set(e, ERR_USAGE, "\"%.60s\" is no port and no absolute path", where);
    } else {
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        at.sin_port = htons((uint16_t)port);
    }
    *out = MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_access, p, MHD_OPTION_ARRAY, place,
                            MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
                            MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S, MHD_OPTION_END);
    return *out ? OK : err_set(e, ERR_IO, "cannot listen at %s: %s", where, strerror(errno));
}

status http_pages_new(http_pages **out, uv_loop_t *loop, const char *where,
                      const http_pages_hooks *hooks, err *e) {
    http_pages *p = xcalloc(1, sizeof *p);
    p->hooks = *hooks;
    struct MHD_Daemon *d = NULL;
    status s = start(p, &d, where, e);
    if (s) {
        xfree(p->socket);
        xfree(p);
        return s;
    }
    if (p->socket)
        snprintf(p->where, sizeof p->where, "%s", p->socket);
    else
        snprintf(p->where, sizeof p->where, "http://127.0.0.1:%u/",
                 (unsigned)MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT)->port);
    http_loop_init(&p->http, loop, d);
    *out = p;
    return OK;
}

const char *http_pages_where(const http_pages *p) {
    return p->where;
}

static void on_closed(void *ud) {
    http_pages *p = ud;
    void (*closed)(void *ud) = p->closed;
    void *closed_ud = p->closed_ud;
    if (p->socket) (void)unlink(p->socket);
    xfree(p->socket);
    xfree(p);
    closed(closed_ud);
}

void http_pages_close(http_pages *p, void (*closed)(void *ud), void *ud) {
    p->closed = closed;
    p->closed_ud = ud;
    http_loop_close(&p->http, on_closed, p);
}
