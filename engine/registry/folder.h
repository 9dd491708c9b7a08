/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Folders of the user: where they are, making, measuring and removing them. */
#include "engine/base/status.h"
#include "engine/base/str.h"

/* $VARIABLE/tail when the variable is an absolute path, else $HOME/fallback/tail; NULL without a
 * home.  Caller frees with xfree. */
char *folder_user(const char *variable, const char *fallback, const char *tail);
/* "a/b" on the heap. */
char *folder_join(const char *a, const char *b);
/* Makes the folder and its parents, mode 0755. */
status folder_make(const char *path, err *e) MUST_USE;
/* Bytes of all regular files below, at most 8 levels deep; 0 when it is not there. */
uint64_t folder_bytes(const char *path);
/* Removes the folder with everything in it (no link is followed).  What cannot be removed stays. */
void folder_remove(const char *path);
/* Removes the folders directly in `path` whose names start with `prefix`. */
void folder_remove_matching(const char *path, const char *prefix);
/* The first regular file directly in `path` whose name ends with `suffix`, on the heap, or NULL. */
char *folder_find(const char *path, const char *suffix);
/* Bytes that this user may still write there; UINT64_MAX when the system does not say. */
uint64_t folder_free_bytes(const char *path);
/* Where a file that comes with the program lies: beside an installed program
 * (PREFIX/share/inlined) or
 * in the source tree that it was built in.  Caller frees with xfree.  ERR_NOT_FOUND. */
status folder_shipped(const char *name, char **out, err *e) MUST_USE;
/* Writes a small file whole: it is the old one or the new one, whatever happens. */
status folder_write(const char *folder, const char *file, str text, err *e) MUST_USE;
/* Makes what was renamed inside survive a power cut. */
void folder_sync(const char *path);
