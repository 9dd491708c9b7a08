/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* textDocument/hover: what is known about a name at once, and what a model has to say about it
 * once that is there.
 *
 * An answer never waits: signature, documentation, place and size come from trees and the symbol
 * index.  The model's sentence is written in the background for the definition that was asked
 * about last, when nobody waits for anything, and kept by the definition's text.  Thread: loop. */
#include "context/change.h"
#include "engine/base/vec.h"
#include "lsp/agent.h"
#include "lsp/reply.h"

typedef struct {
    uint64_t key; /* hash of a definition's text and of the model's name */
    char *text;
} hover_note;

typedef struct {
    VEC(hover_note) notes; /* oldest first */
    struct {               /* the definition that a note is wanted for; text NULL: none */
        uint64_t key;
        char *text, *path;
        const char *language;
        double since_ms;
    } wanted;
    agent *writing; /* of `written`; NULL: none */
    uint64_t written;
} hovers;

void hover_request(server *s, const cJSON *params, reply *r);
/* The cursor rests in this definition: a note about it would be good to have. */
void hover_rest(server *s, const document *d, const change_target *t);
/* Every few seconds: begins a note when nothing else is going on. */
void hover_tick(server *s);
void hover_stop(server *s); /* ends what is being written */
void hover_deinit(server *s);
