/* SPDX-License-Identifier: Apache-2.0 */
/* sim_real STEPS [SEED]: the simulation with the real engine on its own thread and a tiny model,
 * for ThreadSanitizer: cancelling, overtaking and loading while the model works.  What the model
 * writes is not judged, everything else is.
 *
 * Beside every second connection another editor floods the engine with jobs of every class, as many
 * as it takes: the simulated one gets its answers all the same, and all of the flood end. */
#include <unistd.h>

#include "tests/engine/tiny_model.h"
#include "tests/lsp/sim.h"

#define PATIENCE 60000 /* looks, a millisecond apart, at something that must end */
#define FLOOD_JOBS 40
#define FLOOD_CLIENT 99

static char model_path[128];
static bool flooding;

static void flood(sim *s) {
    engine *g = s->peer.engine;
    while (flooding && engine_count_jobs(g, 0) < FLOOD_JOBS) {
        char text[64];
        snprintf(text, sizeof text, "%llu of a flood", (unsigned long long)sim_roll(s, 50));
        job_id id;
        err e;
        status st =
            engine_submit(g,
                          &(engine_job){.client = FLOOD_CLIENT,
                                        .priority = (job_priority)sim_roll(s, 4),
                                        .prompt = {.kind = PROMPT_TEXT, .prefix = str_of(text)},
                                        .tokens_max = 1 + (int)sim_roll(s, 6)},
                          &id, &e);
        SIM_CHECK(s, st == OK);
        if (sim_roll(s, 4) == 0) engine_cancel(g, id);
    }
}

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
    flooding = sim_roll(s, 2);
}

static void engine_step(sim *s) {
    flood(s);
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
        flood(s);
        lsp_peer_tick(&s->peer);
        lsp_peer_drain(&s->peer);
        usleep(1000);
    }
    SIM_CHECK(s, !s->peer.server->unanswered);
    flooding = false;
    for (int i = 0; i < PATIENCE && engine_count_jobs(s->peer.engine, 0); i++) {
        lsp_peer_drain(&s->peer);
        usleep(1000);
    }
    SIM_CHECK(s, !engine_count_jobs(s->peer.engine, 0));
}

int main(int argc, char **argv) {
    tiny_model_write(&(tiny_options){.fim = true}, model_path);
    int code =
        sim_main(argc, argv, false,
                 &(sim_engine){.begin = begin, .engine_step = engine_step, .settle = settle});
    unlink(model_path);
    return code;
}
