/* SPDX-License-Identifier: Apache-2.0 */
/* A whole session against any bytes of a server: handshake, lists, a call, questions, in the era
 * that the first byte says. */
#include "engine/base/log.h"
#include "mcp/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct {
    session *s;
    int calls, ended;
} side;

static void on_done(void *ud, const rpc_answer *a) {
    UNUSED(a);
    ((side *)ud)->ended++;
}

static void on_send(void *ud, const session_message *m) {
    UNUSED(ud);
    ASSERT(m->line.len && m->line.ptr[m->line.len - 1] == '\n');
}

static void on_state(void *ud, session_state now, const char *why) {
    side *t = ud;
    UNUSED(why);
    if (now != SESSION_READY) return;
    t->calls++;
    session_request(t->s, "tools/call", NULL, on_done, t);
}

static void on_changed(void *ud) {
    UNUSED(ud);
}

static void on_question(void *ud, const session_question *q) {
    side *t = ud;
    if (q->number % 2)
        session_answer(t->s, q->number, cJSON_CreateObject());
    else
        session_refuse(t->s, q->number, -1, "no");
}

static void on_log(void *ud, const char *level, const char *text) {
    UNUSED(ud);
    ASSERT(level && text);
}

static void on_progress(void *ud, int64_t call, double done, double all, const char *text) {
    UNUSED(ud);
    UNUSED(done);
    UNUSED(all);
    ASSERT(call > 0 && text);
}

static void on_updated(void *ud, const char *uri) {
    UNUSED(ud);
    ASSERT(uri);
}

static void on_junk(void *ud, rpc_junk kind, str line) {
    UNUSED(ud);
    UNUSED(kind);
    UNUSED(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!size) return 0;
    log_set_level(LOG_ERROR);
    side t = {0};
    const session_hooks hooks = {&t,     on_send,     on_state,   on_changed, on_question,
                                 on_log, on_progress, on_updated, on_junk};
    const session_options o = {.era = (mcp_era)(data[0] % 3),
                               .http = data[0] & 8,
                               .forms = true,
                               .roots = data[0] & 16,
                               .start_ms = 1000};
    t.s = session_new(&o, &hooks);
    session_start(t.s, 1);
    str rest = {(const char *)data + 1, size - 1}, line;
    for (double now = 2; str_split(&rest, '\n', &line); now += 400) {
        session_feed(t.s, line);
        session_feed(t.s, STR("\n"));
        session_tick(t.s, now);
    }
    session_free(t.s);
    ASSERT(t.ended == t.calls);
    return 0;
}
