/* SPDX-License-Identifier: Apache-2.0 */
/* An LSP client without an editor: initialize, questions, and the stream just ends.  It never says
 * `initialized`, so the daemon loads no model for it.  Thread: main; blocks. */
#include "lsp/cli_daemon.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "lsp/runtime_dir.h"
#include "mcp/rpc.h"

#define PATIENCE_MS 10000.0

struct cli_daemon {
    int fd;
    rpc *rpc;
    bool broken, answered;
    status status;
    cJSON *result;
    char message[sizeof((err *)NULL)->text];
};

static void on_write(void *ud, str bytes) {
    cli_daemon *d = ud;
    while (bytes.len && !d->broken) {
        ssize_t n = write(d->fd, bytes.ptr, bytes.len);
        if (n < 0 && errno == EINTR) continue;
        d->broken = n <= 0;
        if (n > 0) bytes = str_sub(bytes, (size_t)n, bytes.len);
    }
}

static void on_request(void *ud, const rpc_id *id, const char *method, const cJSON *params) {
    cli_daemon *d = ud;
    UNUSED(method);
    UNUSED(params);
    rpc_reply(d->rpc, id, NULL);
}

static void on_notification(void *ud, const char *method, const cJSON *params) {
    UNUSED(ud);
    UNUSED(method);
    UNUSED(params);
}

static void on_answer(void *ud, const rpc_answer *a) {
    cli_daemon *d = ud;
    d->answered = true;
    d->status = a->status;
    if (a->status)
        snprintf(d->message, sizeof d->message, "%s", a->message);
    else
        d->result = cJSON_Duplicate(a->result, true);
}

static status wait_for_answer(cli_daemon *d, err *e) {
    double end = clock_ms() + PATIENCE_MS;
    while (!d->answered && !d->broken) {
        char bytes[65536];
        struct pollfd p = {.fd = d->fd, .events = POLLIN};
        int left = (int)(end - clock_ms());
        if (left <= 0) return err_set(e, ERR_LIMIT, "the daemon has not answered in ten seconds");
        if (poll(&p, 1, left) <= 0) continue;
        ssize_t n = read(d->fd, bytes, sizeof bytes);
        if (n < 0 && errno == EINTR) continue;
        d->broken = n <= 0 || rpc_feed(d->rpc, (str){bytes, (size_t)n}, e) != OK;
    }
    return d->answered ? OK : err_set(e, ERR_IO, "the daemon closed the connection");
}

status cli_daemon_ask(cli_daemon *d, const char *method, cJSON *params, cJSON **result, err *e) {
    d->answered = false;
    d->result = NULL;
    rpc_request(d->rpc, method, params, 0, on_answer, d);
    status s = wait_for_answer(d, e);
    if (!s && d->status) /* our command line was right: it is no wrong usage */
        s = err_set(e, d->status == ERR_USAGE ? ERR_NOT_FOUND : d->status, "%s", d->message);
    *result = d->result;
    return s;
}

status cli_daemon_open(cli_daemon **out, const char *path, err *e) {
    char own[RUNTIME_PATH_BYTES];
    status s = path ? OK : runtime_socket(own, e);
    if (s) return s;
    int fd = runtime_connect(path ? path : own, e);
    if (fd < 0) return ERR_NOT_FOUND;
    cli_daemon *d = xcalloc(1, sizeof *d);
    d->fd = fd;
    d->rpc = rpc_new(FRAME_HEADERS, &(rpc_hooks){.ud = d,
                                                 .write = on_write,
                                                 .request = on_request,
                                                 .notification = on_notification});
    cJSON *params = cJSON_CreateObject(), *answer = NULL;
    cJSON_AddNullToObject(params, "processId");
    cJSON_AddObjectToObject(params, "capabilities");
    cJSON_AddStringToObject(cJSON_AddObjectToObject(params, "clientInfo"), "name", "inlined");
    s = cli_daemon_ask(d, "initialize", params, &answer, e);
    cJSON_Delete(answer);
    if (s)
        cli_daemon_close(d);
    else
        *out = d;
    return s;
}

void cli_daemon_close(cli_daemon *d) {
    if (!d) return;
    rpc_free(d->rpc);
    close(d->fd);
    xfree(d);
}

const char *cli_daemon_text(const cJSON *o, const char *key) {
    const char *v = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, key));
    return v ? v : "";
}

double cli_daemon_number(const cJSON *o, const char *key) {
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);
    return cJSON_IsNumber(v) ? v->valuedouble : 0;
}
