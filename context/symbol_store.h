/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The definitions of one root in an SQLite file, from one session to the next.
 *
 * Nothing in the file is believed: what is out of bounds is not loaded.  A damaged file is deleted
 * and begun again; one that another program keeps locked is left alone, and this session works
 * without.  Thread: one at a time. */
#include "context/symbol_table.h"
#include "engine/base/status.h"

typedef struct symbol_store symbol_store;

typedef enum { STORE_OK, STORE_REBUILT, STORE_OFF } store_state;

/* Never fails: at worst it is STORE_OFF, and `e` has the sentence for a person (also for
 * STORE_REBUILT).  `root` is written into the file; another root's file is begun again. */
symbol_store *symbol_store_open(const char *path, str root, store_state *state, err *e) MUST_USE;
void symbol_store_close(symbol_store *s); /* accepts NULL; commits */
/* Calls `file` for each stored file; the callee owns it.  False: the file was damaged and is begun
 * again, what was handed out may be kept. */
bool symbol_store_load(symbol_store *s, void (*file)(void *ud, symbol_file *f), void *ud, err *e);
/* These accept NULL and do nothing when the store is off.  Commits now and then, and at
 * symbol_store_commit(). */
void symbol_store_put(symbol_store *s, const symbol_file *f);
void symbol_store_remove(symbol_store *s, str path);
void symbol_store_commit(symbol_store *s);
/* The first error since it was opened, "" when there was none; the store is off after one. */
const char *symbol_store_trouble(const symbol_store *s);
