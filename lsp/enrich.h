/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What read-only tools of trusted MCP servers know about a piece of code, looked up before a model
 * is asked about it: memory about its name, and the GitHub issue or pull request that a comment in
 * it or the branch names.
 *
 * Which tools, and with which arguments, is decided here and never by a model.  Whether a tool may
 * be called so is decided by the host: only where it is read-only, its server is trusted and the
 * configuration allows it by name, and nobody is asked.  Looking up is bounded in number, bytes and
 * time (MCP_FOR_ACTION), and is remembered for inlined/context/explain.  Thread: loop. */
#include "context/change.h"
#include "engine/base/vec.h"

struct cJSON;
typedef struct server server;
typedef struct enrichment enrichment;

/* One call, for a person to read. */
typedef struct {
    char *uri;              /* of the document that it was about */
    char *tool, *arguments; /* arguments: JSON */
    const char *outcome;    /* static: "ok", "denied", ...; "": it runs */
    size_t bytes;           /* that went into the prompt */
    double ms;
} lookup;

/* A piece of another file that went into a prompt. */
typedef struct {
    char *path;
    const char *why; /* static */
    size_t bytes;
} neighbour;

/* What the last pieces of work knew beside the code itself. */
typedef struct {
    VEC(lookup) all; /* in the order in which they began */
    size_t running;  /* enrichments; while there is one, no entry moves */
    char *uri;       /* of the document whose last question had these: */
    VEC(neighbour) near;
} lookups;

/* What one piece of work has used of LIMIT_LOOKUPS_WORK and LIMIT_LOOKUPS_WORK_MS; at first 0. */
typedef struct {
    size_t calls;
    double ms;
} enrich_budget;

/* `text`: for a prompt, quoted; empty when nothing was found.  Valid during the call. */
typedef void (*enrich_done)(void *ud, str text);
/* NULL: there is nothing to look up or the budget is used up, and `done` will not be called.
 * Otherwise it is, once, from the loop, unless enrich_cancel comes first.  The budget lives as long
 * as the enrichment does. */
enrichment *enrich_start(server *s, const document *d, const change_target *t,
                         enrich_budget *budget, enrich_done done, void *ud);
void enrich_cancel(enrichment *e);
/* The question about this document has these pieces of other files in it. */
void enrich_note_neighbours(server *s, const document *d, const context_prompt *p);
/* The connection ends. */
void enrich_deinit(server *s);
/* What was looked up for this document, and its neighbours: arrays for a person to read. */
struct cJSON *enrich_lookups_json(const server *s, str uri);
struct cJSON *enrich_neighbours_json(const server *s, str uri);

/* ---- pure, for tests ------------------------------------------------------------------------- */

/* The first issue or pull request that a comment names (#12, GH-12, .../issues/12, .../pull/12); 0:
 * none. */
int64_t enrich_issue_of_text(str code);
/* "fix/12-crash", "issue-12": 12; 0: none. */
int64_t enrich_issue_of_branch(str branch);
/* Owner and name of the repository on GitHub whose config this is; false: it has none there. */
bool enrich_repository(str git_config, str *owner, str *name);
