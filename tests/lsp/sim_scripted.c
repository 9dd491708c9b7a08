/* SPDX-License-Identifier: Apache-2.0 */
/* sim_scripted STEPS [SEED]: the simulation with the scripted engine, in one thread.  Everything is
 * checked, texts included. */
#include "tests/lsp/fake_engine.h"
#include "tests/lsp/sim.h"

static void begin(sim *s) {
    lsp_peer_model_ready(&s->peer);
}

static void engine_step(sim *s) {
    char text[32];
    uint64_t how = sim_roll(s, 40);
    engine *g = s->peer.engine;
    if (how == 0) {
        fake_engine_refuse(g, sim_roll(s, 4) == 0);
    } else if (how == 1) {
        (void)lsp_peer_end_job(&s->peer, NULL, ERR_DEVICE);
    } else if (how == 2) {
        (void)lsp_peer_end_job(&s->peer, "", OK);
    } else {
        size_t which = sim_roll(s, 4); /* jobs end in any order */
        const engine_job *job = fake_engine_job(g, which);
        if (!job) return;
        sim_text(job->prompt.prefix, job->sampling.seed, text);
        (void)fake_engine_end_nth(g, which, text, OK);
        lsp_peer_drain(&s->peer);
    }
}

static void settle(sim *s) {
    lsp_peer_drain(&s->peer);
    /* after shutdown nothing may be left to work on; else whatever is left ends */
    if (s->peer.server->state == SERVER_SHUT) SIM_CHECK(s, !fake_engine_waiting(s->peer.engine));
    for (int i = 0; i < 1000 && fake_engine_waiting(s->peer.engine); i++)
        (void)lsp_peer_end_job(&s->peer, NULL, ERR_DEVICE);
}

int main(int argc, char **argv) {
    return sim_main(argc, argv, true,
                    &(sim_engine){.begin = begin, .engine_step = engine_step, .settle = settle});
}
