/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One LSP connection over an abstract byte stream.
 *
 * Bytes come in by server_bytes and go out by host.write; time comes in by server_timer.  Nothing
 * here knows libuv, so tests and the fuzzer drive it directly.  Several connections share one
 * engine, completer and models; documents and settings are each connection's own.
 * Thread: loop. */
#include "context/symbols.h"
#include "engine/base/vec.h"
#include "lsp/actions.h"
#include "lsp/completion.h"
#include "lsp/enrich.h"
#include "lsp/explain.h"
#include "lsp/findings.h"
#include "lsp/git_branch.h"
#include "lsp/hover.h"
#include "lsp/inline_completion.h"
#include "lsp/pages.h"
#include "lsp/progress.h"
#include "lsp/protocol.h"
#include "lsp/reply.h"
#include "lsp/status.h"
#include "lsp/tiers.h"
#include "lsp/uri.h"
#include "lsp/workspace.h"
#include "mcp/rpc.h"

typedef enum { SERVER_NEW, SERVER_RUNNING, SERVER_SHUT, SERVER_EXITED } server_state;

typedef struct {
    void *ud;
    void (*write)(void *ud, str bytes);      /* copies */
    void (*timer)(void *ud, double ms);      /* call server_timer once, after `ms` */
    void (*watch)(void *ud, int64_t pid);    /* end the connection when this process dies */
    void (*exited)(void *ud, int exit_code); /* after `exit`; from inside server_bytes */
} server_host;

typedef struct {
    completer *completer; /* all borrowed */
    agents *agents;
    tiers *tiers;
    const struct admin *admin; /* lsp/admin.h; NULL: there is no daemon */
    struct stats *stats;       /* lsp/stats.h; NULL: nobody counts */
    const settings *settings;  /* where the client's settings are laid over */
    uint64_t client;           /* number of the connection, for the engine and the log */
    symbols *symbols;          /* borrowed; NULL: there is no symbol index */
    struct git *git;           /* lsp/git.h; borrowed; NULL: git is not asked */
    struct tools *tools;       /* lsp/tools.h; borrowed; NULL: there are no MCP servers */
    struct hidden *hidden;     /* context/hidden.h; borrowed, for its threads; NULL: nobody asks */
} server_options;

struct server {
    server_host host;
    server_options options;
    server_state state;
    rpc *rpc;
    context *context;
    settings settings, initial; /* initial: with initializationOptions, before workspace settings */
    position_encoding encoding;
    bool inline_dynamic, menu_dynamic, menu_registered, configuration, configuration_dynamic;
    bool settings_known; /* the client has been asked (or cannot be): a model may be loaded */
    size_t unanswered;   /* open promises */
    inline_completions inlines;
    feedback feedback;
    lsp_features features;
    VEC(work *) works;  /* that run */
    unsigned last_task; /* number of the last work */
    findings findings;
    bool findings_moved; /* one was dropped, and the client has not been told */
    pages pages;
    hovers hovers;
    work_progress progress;
    work_progress starting; /* of an MCP server that takes its time */
    status_reason why;
    uint64_t status_told;   /* hash of the inlined/status that was sent last */
    bool copilot_client;    /* speaks Copilot's extensions: gets didChangeStatus, too */
    unsigned trouble_told;  /* bit per role whose model's failure was said */
    uint64_t progress_load; /* whose progress is shown; 0: none's */
    const model *progress_model;
    bool privacy_trouble_told;
    bool watch_dynamic, watched; /* the client can report changed files, and does */
    git_branches branches;
    lookups lookups;         /* of the last questions to a model */
    VEC(char *) roots;       /* decoded paths of the workspace folders */
    VEC(char *) noted_files; /* that have diagnostics of ours about MCP servers */
    VEC(char *) unknown;     /* URIs of didChange without didOpen that the log has named */
};

server *server_new(const server_host *host, const server_options *options);
/* Abandons what is open; accepts NULL.  Not from inside a hook. */
void server_free(server *s);

/* Not OK: the stream is broken and must be closed; nothing more should be fed. */
status server_bytes(server *s, str bytes, err *e) MUST_USE;
/* True when the stream may end here: no half message. */
bool server_at_boundary(const server *s);
void server_timer(server *s);
/* Of the models that the connection's settings name; others' changes are ignored. */
void server_model_changed(server *s, const model *m);
/* Ends server-to-client requests whose deadline has passed; call every few seconds. */
void server_tick(server *s);

/* ---- for the files of this module ------------------------------------------------------------ */

/* Remembers the reason and tells clients that want inlined/status: whenever nothing was suggested,
 * and once when that is over. */
void server_tell_reason(server *s, const char *reason, const char *detail, str uri);
void server_tell_status(server *s); /* unless that would repeat the last one word for word */
struct cJSON *server_status_json(server *s);
void server_tell_user(server *s, lsp_message_type type, const char *sentence);
/* The model of a role: asked for, unless everything is off or the settings are not known yet. */
const model *server_want_model(server *s, model_role role);
/* The same, only looked at. */
const model *server_model(const server *s, model_role role);

/* lifecycle.c */
void lifecycle_initialize(server *s, const cJSON *params, reply *r);
void lifecycle_initialized(server *s, const cJSON *params);
void lifecycle_shutdown(server *s, const cJSON *params, reply *r);
void lifecycle_exit(server *s, const cJSON *params);
void lifecycle_configuration_changed(server *s, const cJSON *params);
void lifecycle_folders_changed(server *s, const cJSON *params);

/* text_sync.c */
void text_sync_open(server *s, const cJSON *params);
void text_sync_change(server *s, const cJSON *params);
void text_sync_close(server *s, const cJSON *params);
/* Each cell of a notebook is a document. */
void text_sync_notebook_open(server *s, const cJSON *params);
void text_sync_notebook_change(server *s, const cJSON *params);
void text_sync_notebook_close(server *s, const cJSON *params);
