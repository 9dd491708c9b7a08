/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The LSP types that we use, as plain structs.  Slices borrow from the JSON they were read from.
 * protocol_read_* fail with ERR_USAGE and a sentence that names the field (answer: InvalidParams).
 * protocol_*  writers give a cJSON that the caller owns (rpc_* takes it). */
#include "engine/base/status.h"
#include "engine/base/str.h"

struct cJSON;

/* ---- numbers of the protocol ----------------------------------------------------------------- */

enum { /* beyond those of JSON-RPC (mcp/rpc.h) */
       LSP_NOT_INITIALIZED = -32002,
       LSP_REQUEST_FAILED = -32803,
       LSP_CONTENT_MODIFIED = -32801,
       LSP_REQUEST_CANCELLED = -32800,
};
typedef enum { MESSAGE_ERROR = 1, MESSAGE_WARNING, MESSAGE_INFO, MESSAGE_LOG } lsp_message_type;
typedef enum { ENCODING_UTF8, ENCODING_UTF16, ENCODING_UTF32 } position_encoding;

/* ---- structs --------------------------------------------------------------------------------- */

typedef struct {
    uint32_t line, character;
} lsp_position;

typedef struct {
    lsp_position start, end;
} lsp_range;

typedef struct {
    int64_t process_id; /* 0: none */
    position_encoding encoding;
    bool inline_dynamic;         /* textDocument.inlineCompletion.dynamicRegistration */
    bool menu_dynamic;           /* textDocument.completion.dynamicRegistration */
    bool configuration;          /* workspace.configuration */
    bool configuration_dynamic;  /* workspace.didChangeConfiguration.dynamicRegistration */
    bool notebooks;              /* notebookDocument.synchronization */
    bool progress;               /* window.workDoneProgress */
    bool watch_dynamic;          /* workspace.didChangeWatchedFiles.dynamicRegistration */
    const struct cJSON *options; /* initializationOptions or NULL; borrowed */
    str client_name, client_version;
    str root_uri; /* rootUri, else rootPath; used without workspace folders */
} lsp_initialize;

/* What the answer to initialize announces; what is registered later is false here. */
typedef struct {
    position_encoding encoding;
    bool inline_completion, menu, notebooks;
    bool action_literals; /* code actions are more than commands */
    bool pull;            /* the client asks for diagnostics */
    bool text_content;    /* it shows virtual documents */
} lsp_offer;

typedef struct {
    str uri, language, text;
    int64_t version;
} lsp_document;

typedef struct {
    bool whole; /* no range: the whole text is replaced */
    lsp_range range;
    str text;
} lsp_change;

typedef struct {
    uint32_t line;
    int severity; /* 1 error, 2 warning, 3 information, 4 hint */
    str message, source;
} lsp_diagnostic;

typedef struct {
    str uri;
    bool has_version;
    int64_t version;
    lsp_position position;
    bool invoked;
    int tab_size; /* formattingOptions, which Copilot's clients send; 0: none */
    bool tabs;
    bool has_selected; /* an item of the completion menu is selected */
    lsp_range selected_range;
    str selected_text;
} lsp_inline_params;

typedef struct {
    str insert_text;
    lsp_range range;
    char id[32]; /* argument of the command that tells us of acceptance */
} lsp_inline_item;

typedef struct {
    const char *state, *message, *model, *backend, *backend_why, *reason, *kind;
    str uri;      /* of the document that `reason` is about; may be empty */
    int progress; /* percent while loading, else -1 */
    bool busy;
} lsp_status;

/* What became of suggestions; typed: to their end, without being accepted; left: the text went
 * another way. */
typedef struct {
    uint64_t shown, accepted, partly, typed, left;
} lsp_counts;

/* ---- read ------------------------------------------------------------------------------------ */

status protocol_read_initialize(const struct cJSON *params, lsp_initialize *out, err *e) MUST_USE;
/* Calls `folder` for each workspace folder in an array (NULL and null: none). */
void protocol_each_folder(const struct cJSON *folders, void (*folder)(void *ud, str uri), void *ud);
/* A TextDocumentItem. */
status protocol_read_document(const struct cJSON *item, lsp_document *out, err *e) MUST_USE;
/* A TextDocumentIdentifier: its uri and, where there is one, its version (else 0). */
status protocol_read_document_id(const struct cJSON *id, str *uri, int64_t *version,
                                 err *e) MUST_USE;
/* One element of contentChanges. */
status protocol_read_change(const struct cJSON *change, lsp_change *out, err *e) MUST_USE;
/* One Diagnostic, as far as a reader of its text needs it. */
status protocol_read_diagnostic(const struct cJSON *item, lsp_diagnostic *out, err *e) MUST_USE;
status protocol_read_inline(const struct cJSON *params, lsp_inline_params *out, err *e) MUST_USE;
status protocol_read_command(const struct cJSON *params, str *command, str *argument,
                             err *e) MUST_USE;
/* params.item.command.arguments[0], by which our items know themselves; empty: none. */
str protocol_read_item_id(const struct cJSON *params);
const struct cJSON *protocol_get(const struct cJSON *object, const char *name);
/* A Range; the sentence calls it `what`. */
status protocol_read_range(const struct cJSON *range, const char *what, lsp_range *out,
                           err *e) MUST_USE;

/* ---- write ----------------------------------------------------------------------------------- */

struct cJSON *protocol_initialize_result(const lsp_offer *offer);
struct cJSON *protocol_inline_list(const lsp_inline_item *items, size_t n);
struct cJSON *protocol_menu_list(const lsp_inline_item *items, size_t n);
struct cJSON *protocol_register_inline(void);
struct cJSON *protocol_register_menu(void);
struct cJSON *protocol_unregister_menu(void);
struct cJSON *protocol_register_configuration(void);
struct cJSON *protocol_register_watch(void); /* every file */
struct cJSON *protocol_configuration_params(void);
struct cJSON *protocol_message(lsp_message_type type, const char *text);
struct cJSON *protocol_status(const lsp_status *s);
void protocol_add_counts(struct cJSON *of, const lsp_counts *c);
/* The same for Copilot's didChangeStatus; the argument stays the caller's. */
struct cJSON *protocol_copilot_status(const struct cJSON *of);
struct cJSON *protocol_progress_create(const char *token);
/* kind: "begin" (with title), "report", "end"; percent < 0: none. */
struct cJSON *protocol_progress(const char *token, const char *kind, const char *title,
                                const char *message, int percent);
struct cJSON *protocol_text(str s); /* a JSON string */
struct cJSON *protocol_range(lsp_range r);
