/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What one server offers, as read from the pages of its lists. */
#include "mcp/mcp.h"

typedef enum { LIST_TOOLS, LIST_RESOURCES, LIST_TEMPLATES, LIST_PROMPTS, LIST_COUNT } list_kind;
/* "tools/list", and the member of its result: "tools". */
const char *list_method(list_kind k);
const char *list_member(list_kind k);

/* One list.  The items live in `pages`, each with its own memory. */
typedef struct {
    VEC(mcp_tool) tools;
    VEC(mcp_resource) resources; /* and templates */
    VEC(mcp_prompt) prompts;
    VEC(cJSON *) definitions; /* owned; what the items point into */
    arena texts;              /* cleaned names and descriptions */
    size_t bytes;             /* of the definitions on the wire */
    size_t items;
} catalogue_list;

void catalogue_list_init(catalogue_list *l);
void catalogue_list_deinit(catalogue_list *l); /* accepts a zeroed one */
/* Adds one page of a list.  What is no item, has no name, or has a name that is there already is
 * left out and noted.  ERR_FORMAT: the result has no such list; ERR_LIMIT: too many items, the
 * first LIMIT_MCP_LIST_ITEMS stay. */
status catalogue_add(catalogue_list *l, list_kind k, const cJSON *result, strbuf *notes,
                     err *e) MUST_USE;
const mcp_tool *catalogue_tool(const catalogue_list *l, const char *name);

/* Takes out the tools whose schema asks for headers that cannot be sent (modern, HTTP), and notes
 * which. */
void catalogue_drop_unsendable(catalogue_list *l, strbuf *notes);
/* Marks tools whose pin is not that of the tool of the same name in `old`; returns how many. */
size_t catalogue_compare(catalogue_list *l, const catalogue_list *old);

/* Appends "; note" to `notes`, which stays within its maximum. */
void note_add(strbuf *notes, const char *fmt, ...) PRINTF_LIKE(2, 3);
