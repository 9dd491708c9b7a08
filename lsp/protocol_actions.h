/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The LSP types of code actions, edits, diagnostics and hover, as plain structs: the second half of
 * protocol.h, with its rules. */
#include "context/change.h"
#include "lsp/protocol.h"

struct cJSON;

/* What the client takes; false where it did not say. */
typedef struct {
    bool apply_edit;       /* workspace/applyEdit */
    bool document_changes; /* edits with versions; else `changes` by uri */
    bool annotations;      /* of edits: a person confirms before they are made */
    bool create_files;     /* in edits */
    bool literals;         /* code actions; else only commands */
    bool resolve_edit;     /* codeAction/resolve may bring the edit */
    bool disabled;         /* it shows actions that cannot be done, with the reason */
    bool llm_tag;          /* CodeActionTag.LLMGenerated */
    bool show_document;    /* window/showDocument */
    bool text_content;     /* workspace/textDocumentContent */
    bool pull;             /* textDocument/diagnostic, and */
    bool pull_refresh;     /* workspace/diagnostic/refresh; else findings are pushed, not both */
    bool markdown;         /* in hovers */
    bool instructions;     /* experimental.inlined.instructions: it asks for them itself, by the
                              command inlined.askInstruction */
    bool status;           /* experimental.inlined.status: it wants the notification inlined/status,
                              which other clients would warn their users about */
} lsp_features;
void protocol_read_features(const struct cJSON *capabilities, lsp_features *out);

/* ---- reading --------------------------------------------------------------------------------- */

typedef struct {
    str uri;
    lsp_range range;
    const struct cJSON *diagnostics; /* array or NULL */
    const struct cJSON *only;        /* array of kinds, or NULL: all */
    bool automatic;                  /* nobody asked by hand */
} lsp_action_params;
status protocol_read_actions(const struct cJSON *params, lsp_action_params *out, err *e) MUST_USE;
/* Whether a kind is wanted: `only` is NULL, or holds it or what it begins with. */
bool protocol_kind_wanted(const struct cJSON *only, const char *kind);

/* The argument of our commands, and the data of our actions. */
typedef struct {
    str action, uri;
    bool has_version, has_range;
    int64_t version;
    lsp_range range;
    str instruction;                 /* may be empty */
    const struct cJSON *diagnostics; /* array or NULL */
} lsp_action_argument;
status protocol_read_argument(const struct cJSON *argument, lsp_action_argument *out,
                              err *e) MUST_USE;
/* textDocument and position. */
status protocol_read_place(const struct cJSON *params, str *uri, lsp_position *at, err *e) MUST_USE;

/* ---- writing --------------------------------------------------------------------------------- */

/* The object that protocol_read_argument reads; `diagnostics` is copied. */
struct cJSON *protocol_argument(const lsp_action_argument *a);

typedef struct {
    const char *title, *kind;
    const struct cJSON *diagnostic; /* that it fixes: copied; or NULL */
    struct cJSON *edit;             /* taken; or NULL */
    struct cJSON *argument;         /* taken; NULL: the action has its edit already */
    const char *command;            /* with `argument`; NULL: the argument becomes `data`, and the
                                       edit comes with codeAction/resolve */
    bool model;                     /* a model writes it */
    const char *disabled;           /* why it cannot be done; then nothing else is set; or NULL */
} lsp_action;
struct cJSON *protocol_action(const lsp_features *f, const lsp_action *a);

/* What a person reads about an edit before it is made. */
typedef struct {
    const char *label, *description;
    bool confirm; /* needs confirmation */
} lsp_edit_note;
/* A WorkspaceEdit of one document, in the form that the client takes best. */
struct cJSON *protocol_edit(const lsp_features *f, position_encoding enc, const document *d,
                            const text_edit *edits, size_t n, const lsp_edit_note *note);
/* One that makes a file, when it isn't there, and puts `text` at its start. */
struct cJSON *protocol_edit_new_file(const lsp_features *f, const char *uri, str text,
                                     const lsp_edit_note *note);
/* params of workspace/applyEdit; `edit` is taken. */
struct cJSON *protocol_apply(const char *label, struct cJSON *edit);

/* What another tool said, as it is sent back with the action that fixes it. */
struct cJSON *protocol_diagnostic(lsp_range range, int severity, str message);

typedef struct {
    lsp_range range;
    int severity; /* 3: information, 4: hint */
    const char *code;
    str message;
    uint64_t id; /* data: by it the finding is known again; 0: none */
} lsp_finding;
struct cJSON *protocol_finding(const lsp_finding *d);
/* The id of a diagnostic of ours; 0: it is not ours. */
uint64_t protocol_finding_id(const struct cJSON *diagnostic);

/* `text` is Markdown where the client takes it. */
struct cJSON *protocol_hover(const lsp_features *f, str text, lsp_range range);
/* params of window/showMessageRequest with up to three answers; NULL ends the list. */
struct cJSON *protocol_question(lsp_message_type type, const char *text,
                                const char *const *answers);
