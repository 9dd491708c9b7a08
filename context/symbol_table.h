/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Definitions of many files in memory, by name.  A file and the texts that connections have of it
 * are files of their own.  Thread: the caller locks. */
#include "context/tags.h"

#define SYMBOL_PATH_BUCKETS 16384u

typedef struct symbol_file symbol_file;
typedef struct symbol_row symbol_row;

struct symbol_row {
    symbol_row *prev, *next; /* of the same bucket of names */
    symbol_file *file;
    uint32_t name, signature; /* NUL-terminated, in file->text */
    uint32_t line;
    uint16_t parent; /* row of the type around it, or TAG_NO_PARENT */
    uint8_t kind, indent;
};

struct symbol_file {
    symbol_file *prev, *next; /* of the same bucket of paths */
    char *path;
    int64_t mtime_ns, size;
    uint64_t client; /* text of an open document of this connection; 0: the file itself.  Set
                        before it enters a table, where it is half of the file's name */
    uint64_t seen;   /* number of the scan that saw it last */
    char *text;
    symbol_row *rows;
    size_t n;
};

typedef struct {
    symbol_file **paths;
    symbol_row **names;
    size_t files, rows;
} symbol_table;

void symbol_table_init(symbol_table *t);
void symbol_table_deinit(symbol_table *t);
/* A file that is in no table yet; tags without parents that precede them are refused by ASSERT. */
symbol_file *symbol_file_new(str path, const tag *tags, size_t n) MUST_USE;
void symbol_file_free(symbol_file *f); /* accepts NULL */
symbol_file *symbol_table_find(const symbol_table *t, str path, uint64_t client);
/* Puts `f` in, and takes out and returns what was there for its path and client (NULL: nothing). */
symbol_file *symbol_table_replace(symbol_table *t, symbol_file *f) MUST_USE;
void symbol_table_remove(symbol_table *t, symbol_file *f); /* does not free it */
/* The newest row of a name; then row->next of the same bucket: compare names. */
symbol_row *symbol_table_first(const symbol_table *t, str name);
str symbol_row_name(const symbol_row *r);
str symbol_row_signature(const symbol_row *r);
