/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a server offered when it last ran, kept in a file, so that its tools are known before it is
 * started.  Bound to the hash of its definition; read again from the server at each start.  Each
 * function blocks for one small file.  Thread: loop. */
#include "mcp/catalogue.h"

typedef struct {
    char *name, *version, *instructions; /* on the heap, or NULL */
    char protocol[16];
    bool modern;
} catalogue_facts;

/* Fills `lists` (LIST_COUNT of them, initialized) and `facts`.  False: there is none that is young
 * enough. */
bool catalogue_file_read(const char *folder, const char *hash, catalogue_list *lists,
                         catalogue_facts *facts);
void catalogue_file_write(const char *folder, const char *hash, const catalogue_list *const *lists,
                          const catalogue_facts *facts);
