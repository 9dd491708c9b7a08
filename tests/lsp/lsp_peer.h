/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A client in the same process: a server, fed with messages as text, with whichever engine the test
 * is linked with.  Most link the fake one. */
#include "engine/base/vec.h"
#include "lsp/server.h"
#include "tests/lsp/fake_engine.h"

typedef struct {
    server *server;
    engine *engine;
    completer *completer;
    agents *agents;
    model model; /* lent to `tiers` */
    tiers *tiers;
    settings settings;
    frame_reader out;
    VEC(cJSON *) received; /* what the server sent and nobody took yet */
    double timer_ms;       /* < 0: none is wanted */
    int exit_code;         /* -1: not exited */
    int version;           /* of the newest edit */
    int64_t watched;
    int models_wanted;
} lsp_peer;

void lsp_peer_open(lsp_peer *p);
void lsp_peer_close(lsp_peer *p);
/* Sends one message (its JSON text, without "jsonrpc"). */
void lsp_peer_send(lsp_peer *p, const char *json);
void lsp_peer_initialize(lsp_peer *p); /* utf-8, no optional capability; drops what comes back */
void lsp_peer_model_ready(lsp_peer *p);
void lsp_peer_open_document(lsp_peer *p, const char *uri, const char *text);
/* As the editor asks by itself, and by hand. */
void lsp_peer_ask(lsp_peer *p, int id, const char *uri, int line, int character);
void lsp_peer_invoke(lsp_peer *p, int id, const char *uri, int line, int character);
/* Replaces a range in a didChange; the text is JSON text already. */
void lsp_peer_edit(lsp_peer *p, const char *uri, int line, int character, int end_line,
                   int end_character, const char *text);
/* The timer fires, if one is wanted. */
void lsp_peer_tick(lsp_peer *p);
/* The loop hears what the engine has to say. */
void lsp_peer_drain(lsp_peer *p);
/* The fake engine's oldest job ends and the loop hears of it (lsp_peer_fake.c). */
bool lsp_peer_end_job(lsp_peer *p, const char *text, status s);
/* A value by its dotted path ("result.items.0.range"), or NULL. */
const cJSON *lsp_peer_at(const cJSON *json, const char *dotted);
/* Takes the (only) answer to request `id` out of what was received; NULL: none.  Delete it. */
cJSON *lsp_peer_answer(lsp_peer *p, int id);
/* Takes the newest notification of a method, dropping older ones; NULL: none. */
cJSON *lsp_peer_notification(lsp_peer *p, const char *method);
void lsp_peer_forget(lsp_peer *p);
