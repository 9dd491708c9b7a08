/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Files below one folder, and never beside it: every path is opened by the kernel with
 * openat2(RESOLVE_BENEATH), so that neither "..", nor an absolute path, nor a link leads out, not
 * even one that is changed meanwhile.  What is hidden is neither read, listed nor searched, also
 * under another name that leads to it.  Thread: any; blocks. */
#include "engine/base/status.h"
#include "engine/base/str.h"

/* Whether nobody may be shown this path: absolute, and as it is found without links. */
typedef bool beneath_hides(void *ud, const char *path, bool folder);

typedef struct {
    int fd;               /* of the folder; -1: closed */
    const char *path;     /* borrowed, absolute */
    beneath_hides *hides; /* NULL: only git's own folder is hidden */
    void *ud;             /* its */
} beneath;

/* `hides` and `ud` stay as they are. */
status beneath_open(beneath *b, const char *folder, err *e) MUST_USE;
void beneath_close(beneath *b);

/* At most `bytes_max` bytes from `offset` of a regular file; *all is its size. */
status beneath_read(const beneath *b, const char *path, uint64_t offset, size_t bytes_max,
                    strbuf *out, uint64_t *all, err *e) MUST_USE;
/* One line for each entry: its name, a '/' behind a folder's, else its size.  Sorted. */
status beneath_list(const beneath *b, const char *path, strbuf *out, err *e) MUST_USE;

typedef struct {
    const char *text;  /* what a line holds */
    const char *files; /* a pattern (* and ?) of file names; NULL: all */
    bool ignore_case;
    size_t lines_max;
    double until_ms; /* on clock_ms(): then it ends with what it has */
} beneath_search;
/* "PATH:LINE: text" for each line found below `path`; links, hidden folders, binary and very large
 * files are passed over.  The last line says when there is more. */
status beneath_find(const beneath *b, const char *path, const beneath_search *s, strbuf *out,
                    err *e) MUST_USE;
