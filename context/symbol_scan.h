/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The files below one root that are worth indexing, in steps.  Thread: the index's own. */
#include "context/privacy.h"
#include "engine/base/vec.h"

typedef struct {
    VEC(char *) folders; /* to be read */
    VEC(char *) files;   /* of the folder read last */
    size_t entries;      /* folders and files so far */
    bool active;
} symbol_scan;

void symbol_scan_begin(symbol_scan *s, const char *root);
void symbol_scan_end(symbol_scan *s); /* accepts a zeroed one */
/* The next file (the caller frees its path), or false.  At most one folder is read in a call: false
 * with s->active still set means "ask again".  Hidden folders, links, folders of tools and those in
 * `roots` other than the first are not entered. */
bool symbol_scan_next(symbol_scan *s, privacy *p, char *const *roots, size_t n_roots, char **path);
/* Whether a file of this name is indexed at all. */
bool symbol_scan_wants(str path);
