/* SPDX-License-Identifier: Apache-2.0 */
/* sim_real STEPS [SEED]: the simulation with the real engine on its own thread and a tiny model,
 * for ThreadSanitizer: cancelling, overtaking and loading while the model works.  What the model
 * writes is not judged, everything else is. */
#include <unistd.h>

#include "tests/engine/tiny_model.h"
#include "tests/lsp/sim.h"

#define PATIENCE 20000 /* looks, a millisecond apart, at something that must end */

static char model_path[128];

static void begin(sim *s) {
    lsp_peer *p = &s->peer;
    p->model.state = MODEL_LOADING;
    p->model.load = engine_load(
        p->engine, 0,
        &(engine_model_options){.path = model_path, .name = "tiny", .context_tokens = 256});
    for (int i = 0; i < PATIENCE && p->model.state != MODEL_READY; i++) {
        usleep(1000);
        lsp_peer_drain(p);
    }
    SIM_CHECK(s, p->model.state == MODEL_READY);
}

static void engine_step(sim *s) {
    lsp_peer_drain(&s->peer);
    uint64_t answered = s->answers + s->peer.received.count;
    if (sim_roll(s, 8)) return;
    for (int i = 0; i < 20 && s->answers + s->peer.received.count == answered; i++) {
        usleep(200); /* it gets somewhere */
        lsp_peer_drain(&s->peer);
    }
}

static void settle(sim *s) {
    for (int i = 0; i < PATIENCE && s->peer.server->unanswered; i++) {
        lsp_peer_tick(&s->peer);
        lsp_peer_drain(&s->peer);
        usleep(1000);
    }
    SIM_CHECK(s, !s->peer.server->unanswered);
}

int main(int argc, char **argv) {
    tiny_model_write(&(tiny_options){.fim = true}, model_path);
    int code =
        sim_main(argc, argv, false,
                 &(sim_engine){.begin = begin, .engine_step = engine_step, .settle = settle});
    unlink(model_path);
    return code;
}
