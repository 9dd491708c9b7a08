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

/* What was looked up last for a document. */
typedef struct {
    char *tool, *arguments; /* arguments: JSON */
    const char *outcome;    /* static: "ok", "denied", ...; "": it runs */
    size_t bytes;           /* that went into the prompt */
    double ms;
} lookup;

typedef struct {
    char *uri; /* that they were about; NULL: none yet */
    VEC(lookup) all;
} lookups;

/* `text`: for a prompt, quoted; empty when nothing was found.  Valid during the call. */
typedef void (*enrich_done)(void *ud, str text);
/* NULL: there is nothing to look up, and `done` will not be called.  Otherwise it is, once, from
 * the loop, unless enrich_cancel comes first. */
enrichment *enrich_start(server *s, const document *d, const change_target *t, enrich_done done,
                         void *ud);
void enrich_cancel(enrichment *e);
/* The connection ends. */
void enrich_deinit(server *s);
/* What was looked up for this document: an array for a person to read. */
struct cJSON *enrich_json(const server *s, str uri);

/* ---- pure, for tests ------------------------------------------------------------------------- */

/* The first issue or pull request that a comment names (#12, GH-12, .../issues/12, .../pull/12); 0:
 * none. */
int64_t enrich_issue_of_text(str code);
/* "fix/12-crash", "issue-12": 12; 0: none. */
int64_t enrich_issue_of_branch(str branch);
/* Owner and name of the repository on GitHub whose config this is; false: it has none there. */
bool enrich_repository(str git_config, str *owner, str *name);
