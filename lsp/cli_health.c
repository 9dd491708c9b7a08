/* SPDX-License-Identifier: Apache-2.0 */
/* `inlined health`: the running daemon in a line for each part; fails when one is not well, or when
 * there is no daemon.  Thread: main. */
#include "lsp/cli_daemon.h"
#include "lsp/cli_engine.h"
#include "lsp/health.h"

static status show(const cJSON *checks, err *e) {
    const cJSON *one;
    strbuf out;
    strbuf_init(&out, 1u << 16);
    cJSON_ArrayForEach(one, checks) {
        bool ok = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(one, "ok"));
        strbuf_addf(&out, "%-5s %-7s %s\n", ok ? "ok" : "FAIL", cli_daemon_text(one, "name"),
                    cli_daemon_text(one, "detail"));
    }
    status s = term_write(strbuf_str(&out), e);
    strbuf_deinit(&out);
    return s;
}

status cli_health(const cli_args *a, err *e) {
    cli_daemon *d = NULL;
    cJSON *answer = NULL;
    status s = cli_daemon_open(&d, a->socket, e);
    if (!s) s = cli_daemon_ask(d, "inlined/daemon", NULL, &answer, e);
    cli_daemon_close(d);
    if (s) return s;
    cJSON *checks = health_checks(answer);
    bool ok = health_is_ok(checks);
    cJSON_Delete(answer);
    if (a->json) {
        cJSON *o = cJSON_CreateObject();
        cJSON_AddBoolToObject(o, "ok", ok);
        cJSON_AddItemToObject(o, "checks", checks);
        s = term_write_json(o, e);
    } else {
        s = show(checks, e);
        cJSON_Delete(checks);
    }
    if (!s && !ok) s = err_set(e, ERR_LIMIT, "a part of the daemon is not well; see above");
    return s;
}
