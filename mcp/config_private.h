/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the readers of configuration files share (config.c, config_http.c). */
#include "mcp/config.h"
#include "mcp/config_tree.h"
#include "mcp/expand.h"

typedef struct {
    const char *wrapper, *inner; /* member that holds the servers; inner: below it, or NULL */
    bool list;                   /* an array of servers that have an `id` */
    const char *product;         /* when the source does not say */
    expand_dialect dialect;
    double timeout_ms; /* unit of `timeout` */
} format;

/* One reading of one file. */
typedef struct {
    mcp_config *config;
    const mcp_source *from;
    const format *format;
    expand_dialect dialect;
    const config_tree *document;
    mcp_definition *d;    /* the entry in hand */
    const char *name;     /* its key */
    const char *above[2]; /* members above the wrapper */
    size_t n_above;
    const char *within; /* the member of the entry whose members are being read, or NULL */
} config_reader;

/* ---- config.c ---- */
/* About the entry in hand, at its member `key` (NULL: at its name). */
void config_note(config_reader *r, bool error, const char *key, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
/* The entry cannot start; the first one counts. */
void config_problem(config_reader *r, const char *key, const char *sentence);
const cJSON *config_member(const cJSON *object, const char *name);
/* The first of these members that is there; `names` ends with NULL. */
const cJSON *config_first(const cJSON *object, const char *const *names);
/* The expanded text of a member; NULL when it is no text, "" when a variable is missing. */
const char *config_text(config_reader *r, const cJSON *m);
void config_texts(config_reader *r, const cJSON *list, mcp_texts *out);
void config_add_pair(config_reader *r, mcp_pairs *out, const char *name, const char *value);
void config_pairs(config_reader *r, const cJSON *object, mcp_pairs *out);
/* The value of a variable that a file names instead of writing ${...}; NULL: a problem. */
const char *config_named(config_reader *r, const char *key, const char *name);

/* ---- definition.c ---- */
void definition_make_built_in(mcp_definition *d);

/* ---- config_http.c ---- */
void config_http(config_reader *r, const cJSON *entry, const cJSON *url, bool sse);
