/* SPDX-License-Identifier: Apache-2.0 */
/* A whole server under arbitrary messages.  The input is lines; a line is one message, framed here,
 * except for those that begin with '!': they make something happen (T timer, E a job ends well, F a
 * job fails, M the model is ready).  Whatever comes, each request is answered exactly once. */
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "tests/lsp/lsp_peer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void happen(lsp_peer *p, char what) {
    switch (what) {
    case 'T': lsp_peer_tick(p); break;
    case 'E': (void)lsp_peer_end_job(p, "x = 1)\n  y", OK); break;
    case 'F': (void)lsp_peer_end_job(p, NULL, ERR_DEVICE); break;
    case 'M': lsp_peer_model_ready(p); break;
    default: break;
    }
}

/* Requests that are answered: those of ours with an id, whatever became of them. */
static size_t answers(const lsp_peer *p) {
    size_t n = 0;
    for (size_t i = 0; i < p->received.count; i++)
        n += !cJSON_GetObjectItemCaseSensitive(p->received.at[i], "method");
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    lsp_peer p;
    if (size > 60000) return 0;
    log_set_level(LOG_ERROR);
    lsp_peer_open(&p);
    str rest = {(const char *)data, size}, line;
    size_t messages = 0;
    while (p.exit_code < 0 && str_split(&rest, '\n', &line)) {
        if (line.len >= 2 && line.ptr[0] == '!') {
            happen(&p, line.ptr[1]);
            continue;
        }
        strbuf framed;
        strbuf_init(&framed, LIMIT_MESSAGE_BYTES);
        frame_write(&framed, FRAME_HEADERS, line);
        err e;
        status s = server_bytes(p.server, strbuf_str(&framed), &e);
        ASSERT(s == OK);
        strbuf_deinit(&framed);
        messages++;
    }
    while (p.exit_code < 0 && lsp_peer_end_job(&p, "z", OK))
        continue;
    ASSERT(answers(&p) <= messages);
    lsp_peer_tick(&p);
    while (lsp_peer_end_job(&p, "z", OK))
        continue;
    ASSERT(p.exit_code >= 0 || p.server->unanswered == 0);
    lsp_peer_close(&p);
    return 0;
}
