/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* MCP servers as configuration files describe them: text in, definitions and notes out.  Pure.
 *
 * Our own dialect is the `.mcp.json` that other hosts share (an object `mcpServers`; comments and
 * trailing commas are tolerated) with our extras of a server under "x-host", so that a file of ours
 * still works elsewhere.  A dialect is a reader that fills the same definitions; the format is told
 * by its keys, never by the file's name (mcp/import.h has the other products').
 *
 * Variables are expanded while reading.  One that is not set and has no default makes the server's
 * `problem` (never an empty text): such a server is listed, but cannot start.
 * Thread: any; no state.
 */
#include "engine/base/arena.h"
#include "engine/base/status.h"
#include "engine/base/vec.h"

/* MCP_SSE is the old HTTP+SSE, asked for by name; MCP_BUILT_IN our own tools in this process. */
typedef enum { MCP_STDIO, MCP_HTTP, MCP_SSE, MCP_BUILT_IN } mcp_transport;
/* Who wrote the file, from weakest to strongest; a project's servers need an approval. */
typedef enum { MCP_IMPORTED, MCP_USER, MCP_PROJECT, MCP_LOCAL } mcp_scope;
typedef enum { MCP_ERA_AUTO, MCP_ERA_LEGACY, MCP_ERA_MODERN } mcp_era;

typedef struct {
    const char *name, *value; /* of a variable of the environment or a header: values are secrets */
} mcp_pair;

typedef VEC(const char *) mcp_texts;
typedef VEC(mcp_pair) mcp_pairs;

/* How a token for a server behind a URL is got (OAuth 2.1), when it asks for one. */
typedef enum {
    MCP_GRANT_CODE,      /* a person logs in with a browser */
    MCP_GRANT_CLIENT,    /* client_credentials: the program itself */
    MCP_GRANT_ASSERTION, /* jwt-bearer: a signed statement that somebody else made */
    MCP_GRANT_EXCHANGE,  /* an identity provider's token is exchanged for such a statement */
} mcp_grant;
typedef struct {
    bool off; /* never: a refusal stays one */
    mcp_grant grant;
    /* Of a client that was registered by hand; NULL: one is registered when needed.  `issuer`: the
     * only one that it is for.  `key`: a private key in PEM instead of a secret. */
    const char *client_id, *client_secret, *issuer, *key;
    const char *client_document; /* https URL of our metadata, which is our client id then */
    const char *scope;           /* asked for instead of what the server says */
    const char *assertion, *assertion_file; /* MCP_GRANT_ASSERTION; the file is read each time */
    const char *idp_token_url, *idp_client_id, *idp_token; /* MCP_GRANT_EXCHANGE */
    uint16_t port; /* of the loopback address a login comes back to; 0: any */
} mcp_oauth;

/* One server.  Texts live in `memory`; 0 in a number means the default of limits.h. */
typedef struct {
    arena memory;
    const char *name; /* the key in the file, unique in a configuration */
    mcp_transport transport;
    const char *command, *cwd; /* MCP_STDIO; cwd NULL: the workspace */
    const char *url;           /* MCP_HTTP, MCP_SSE */
    mcp_texts args;
    mcp_pairs env;     /* set for the child beside the few that every child gets */
    mcp_pairs headers; /* sent with every request; with an Authorization there is no OAuth */
    mcp_oauth oauth;
    const char *env_file;       /* whose variables are in `env`; NULL: none */
    mcp_texts env_passthrough;  /* names taken over from our environment */
    mcp_texts included;         /* only these tools exist for us; empty: all */
    mcp_texts allow, deny, ask; /* patterns (* and ?) over tool names; deny wins, then ask */
    mcp_pairs cache;            /* tool name, lifetime such as "60s" */
    uint32_t start_ms, idle_ms, total_ms; /* handshake; a call without a sign of life; a call */
    uint32_t ping_after_ms; /* of silence, before a call; of processes in the legacy era */
    uint32_t idle_stop_ms;  /* an unused server is stopped after this long; UINT32_MAX: never */
    uint32_t concurrency;   /* calls at once */
    size_t output_bytes;    /* text of one answer that a model gets */
    mcp_era era;
    bool disabled;
    bool eager;    /* start at once, not at the first use */
    bool trusted;  /* the user vouches for its annotations: look-ups may be cached and retried */
    bool roots;    /* tell it the workspace's folders when it asks */
    bool sampling; /* it may ask our model for text (each time after a question) */
    mcp_scope scope;
    const char *file;    /* where it is written; NULL: made by a program */
    int line, column;    /* of its key there; from 1, columns in bytes */
    const char *problem; /* why it cannot start, one sentence; NULL: it can */
} mcp_definition;

/* How what stands in for a package that was renamed or given up is started; NULL: the package is
 * none of these. */
typedef struct {
    const char *command, *arg; /* arg NULL: none */
} mcp_successor;
const mcp_successor *mcp_definition_successor(const mcp_definition *d);

mcp_definition *mcp_definition_new(const char *name);
/* Our own tools (mcp/own.h), as a server of this name that needs no approval. */
#define MCP_BUILT_IN_NAME "inlined"
mcp_definition *mcp_definition_new_built_in(void);
void mcp_definition_free(mcp_definition *d); /* accepts NULL */
/* What an approval is bound to: SHA-256 over transport, command, arguments, working folder, names
 * of the environment, url, names of the headers, and whose client it is; hex. */
void mcp_definition_hash(const mcp_definition *d, char out[static 65]);
/* The whole command line, or the url, as a user should read it before saying yes. */
void mcp_definition_show(const mcp_definition *d, strbuf *out);

typedef enum {
    MCP_VARIABLE_ENVIRONMENT,
    MCP_VARIABLE_INPUT,
    MCP_VARIABLE_WORKSPACE,
    MCP_VARIABLE_HOME,
} mcp_variable;

/* Something about a file that a user should read there. */
typedef struct {
    bool error; /* else a warning */
    const char *file;
    int line, column;
    char text[384];
} mcp_note;

typedef struct {
    arena memory;                  /* of the notes */
    VEC(mcp_definition *) servers; /* in the order of the files */
    VEC(mcp_note) notes;
    size_t broken; /* files that mcp_config_discover left out because they cannot be read */
    /* As in mcp_source, for the functions that read files; set between init and reading. */
    void (*keep)(void *ud, strbuf *out, mcp_variable kind, const char *name, const char *otherwise);
    void *keep_ud;
} mcp_config;

void mcp_config_init(mcp_config *c);
void mcp_config_deinit(mcp_config *c); /* accepts a zeroed one */

/* Where a file comes from, and what its variables mean. */
typedef struct {
    const char *file; /* shown in notes */
    /* Whose variables they are: "claude", "vscode", "warp", "gemini", ...; NULL: told by the keys,
     * and where several products share them, ours. */
    const char *product;
    mcp_scope scope;
    const char *workspace, *home;                        /* absolute; NULL: not known */
    const char *(*variable)(void *ud, const char *name); /* NULL: not set */
    const char *(*input)(void *ud, const char *id);      /* an answer to ${input:id}; may be NULL */
    /* For exports: appends what stands for the variable there, instead of its value.  `otherwise`:
     * its default, or NULL.  NULL: values are wanted. */
    void (*keep)(void *ud, strbuf *out, mcp_variable kind, const char *name, const char *otherwise);
    /* The text of a file of variables (envFile); NULL: none can be read. */
    status (*read)(void *ud, const char *path, strbuf *out, err *e);
    const void *inputs; /* the reader's own: what the file says about ${input:id} */
    void *ud;
} mcp_source;

/* Reads one file's text and adds its servers.  A name that is there already stays when its scope is
 * stronger, and is replaced otherwise; either way a note says so.  ERR_FORMAT: the text is no
 * configuration; nothing was added, and `line` and `column` in the last note say where. */
status mcp_config_read(mcp_config *c, str text, const mcp_source *from, err *e) MUST_USE;
/* The same from a file (blocks).  ERR_NOT_FOUND when there is none. */
status mcp_config_read_file(mcp_config *c, const mcp_source *from, err *e) MUST_USE;
/* Reads the user's own file ($XDG_CONFIG_HOME/inlined/mcp.json) and the files of all products in a
 * workspace (absolute; may be NULL).  What is wrong with one becomes a note (blocks). */
void mcp_config_discover(mcp_config *c, const char *workspace);
/* The files that it looks at, whether they exist or not: a list on the heap that ends with NULL
 * (xfree each, and the list). */
char **mcp_config_files(const char *workspace);
/* Reads one file of any format with this process's environment (blocks). */
status mcp_config_read_path(mcp_config *c, const char *path, mcp_scope scope, const char *workspace,
                            err *e) MUST_USE;
const mcp_definition *mcp_config_find(const mcp_config *c, const char *name);

/* Pattern of tool names: * any text, ? one byte; everything else is itself. */
bool mcp_pattern_matches(const char *pattern, const char *name);

/* Folders of ours, by the XDG rules; on the heap (xfree), NULL without a home. */
typedef enum { MCP_FOLDER_CONFIG, MCP_FOLDER_STATE, MCP_FOLDER_CACHE } mcp_folder_kind;
char *mcp_folder(mcp_folder_kind kind);
/* Where the built-in memory is: $MEMORY_FILE_PATH, else in our state's folder; on the heap, NULL
 * without a home. */
char *mcp_memory_file(void);
/* Makes it and its parents, for this user only. */
bool mcp_folder_make(const char *path);
