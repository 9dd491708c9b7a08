/* SPDX-License-Identifier: Apache-2.0 */
/* The half of lsp_peer.h that needs the scripted engine.  Thread: the test's. */
#include "tests/lsp/fake_engine.h"
#include "tests/lsp/lsp_peer.h"

bool lsp_peer_end_job(lsp_peer *p, const char *text, status s) {
    bool ended = fake_engine_end(p->engine, text, s);
    lsp_peer_drain(p);
    return ended;
}
