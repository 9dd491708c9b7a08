/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A seeded simulation of one editor: what sim.c (the steps), sim_check.c (the judgement) and the
 * two programs (scripted engine, real engine) share. */
#include "tests/lsp/lsp_peer.h"

#define SIM_DOCUMENTS 4
#define SIM_TEXT_BYTES 1024
#define SIM_OPEN_REQUESTS 64

typedef struct {
    const char *uri, *language;
    bool open;
    char text[SIM_TEXT_BYTES + 64]; /* what the editor shows */
    size_t len, cursor;
    int edits;      /* since the start; an answer about an older text is stale */
    char hint[256]; /* the suggestion on the screen, at the cursor; "": none */
} sim_document;

typedef struct {
    int id; /* 0: free */
    bool menu, cancelled;
    int document, edits;
    size_t offset, selected; /* selected: bytes left of the cursor that a menu item covers */
    bool has_selected;
} sim_request;

typedef struct {
    lsp_peer peer;
    uint64_t seed, random;
    bool scripted; /* the engine's texts are sim_text() of their prompts */
    position_encoding encoding;
    sim_document documents[SIM_DOCUMENTS];
    sim_request open[SIM_OPEN_REQUESTS];
    int last_id;
    uint64_t step, answers, shown, errors, cached;
} sim;

/* What differs between the engines. */
typedef struct {
    void (*begin)(sim *s);       /* a connection has begun: makes the model ready */
    void (*engine_step)(sim *s); /* something happens in the engine */
    void (*settle)(sim *s);      /* everything in it ends */
} sim_engine;

/* The program STEPS [SEED]; without a seed it is the day's.  An error aborts, and has said seed and
 * step before. */
int sim_main(int argc, char **argv, bool scripted, const sim_engine *ops);

uint64_t sim_roll(sim *s, uint64_t below);
lsp_position sim_position(const sim *s, const sim_document *d, size_t offset);
/* What the scripted engine writes after a prompt that ends like this one. */
void sim_text(str prefix, uint64_t variant, char out[static 32]);

/* ---- sim_check.c ----------------------------------------------------------------------------- */

#define SIM_CHECK(s, condition)                                                                    \
    do {                                                                                           \
        if (!(condition)) sim_fail(s, __FILE__, __LINE__, #condition);                             \
    } while (0)
_Noreturn void sim_fail(const sim *s, const char *file, int line, const char *what);
/* Takes what the server has sent and judges it. */
void sim_take_answers(sim *s);
/* The server's documents are the editor's. */
void sim_check_documents(sim *s);
