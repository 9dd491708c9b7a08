/* SPDX-License-Identifier: Apache-2.0 */
/* SQLite as a memory of the symbol index.
 *
 *     info(key, value)                          version, root
 *     file(id, path, mtime, size)               path below the root
 *     symbol(file, place, name, kind, line, parent, indent, signature)
 *
 * Rows instead of one blob of ours, because then SQLite bounds and checks the fields, and people
 * can read them.  Writes are gathered into transactions of COMMIT_FILES files.  synchronous is off:
 * the file is a cache, and one that a power failure has damaged is found (quick_check,
 * SQLITE_CORRUPT) and begun again.  Thread: the index's own.
 */
#include "context/symbol_store.h"

#include <sqlite3.h>
#include <unistd.h>

#include "engine/base/limits.h"
#include "engine/base/utf8.h"
#include "engine/base/vec.h"

#define VERSION 1
#define COMMIT_FILES 256
#define BUSY_MS 2000

struct symbol_store {
    sqlite3 *db; /* NULL: off */
    char *path, *root;
    sqlite3_stmt *put_file, *put_symbol, *drop_file, *drop_symbols;
    int pending; /* files in the open transaction */
    bool in_transaction;
    char trouble[256];
};

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS info(key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS file(id INTEGER PRIMARY KEY, path TEXT UNIQUE NOT NULL,"
    " mtime INTEGER NOT NULL, size INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS symbol(file INTEGER NOT NULL, place INTEGER NOT NULL,"
    " name TEXT NOT NULL, kind INTEGER NOT NULL, line INTEGER NOT NULL, parent INTEGER NOT NULL,"
    " indent INTEGER NOT NULL, signature TEXT NOT NULL, PRIMARY KEY(file, place)) WITHOUT ROWID;";

/* ---- errors ---------------------------------------------------------------------------------- */

static void close_db(symbol_store *s) {
    sqlite3_finalize(s->put_file);
    sqlite3_finalize(s->put_symbol);
    sqlite3_finalize(s->drop_file);
    sqlite3_finalize(s->drop_symbols);
    s->put_file = s->put_symbol = s->drop_file = s->drop_symbols = NULL;
    sqlite3_close(s->db);
    s->db = NULL;
    s->in_transaction = false;
}

/* True when `rc` is no error; else the store is off from now on. */
static bool is_good(symbol_store *s, int rc) {
    if (rc == SQLITE_OK || rc == SQLITE_ROW || rc == SQLITE_DONE) return true;
    if (!s->trouble[0])
        snprintf(s->trouble, sizeof s->trouble, "%s", s->db ? sqlite3_errmsg(s->db) : "closed");
    close_db(s);
    return false;
}

static bool run(symbol_store *s, const char *sql) {
    return s->db && is_good(s, sqlite3_exec(s->db, sql, NULL, NULL, NULL));
}

const char *symbol_store_trouble(const symbol_store *s) {
    return s->trouble;
}

/* ---- open ------------------------------------------------------------------------------------ */

static int prepare(symbol_store *s, const char *sql, sqlite3_stmt **out) {
    return sqlite3_prepare_v2(s->db, sql, -1, out, NULL);
}

static int prepare_all(symbol_store *s) {
    int rc = prepare(s, "INSERT INTO file(path, mtime, size) VALUES(?, ?, ?)", &s->put_file);
    if (rc == SQLITE_OK)
        rc = prepare(s, "INSERT INTO symbol VALUES(?, ?, ?, ?, ?, ?, ?, ?)", &s->put_symbol);
    if (rc == SQLITE_OK)
        rc = prepare(s, "DELETE FROM symbol WHERE file IN (SELECT id FROM file WHERE path = ?)",
                     &s->drop_symbols);
    if (rc == SQLITE_OK) rc = prepare(s, "DELETE FROM file WHERE path = ?", &s->drop_file);
    return rc;
}

/* The text of the first column of the first row equals `want`. */
static int says(symbol_store *s, const char *sql, const char *want, bool *same) {
    sqlite3_stmt *q = NULL;
    *same = false;
    int rc = prepare(s, sql, &q);
    if (rc == SQLITE_OK) rc = sqlite3_step(q);
    if (rc == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(q, 0);
        *same = text && strcmp(text, want) == 0;
        rc = SQLITE_OK;
    } else if (rc == SQLITE_DONE) {
        rc = SQLITE_OK;
    }
    sqlite3_finalize(q);
    return rc;
}

static int write_info(symbol_store *s) {
    char sql[64];
    snprintf(sql, sizeof sql, "INSERT OR REPLACE INTO info VALUES('version', '%d')", VERSION);
    int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
    sqlite3_stmt *q = NULL;
    if (rc == SQLITE_OK) rc = prepare(s, "INSERT OR REPLACE INTO info VALUES('root', ?)", &q);
    if (rc == SQLITE_OK) {
        sqlite3_bind_text(q, 1, s->root, -1, SQLITE_STATIC);
        rc = sqlite3_step(q) == SQLITE_DONE ? SQLITE_OK : sqlite3_errcode(s->db);
    }
    sqlite3_finalize(q);
    return rc;
}

/* Opens or makes the file; *usable is false when what is in it is somebody else's. */
static int open_db(symbol_store *s, bool *usable) {
    bool whole = false, version = false, root = false, empty = false;
    char number[16];
    snprintf(number, sizeof number, "%d", VERSION);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    *usable = false;
    int rc = sqlite3_open_v2(s->path, &s->db, flags, NULL);
    if (!s->db) return rc; /* no memory, not even for the handle */
    if (rc == SQLITE_OK) rc = sqlite3_extended_result_codes(s->db, 0);
    if (rc == SQLITE_OK) rc = sqlite3_busy_timeout(s->db, BUSY_MS);
    sqlite3_limit(s->db, SQLITE_LIMIT_LENGTH, LIMIT_STORE_VALUE_BYTES);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(s->db,
                          "PRAGMA trusted_schema=OFF; PRAGMA journal_mode=WAL;"
                          "PRAGMA synchronous=OFF; PRAGMA cell_size_check=ON;",
                          NULL, NULL, NULL);
    if (rc == SQLITE_OK) rc = says(s, "PRAGMA quick_check(1)", "ok", &whole);
    if (rc == SQLITE_OK) rc = says(s, "SELECT count(*) FROM sqlite_master", "0", &empty);
    if (rc == SQLITE_OK) rc = sqlite3_exec(s->db, schema, NULL, NULL, NULL);
    if (rc == SQLITE_OK && empty) rc = write_info(s);
    if (rc == SQLITE_OK)
        rc = says(s, "SELECT value FROM info WHERE key = 'version'", number, &version);
    if (rc == SQLITE_OK) rc = says(s, "SELECT value FROM info WHERE key = 'root'", s->root, &root);
    if (rc == SQLITE_OK && whole && version && root) rc = prepare_all(s);
    *usable = whole && version && root;
    return rc;
}

static void delete_files(const char *path) {
    static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
    char name[4096];
    for (size_t i = 0; i < COUNTOF(ends); i++) {
        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        (void)unlink(name);
    }
}

static bool is_locked(int rc) {
    return rc == SQLITE_BUSY || rc == SQLITE_LOCKED;
}

static store_state begin_again(symbol_store *s, const char *why, err *e) {
    bool usable;
    char reason[160];
    snprintf(reason, sizeof reason, "%.150s", why);
    close_db(s);
    delete_files(s->path);
    int rc = open_db(s, &usable);
    if (rc == SQLITE_OK && usable) {
        (void)err_set(e, ERR_FORMAT,
                      "the symbol index of %.120s was damaged (%s); it is built again", s->root,
                      reason);
        return STORE_REBUILT;
    }
    (void)err_set(e, ERR_IO, "the symbol index of %.120s cannot be kept in %.120s: %s", s->root,
                  s->path, s->db ? sqlite3_errmsg(s->db) : "out of memory");
    close_db(s);
    return STORE_OFF;
}

symbol_store *symbol_store_open(const char *path, str root, store_state *state, err *e) {
    symbol_store *s = xcalloc(1, sizeof *s);
    s->path = xstrdup(path);
    s->root = xstrndup(root.ptr, root.len);
    bool usable;
    int rc = open_db(s, &usable);
    *state = STORE_OK;
    if (rc == SQLITE_OK && usable) return s;
    if (is_locked(rc)) {
        (void)err_set(e, ERR_IO,
                      "another program has locked the symbol index of %.120s; until the next "
                      "start it is kept in memory only",
                      s->root);
        close_db(s);
        *state = STORE_OFF;
        return s;
    }
    if (rc == SQLITE_NOMEM) { /* nothing is wrong with the file */
        (void)err_set(e, ERR_LIMIT,
                      "there is no memory to read the symbol index of %.120s; until the next start "
                      "it is kept in memory only",
                      s->root);
        close_db(s);
        *state = STORE_OFF;
        return s;
    }
    *state = begin_again(s, rc == SQLITE_OK ? "another version or root" : sqlite3_errmsg(s->db), e);
    return s;
}

void symbol_store_close(symbol_store *s) {
    if (!s) return;
    symbol_store_commit(s);
    close_db(s);
    xfree(s->path);
    xfree(s->root);
    xfree(s);
}

/* ---- read ------------------------------------------------------------------------------------ */

typedef struct {
    symbol_store *store;
    arena arena;
    VEC(tag) tags;
    int64_t file; /* whose symbols are gathered; -1: none */
    char *path;
    int64_t mtime_ns, size;
    bool bad; /* a row of it was out of bounds */
    void (*give)(void *ud, symbol_file *f);
    void *ud;
} loading;

static bool column_str(sqlite3_stmt *q, int column, size_t max, arena *a, str *out) {
    const char *text = (const char *)sqlite3_column_text(q, column);
    size_t n = (size_t)sqlite3_column_bytes(q, column);
    if (!text || n == 0 || n > max || memchr(text, '\0', n)) return false;
    *out = arena_str(a, (str){text, n});
    return utf8_is_valid(*out);
}

/* A relative path without a step upwards. */
static bool is_inside(str path) {
    str rest = path, piece;
    if (path.ptr[0] == '/') return false;
    while (str_split(&rest, '/', &piece)) {
        if (str_eq(piece, STR("..")) || str_eq(piece, STR(".")) || !piece.len) return false;
    }
    return true;
}

static void finish_file(loading *l) {
    if (l->path && !l->bad) {
        symbol_file *f = symbol_file_new(str_of(l->path), l->tags.at, l->tags.count);
        f->mtime_ns = l->mtime_ns;
        f->size = l->size;
        l->give(l->ud, f);
    }
    xfree(l->path);
    l->path = NULL;
    l->bad = false;
    vec_clear(&l->tags);
    arena_clear(&l->arena);
}

static void start_file(loading *l, sqlite3_stmt *q) {
    str path = {0};
    finish_file(l);
    l->file = sqlite3_column_int64(q, 0);
    l->mtime_ns = sqlite3_column_int64(q, 2);
    l->size = sqlite3_column_int64(q, 3);
    l->bad = !column_str(q, 1, LIMIT_PATH_BYTES, &l->arena, &path) || !is_inside(path);
    if (l->bad) return;
    strbuf full;
    strbuf_init(&full, (size_t)2 * LIMIT_PATH_BYTES);
    strbuf_addf(&full, "%s/%.*s", l->store->root, STR_ARG(path));
    l->path = strbuf_take(&full);
}

static void add_row(loading *l, sqlite3_stmt *q) {
    if (sqlite3_column_type(q, 4) == SQLITE_NULL) return; /* a file without definitions */
    int64_t kind = sqlite3_column_int64(q, 5), line = sqlite3_column_int64(q, 6);
    int64_t parent = sqlite3_column_int64(q, 7), indent = sqlite3_column_int64(q, 8);
    int64_t place = (int64_t)l->tags.count;
    tag t = {.line = (uint32_t)line,
             .kind = (uint8_t)kind,
             .indent = (uint8_t)indent,
             .parent = parent < 0 ? TAG_NO_PARENT : (uint16_t)parent};
    bool good = kind >= 0 && kind < TAG_KINDS && line >= 0 && line <= LIMIT_DOCUMENT_BYTES &&
                parent < place && indent >= 0 && indent < 256 && place < LIMIT_TAGS_FILE &&
                column_str(q, 4, LIMIT_STORE_VALUE_BYTES, &l->arena, &t.name) &&
                column_str(q, 9, LIMIT_STORE_VALUE_BYTES, &l->arena, &t.signature);
    if (good)
        vec_push(&l->tags, t);
    else
        l->bad = true;
}

bool symbol_store_load(symbol_store *s, void (*file)(void *ud, symbol_file *f), void *ud, err *e) {
    if (!s->db) return true;
    static const char sql[] =
        "SELECT f.id, f.path, f.mtime, f.size, s.name, s.kind, s.line, s.parent, s.indent,"
        " s.signature FROM file f LEFT JOIN symbol s ON s.file = f.id ORDER BY f.id, s.place";
    loading l = {.store = s, .file = -1, .give = file, .ud = ud};
    arena_init(&l.arena);
    sqlite3_stmt *q = NULL;
    int rc = prepare(s, sql, &q);
    size_t files = 0;
    while (rc == SQLITE_OK || rc == SQLITE_ROW) {
        rc = sqlite3_step(q);
        if (rc != SQLITE_ROW) break;
        if (sqlite3_column_int64(q, 0) != l.file) {
            if (++files > LIMIT_INDEX_FILES) break;
            start_file(&l, q);
        }
        if (!l.bad) add_row(&l, q);
    }
    if (rc == SQLITE_DONE || rc == SQLITE_ROW) finish_file(&l);
    l.bad = true;
    finish_file(&l);
    vec_free(&l.tags);
    arena_deinit(&l.arena);
    sqlite3_finalize(q);
    if (rc == SQLITE_DONE || rc == SQLITE_ROW || is_locked(rc)) return true;
    (void)begin_again(s, sqlite3_errmsg(s->db), e);
    return false;
}

/* ---- write ----------------------------------------------------------------------------------- */

static bool begin(symbol_store *s) {
    if (!s->db) return false;
    if (s->in_transaction) return true;
    s->in_transaction = run(s, "BEGIN IMMEDIATE");
    return s->in_transaction;
}

void symbol_store_commit(symbol_store *s) {
    if (!s) return;
    if (s->db && s->in_transaction) (void)run(s, "COMMIT");
    s->in_transaction = false;
    s->pending = 0;
}

static str relative(const symbol_store *s, str path) {
    size_t n = strlen(s->root);
    return str_starts_with(path, str_of(s->root)) && path.len > n + 1
               ? str_sub(path, n + 1, path.len)
               : (str){0};
}

static bool step(symbol_store *s, sqlite3_stmt *q) {
    int rc = sqlite3_step(q);
    sqlite3_reset(q);
    return is_good(s, rc);
}

static void bind_str(sqlite3_stmt *q, int at, str s) {
    sqlite3_bind_text(q, at, s.ptr, (int)s.len, SQLITE_STATIC);
}

void symbol_store_remove(symbol_store *s, str path) {
    str inside = s ? relative(s, path) : (str){0};
    if (!inside.len || !begin(s)) return;
    bind_str(s->drop_symbols, 1, inside);
    if (!step(s, s->drop_symbols)) return;
    bind_str(s->drop_file, 1, inside);
    (void)step(s, s->drop_file);
}

void symbol_store_put(symbol_store *s, const symbol_file *f) {
    str inside = s ? relative(s, str_of(f->path)) : (str){0};
    if (!inside.len) return;
    symbol_store_remove(s, str_of(f->path));
    if (!begin(s)) return;
    bind_str(s->put_file, 1, inside);
    sqlite3_bind_int64(s->put_file, 2, f->mtime_ns);
    sqlite3_bind_int64(s->put_file, 3, f->size);
    if (!step(s, s->put_file)) return;
    int64_t id = sqlite3_last_insert_rowid(s->db);
    for (size_t i = 0; i < f->n; i++) {
        const symbol_row *r = &f->rows[i];
        sqlite3_bind_int64(s->put_symbol, 1, id);
        sqlite3_bind_int64(s->put_symbol, 2, (int64_t)i);
        bind_str(s->put_symbol, 3, symbol_row_name(r));
        sqlite3_bind_int(s->put_symbol, 4, r->kind);
        sqlite3_bind_int64(s->put_symbol, 5, r->line);
        sqlite3_bind_int(s->put_symbol, 6, r->parent == TAG_NO_PARENT ? -1 : r->parent);
        sqlite3_bind_int(s->put_symbol, 7, r->indent);
        bind_str(s->put_symbol, 8, symbol_row_signature(r));
        if (!step(s, s->put_symbol)) return;
    }
    if (++s->pending >= COMMIT_FILES) symbol_store_commit(s);
}
