/* SPDX-License-Identifier: Apache-2.0 */
/* Two hash tables with lists in their buckets, whose links lie in the things themselves: to replace
 * a file costs as many steps as it has definitions, and nothing ever has to be rehashed while
 * somebody waits for the lock.
 *
 * Invariants: every row of a file in the table is in exactly one list of names; `rows` counts them.
 */
#include "context/symbol_table.h"

#include "engine/base/hash.h"
#include "engine/base/mem.h"

#define NAME_BUCKETS 131072u

void symbol_table_init(symbol_table *t) {
    *t = (symbol_table){.paths = xcalloc(SYMBOL_PATH_BUCKETS, sizeof(symbol_file *)),
                        .names = xcalloc(NAME_BUCKETS, sizeof(symbol_row *))};
}

void symbol_table_deinit(symbol_table *t) {
    for (size_t i = 0; i < SYMBOL_PATH_BUCKETS; i++) {
        for (symbol_file *f = t->paths[i], *next; f; f = next) {
            next = f->next;
            symbol_file_free(f);
        }
    }
    xfree(t->paths);
    xfree(t->names);
}

static uint32_t add_text(strbuf *b, str s) {
    uint32_t at = (uint32_t)b->len;
    strbuf_add_str(b, s);
    strbuf_add_char(b, '\0');
    return at;
}

symbol_file *symbol_file_new(str path, const tag *tags, size_t n) {
    symbol_file *f = xcalloc(1, sizeof *f);
    strbuf text;
    strbuf_init(&text, UINT32_MAX);
    f->path = xstrndup(path.ptr, path.len);
    f->rows = n ? xcalloc(n, sizeof *f->rows) : NULL;
    f->n = n;
    for (size_t i = 0; i < n; i++) {
        ASSERT(tags[i].parent == TAG_NO_PARENT || tags[i].parent < i);
        f->rows[i] = (symbol_row){.file = f,
                                  .name = add_text(&text, tags[i].name),
                                  .signature = add_text(&text, tags[i].signature),
                                  .line = tags[i].line,
                                  .parent = tags[i].parent,
                                  .kind = tags[i].kind,
                                  .indent = tags[i].indent};
    }
    f->text = n ? strbuf_take(&text) : NULL;
    return f;
}

void symbol_file_free(symbol_file *f) {
    if (!f) return;
    xfree(f->path);
    xfree(f->text);
    xfree(f->rows);
    xfree(f);
}

str symbol_row_name(const symbol_row *r) {
    return str_of(r->file->text + r->name);
}

str symbol_row_signature(const symbol_row *r) {
    return str_of(r->file->text + r->signature);
}

static symbol_row **name_bucket(const symbol_table *t, str name) {
    return &t->names[hash64(0, name.ptr, name.len) % NAME_BUCKETS];
}

static symbol_file **path_bucket(const symbol_table *t, str path) {
    return &t->paths[hash64(0, path.ptr, path.len) % SYMBOL_PATH_BUCKETS];
}

symbol_row *symbol_table_first(const symbol_table *t, str name) {
    return *name_bucket(t, name);
}

symbol_file *symbol_table_find(const symbol_table *t, str path, uint64_t client) {
    for (symbol_file *f = *path_bucket(t, path); f; f = f->next) {
        if (f->client == client && str_eq(str_of(f->path), path)) return f;
    }
    return NULL;
}

void symbol_table_remove(symbol_table *t, symbol_file *f) {
    for (size_t i = 0; i < f->n; i++) {
        symbol_row *r = &f->rows[i];
        if (r->prev)
            r->prev->next = r->next;
        else
            *name_bucket(t, symbol_row_name(r)) = r->next;
        if (r->next) r->next->prev = r->prev;
    }
    if (f->prev)
        f->prev->next = f->next;
    else
        *path_bucket(t, str_of(f->path)) = f->next;
    if (f->next) f->next->prev = f->prev;
    t->files--;
    t->rows -= f->n;
}

symbol_file *symbol_table_replace(symbol_table *t, symbol_file *f) {
    symbol_file *old = symbol_table_find(t, str_of(f->path), f->client);
    if (old) symbol_table_remove(t, old);
    symbol_file **bucket = path_bucket(t, str_of(f->path));
    f->prev = NULL;
    f->next = *bucket;
    if (*bucket) (*bucket)->prev = f;
    *bucket = f;
    for (size_t i = 0; i < f->n; i++) {
        symbol_row *r = &f->rows[i], **head = name_bucket(t, symbol_row_name(r));
        r->prev = NULL;
        r->next = *head;
        if (*head) (*head)->prev = r;
        *head = r;
    }
    t->files++;
    t->rows += f->n;
    return old;
}
