/* SPDX-License-Identifier: Apache-2.0 */
/* The index's thread and the questions that the loop asks it.
 *
 *     loop                                index thread
 *     symbols_set_view, _file_changed --> jobs --> roots, scans, tagger, stores
 *     symbols_find <------- table (lock) <-------- one file at a time
 *
 * A root is loaded from its store, then scanned: a file whose time and size are those of the store
 * is believed, any other is read.  Scans are repeated, rarely where the client watches files.  Jobs
 * come before the next step of a scan, so that what is being edited is never behind by more than
 * one file.  What is hidden when a file is about to enter the table does not enter it, and secrets
 * in a signature are masked.
 *
 * Locks: `lock` guards the table, the jobs, the views and what is counted; it is never held while a
 * file is read, parsed or stored.  Everything under "the thread's own" is touched by it alone.
 */
#include "context/symbols.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "context/secret.h"
#include "context/symbol_scan.h"
#include "context/symbol_store.h"
#include "engine/base/clock.h"
#include "engine/base/file.h"
#include "engine/base/hash.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/utf8.h"

#define TAGS_BUDGET_US 1000000
#define SCAN_EVERY_MS 30000.0
#define SCAN_EVERY_WATCHED_MS 600000.0
#define SCAN_REST 20.0      /* a scan is followed by so many times its own length without one */
#define LINE_BYTES_MAX 5000 /* a file with a longer line is minified or data */
#define CHAIN_MAX 512       /* rows of one bucket that a question looks at */
#define MESSAGES_MAX 8

typedef enum { JOB_FILE, JOB_DOCUMENT, JOB_CLOSED, JOB_VIEWS, JOB_RESCAN } job_kind;

typedef struct {
    job_kind kind;
    uint64_t client;
    char *path, *text;
    size_t bytes;
    const language *language;
} job;

typedef struct {
    uint64_t client;
    VEC(char *) roots;
    char *globs;
    bool respect_gitignore, watched;
} view;

typedef struct {
    char *path;
    privacy *privacy;
    symbol_store *store;
    symbol_scan scan;
    uint64_t number; /* of the scan */
    double began_ms, next_ms;
    bool watched, wanted;
} root;

struct symbols {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    symbol_table table;
    VEC(job) jobs;
    VEC(view) views;
    symbols_stats stats;
    err messages[MESSAGES_MAX];
    size_t n_messages;
    bool stop;
    /* the thread's own */
    char *folder;
    VEC(root *) roots;
    tagger *tagger;
};

/* ---- under the lock -------------------------------------------------------------------------- */

static double lock(symbols *x) {
    pthread_mutex_lock(&x->lock);
    return clock_ms();
}

static void unlock(symbols *x, double since) {
    x->stats.lock_ms = MAX(x->stats.lock_ms, clock_ms() - since);
    pthread_mutex_unlock(&x->lock);
}

static void tell(symbols *x, const err *e) {
    log_warn("index", "%s", e->text);
    double t = lock(x);
    if (x->n_messages < MESSAGES_MAX) x->messages[x->n_messages++] = *e;
    unlock(x, t);
}

static void job_free(job *j) {
    xfree(j->path);
    xfree(j->text);
}

/* A newer text of the same document replaces one that still waits. */
static void drop_older(symbols *x, const job *j) {
    for (size_t i = 0; i < x->jobs.count && j->kind == JOB_DOCUMENT; i++) {
        job *other = &x->jobs.at[i];
        if (other->kind != j->kind || other->client != j->client || strcmp(other->path, j->path))
            continue;
        job_free(other);
        vec_remove(&x->jobs, i);
        return;
    }
}

/* Takes what `j` owns. */
static void push(symbols *x, job j) {
    double t = lock(x);
    drop_older(x, &j);
    if (x->jobs.count >= LIMIT_INDEX_JOBS) { /* too many changes: look at everything instead */
        for (size_t i = x->jobs.count; i-- > 0;) {
            if (x->jobs.at[i].kind != JOB_FILE) continue;
            job_free(&x->jobs.at[i]);
            vec_remove(&x->jobs, i);
        }
        vec_push(&x->jobs, ((job){.kind = JOB_RESCAN}));
    }
    if (x->jobs.count < 2 * LIMIT_INDEX_JOBS)
        vec_push(&x->jobs, j);
    else
        job_free(&j);
    x->stats.busy = true;
    pthread_cond_signal(&x->wake);
    unlock(x, t);
}

/* ---- one file -------------------------------------------------------------------------------- */

static bool is_below(const char *path, const char *folder) {
    size_t n = strlen(folder);
    return strncmp(path, folder, n) == 0 && path[n] == '/';
}

static root *root_of(symbols *x, const char *path) {
    root *best = NULL;
    for (size_t i = 0; i < x->roots.count; i++) {
        root *r = x->roots.at[i];
        if (is_below(path, r->path) && (!best || strlen(r->path) > strlen(best->path))) best = r;
    }
    return best;
}

/* What the table knows of a file, without its rows. */
static bool known(symbols *x, const char *path, symbol_file *out) {
    double t = lock(x);
    symbol_file *f = symbol_table_find(&x->table, str_of(path), 0);
    if (f) *out = *f;
    unlock(x, t);
    return f != NULL;
}

static void put(symbols *x, symbol_file *f) {
    double t = lock(x);
    symbol_file *old = NULL;
    bool room = (x->table.files < LIMIT_INDEX_FILES && x->table.rows < LIMIT_INDEX_SYMBOLS) ||
                symbol_table_find(&x->table, str_of(f->path), f->client);
    if (room) old = symbol_table_replace(&x->table, f);
    unlock(x, t);
    symbol_file_free(room ? old : f);
}

static void take_out(symbols *x, const char *path, uint64_t client) {
    double t = lock(x);
    symbol_file *f = symbol_table_find(&x->table, str_of(path), client);
    if (f) symbol_table_remove(&x->table, f);
    unlock(x, t);
    symbol_file_free(f);
}

static bool is_source(str text) {
    size_t line = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\0') return false;
        line = text.ptr[i] == '\n' ? 0 : line + 1;
        if (line > LINE_BYTES_MAX) return false;
    }
    return utf8_is_valid(text);
}

static symbol_file *tag_text(symbols *x, const char *path, const language *l, str text) {
    arena a;
    arena_init(&a);
    tag *tags = NULL;
    size_t n = is_source(text) ? tagger_find(x->tagger, l, text, TAGS_BUDGET_US, &a, &tags) : 0;
    for (size_t i = 0; i < n; i++) {
        size_t secrets;
        tags[i].signature = secret_mask(tags[i].signature, &a, &secrets);
    }
    symbol_file *f = symbol_file_new(str_of(path), tags, n);
    arena_deinit(&a);
    return f;
}

static int64_t mtime_ns(const struct stat *st) {
    return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

static void forget_file(symbols *x, root *r, const char *path) {
    take_out(x, path, 0);
    symbol_store_remove(r->store, str_of(path));
}

/* Brings the table and the store up to date with the file at `path`. */
static void index_file(symbols *x, root *r, const char *path) {
    struct stat st;
    symbol_file was;
    bool have = known(x, path, &was);
    bool wanted = lstat(path, &st) == 0 && S_ISREG(st.st_mode) && symbol_scan_wants(str_of(path)) &&
                  !privacy_hides(r->privacy, str_of(path), false)[0];
    if (!wanted) {
        if (have) forget_file(x, r, path);
        return;
    }
    if (have && was.mtime_ns == mtime_ns(&st) && was.size == (int64_t)st.st_size) {
        double t = lock(x);
        symbol_file *f = symbol_table_find(&x->table, str_of(path), 0);
        if (f) f->seen = r->number;
        unlock(x, t);
        return;
    }
    strbuf text;
    err e;
    strbuf_init(&text, LIMIT_INDEX_FILE_BYTES);
    if (file_read(path, LIMIT_INDEX_FILE_BYTES, &text, &e) != OK) strbuf_clear(&text);
    symbol_file *f = tag_text(x, path, language_find(str_of(path), STR("")), strbuf_str(&text));
    strbuf_deinit(&text);
    f->mtime_ns = mtime_ns(&st);
    f->size = (int64_t)st.st_size;
    f->seen = r->number;
    symbol_store_put(r->store, f);
    put(x, f);
}

/* ---- roots ----------------------------------------------------------------------------------- */

typedef struct {
    symbols *x;
    root *r;
    VEC(char *) refused; /* paths that must leave the store */
} loaded;

static void on_loaded(void *ud, symbol_file *f) {
    loaded *l = ud;
    if (privacy_hides(l->r->privacy, str_of(f->path), false)[0]) {
        vec_push(&l->refused, xstrdup(f->path));
        symbol_file_free(f);
        return;
    }
    symbol_file was;
    if (known(l->x, f->path, &was))
        symbol_file_free(f);
    else
        put(l->x, f);
}

static void store_path(const symbols *x, const char *path, char *out, size_t bytes) {
    snprintf(out, bytes, "%s/%016llx.sqlite", x->folder,
             (unsigned long long)hash64(0, path, strlen(path)));
}

static void open_store(symbols *x, root *r) {
    if (!x->folder) return;
    char file[4096];
    store_state state;
    err e = {{0}};
    store_path(x, r->path, file, sizeof file);
    r->store = symbol_store_open(file, str_of(r->path), &state, &e);
    if (state != STORE_OK) tell(x, &e);
    loaded l = {.x = x, .r = r};
    if (!symbol_store_load(r->store, on_loaded, &l, &e)) tell(x, &e);
    for (size_t i = 0; i < l.refused.count; i++) {
        symbol_store_remove(r->store, str_of(l.refused.at[i]));
        xfree(l.refused.at[i]);
    }
    vec_free(&l.refused);
}

static void begin_scan(root *r) {
    privacy_forget(r->privacy);
    symbol_scan_begin(&r->scan, r->path);
    r->number++;
    r->began_ms = clock_ms();
}

/* Takes every file out for which `gone` is true. */
static void sweep(symbols *x, bool (*gone)(symbols *x, const symbol_file *f, const root *r),
                  root *r) {
    VEC(char *) paths = {0};
    for (size_t i = 0; i < SYMBOL_PATH_BUCKETS; i++) {
        double t = lock(x);
        for (const symbol_file *f = x->table.paths[i]; f; f = f->next)
            if (gone(x, f, r)) vec_push(&paths, xstrdup(f->path));
        unlock(x, t);
    }
    for (size_t i = 0; i < paths.count; i++) {
        if (r)
            forget_file(x, r, paths.at[i]);
        else
            take_out(x, paths.at[i], 0);
        xfree(paths.at[i]);
    }
    vec_free(&paths);
}

static bool is_unseen(symbols *x, const symbol_file *f, const root *r) {
    return !f->client && f->seen != r->number && root_of(x, f->path) == r;
}

static bool has_no_root(symbols *x, const symbol_file *f, const root *r) {
    UNUSED(r);
    return !f->client && !root_of(x, f->path);
}

static void end_scan(symbols *x, root *r) {
    sweep(x, is_unseen, r);
    symbol_store_commit(r->store);
    double ms = clock_ms() - r->began_ms;
    double every = r->watched ? SCAN_EVERY_WATCHED_MS : SCAN_EVERY_MS;
    r->next_ms = clock_ms() + MAX(every, ms * SCAN_REST);
    symbol_scan_end(&r->scan);
    double t = lock(x);
    x->stats.scans++;
    x->stats.scan_ms = ms;
    size_t files = x->table.files, rows = x->table.rows;
    unlock(x, t);
    if (r->store && symbol_store_trouble(r->store)[0])
        log_warn("index", "the store is off root=%s why=\"%s\"", r->path,
                 symbol_store_trouble(r->store));
    log_info("index", "scanned root=%s files=%zu symbols=%zu ms=%.0f", r->path, files, rows, ms);
}

static void root_free(root *r) {
    symbol_scan_end(&r->scan);
    symbol_store_close(r->store);
    privacy_free(r->privacy);
    xfree(r->path);
    xfree(r);
}

static root *root_get(symbols *x, const char *path) {
    for (size_t i = 0; i < x->roots.count; i++)
        if (strcmp(x->roots.at[i]->path, path) == 0) return x->roots.at[i];
    root *r = xcalloc(1, sizeof *r);
    r->path = xstrdup(path);
    vec_push(&x->roots, r);
    return r;
}

/* The rules of all views together: what one connection hides, the index does not hold. */
static void set_rules(root *r, const char *globs, bool respect_gitignore) {
    if (!r->privacy) r->privacy = privacy_new();
    str path = str_of(r->path);
    privacy_set_roots(r->privacy, &path, 1);
    privacy_set_rules(r->privacy, str_of(globs), respect_gitignore);
}

static void use_views(symbols *x) {
    for (size_t i = 0; i < x->roots.count; i++)
        x->roots.at[i]->wanted = false;
    strbuf globs;
    strbuf_init(&globs, LIMIT_IGNORE_BYTES);
    bool respect = false, watched = true;
    VEC(char *) paths = {0};
    double t = lock(x);
    for (size_t i = 0; i < x->views.count; i++) {
        const view *v = &x->views.at[i];
        strbuf_addf(&globs, "%s\n", v->globs);
        respect = respect || v->respect_gitignore;
        watched = watched && v->watched;
        for (size_t k = 0; k < v->roots.count; k++)
            vec_push(&paths, xstrdup(v->roots.at[k]));
    }
    unlock(x, t);
    for (size_t i = 0; i < paths.count; i++) {
        root *r = root_get(x, paths.at[i]);
        bool fresh = !r->privacy;
        r->wanted = true;
        r->watched = watched;
        set_rules(r, globs.ptr ? globs.ptr : "", respect);
        if (fresh) open_store(x, r);
        begin_scan(r);
        xfree(paths.at[i]);
    }
    vec_free(&paths);
    strbuf_deinit(&globs);
    for (size_t i = x->roots.count; i-- > 0;) {
        if (x->roots.at[i]->wanted) continue;
        root_free(x->roots.at[i]);
        vec_remove(&x->roots, i);
    }
    sweep(x, has_no_root, NULL);
}

/* ---- the thread ------------------------------------------------------------------------------ */

static void run_job(symbols *x, const job *j) {
    root *r = j->path ? root_of(x, j->path) : NULL;
    switch (j->kind) {
    case JOB_FILE:
        if (r) index_file(x, r, j->path);
        break;
    case JOB_DOCUMENT:
        if (!r || !privacy_hides(r->privacy, str_of(j->path), false)[0]) {
            symbol_file *f = tag_text(x, j->path, j->language, (str){j->text, j->bytes});
            f->client = j->client;
            put(x, f);
        } else {
            take_out(x, j->path, j->client);
        }
        break;
    case JOB_CLOSED:
        take_out(x, j->path, j->client);
        if (r) index_file(x, r, j->path); /* it may have been saved just before */
        break;
    case JOB_VIEWS: use_views(x); break;
    case JOB_RESCAN:
        for (size_t i = 0; i < x->roots.count; i++)
            begin_scan(x->roots.at[i]);
        break;
    }
}

/* One step of one scan; false: there is nothing to scan now. */
static bool scan_step(symbols *x) {
    for (size_t i = 0; i < x->roots.count; i++) {
        root *r = x->roots.at[i];
        if (!r->scan.active && clock_ms() >= r->next_ms) begin_scan(r);
        if (!r->scan.active) continue;
        VEC(char *) others = {0};
        vec_push(&others, r->path);
        for (size_t k = 0; k < x->roots.count; k++)
            if (x->roots.at[k] != r) vec_push(&others, x->roots.at[k]->path);
        char *path;
        bool found = symbol_scan_next(&r->scan, r->privacy, others.at, others.count, &path);
        vec_free(&others);
        if (found) {
            index_file(x, r, path);
            xfree(path);
        } else if (!r->scan.active) {
            end_scan(x, r);
        }
        return true;
    }
    return false;
}

static void wait_for_work(symbols *x) {
    double next = clock_ms() + SCAN_EVERY_WATCHED_MS;
    for (size_t i = 0; i < x->roots.count; i++) {
        symbol_store_commit(x->roots.at[i]->store);
        next = MIN(next, x->roots.at[i]->next_ms);
    }
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    double ms = MAX(next - clock_ms(), 1.0);
    until.tv_sec += (time_t)(ms / 1000.0) + 1;
    pthread_mutex_lock(&x->lock);
    if (!x->jobs.count) {
        x->stats.busy = false;
        if (!x->stop) pthread_cond_timedwait(&x->wake, &x->lock, &until);
    }
    pthread_mutex_unlock(&x->lock);
}

static bool take_job(symbols *x, job *out, bool *stop) {
    double t = lock(x);
    bool have = x->jobs.count > 0;
    *stop = x->stop;
    if (have) {
        *out = x->jobs.at[0];
        vec_remove(&x->jobs, 0);
    }
    unlock(x, t);
    return have;
}

static void *thread_main(void *ud) {
    symbols *x = ud;
#ifdef __linux__ /* a compiler and the engine come first; without it we are merely less polite */
    (void)setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), 10);
#endif
    x->tagger = tagger_new();
    for (bool stop = false; !stop;) {
        job j = {0};
        if (take_job(x, &j, &stop)) {
            if (!stop) run_job(x, &j);
            job_free(&j);
        } else if (!stop && !scan_step(x)) {
            wait_for_work(x);
        }
    }
    for (size_t i = 0; i < x->roots.count; i++)
        root_free(x->roots.at[i]);
    vec_free(&x->roots);
    tagger_free(x->tagger);
    return NULL;
}

/* ---- life ------------------------------------------------------------------------------------ */

static char *make_folder(const char *folder) {
    if (!folder) return NULL;
    char path[4096];
    snprintf(path, sizeof path, "%s", folder);
    for (char *slash = path + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        (void)mkdir(path, 0700);
        *slash = '/';
    }
    (void)mkdir(path, 0700);
    return xstrdup(folder);
}

symbols *symbols_start(const char *folder) {
    symbols *x = xcalloc(1, sizeof *x);
    x->folder = make_folder(folder);
    symbol_table_init(&x->table);
    pthread_mutex_init(&x->lock, NULL);
    pthread_cond_init(&x->wake, NULL);
    sigset_t all, before; /* signals belong to the loop's thread */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&x->thread, NULL, thread_main, x);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    ASSERT(rc == 0);
    return x;
}

static void view_deinit(view *v) {
    for (size_t i = 0; i < v->roots.count; i++)
        xfree(v->roots.at[i]);
    vec_free(&v->roots);
    xfree(v->globs);
}

void symbols_stop(symbols *x) {
    if (!x) return;
    double t = lock(x);
    x->stop = true;
    pthread_cond_signal(&x->wake);
    unlock(x, t);
    pthread_join(x->thread, NULL);
    for (size_t i = 0; i < x->jobs.count; i++)
        job_free(&x->jobs.at[i]);
    for (size_t i = 0; i < x->views.count; i++)
        view_deinit(&x->views.at[i]);
    vec_free(&x->jobs);
    vec_free(&x->views);
    symbol_table_deinit(&x->table);
    pthread_mutex_destroy(&x->lock);
    pthread_cond_destroy(&x->wake);
    xfree(x->folder);
    xfree(x);
}

/* ---- from the loop --------------------------------------------------------------------------- */

void symbols_set_view(symbols *x, const symbols_view *in) {
    double t = lock(x);
    for (size_t i = 0; i < x->views.count; i++) {
        if (x->views.at[i].client != in->client) continue;
        view_deinit(&x->views.at[i]);
        vec_remove(&x->views, i);
        break;
    }
    if (in->n) {
        view v = {.client = in->client,
                  .globs =
                      xstrndup(in->deny_globs.len ? in->deny_globs.ptr : "", in->deny_globs.len),
                  .respect_gitignore = in->respect_gitignore,
                  .watched = in->watched};
        for (size_t i = 0; i < in->n; i++) {
            size_t len = in->roots[i].len;
            while (len > 1 && in->roots[i].ptr[len - 1] == '/')
                len--;
            if (len) vec_push(&v.roots, xstrndup(in->roots[i].ptr, len));
        }
        vec_push(&x->views, v);
    }
    unlock(x, t);
    push(x, (job){.kind = JOB_VIEWS});
}

void symbols_file_changed(symbols *x, str path) {
    if (path.len && path.len < LIMIT_PATH_BYTES)
        push(x, (job){.kind = JOB_FILE, .path = xstrndup(path.ptr, path.len)});
}

void symbols_rescan(symbols *x) {
    push(x, (job){.kind = JOB_RESCAN});
}

void symbols_document(symbols *x, uint64_t client, str path, const char *name, str text) {
    const language *l = language_find(path, str_of(name));
    if (!path.len || path.len >= LIMIT_PATH_BYTES || !language_grammar(l)) return;
    if (text.len > LIMIT_PARSE_BYTES) return;
    push(x, (job){.kind = JOB_DOCUMENT,
                  .client = client,
                  .path = xstrndup(path.ptr, path.len),
                  .text = xstrndup(text.len ? text.ptr : "", text.len),
                  .bytes = text.len,
                  .language = l});
}

void symbols_document_closed(symbols *x, uint64_t client, str path) {
    if (path.len && path.len < LIMIT_PATH_BYTES)
        push(x, (job){.kind = JOB_CLOSED, .client = client, .path = xstrndup(path.ptr, path.len)});
}

static void copy_row(const symbol_row *r, arena *a, symbol *out) {
    const symbol_file *f = r->file;
    *out = (symbol){.path = arena_str(a, str_of(f->path)),
                    .name = arena_str(a, symbol_row_name(r)),
                    .signature = arena_str(a, symbol_row_signature(r)),
                    .kind = tag_kind_name((tag_kind)r->kind),
                    .line = r->line,
                    .indent = r->indent};
    if (r->parent != TAG_NO_PARENT)
        out->parent = arena_str(a, symbol_row_name(&f->rows[r->parent]));
}

/* What one connection has in its editor is for nobody else, and hides the file from itself. */
static bool is_visible(const symbols *x, const symbol_file *f, uint64_t client, const str *roots,
                       size_t n) {
    if (f->client) return f->client == client;
    if (client && symbol_table_find(&x->table, str_of(f->path), client)) return false;
    for (size_t i = 0; i < n; i++) {
        str path = str_of(f->path);
        if (str_starts_with(path, roots[i]) && path.len > roots[i].len &&
            (path.ptr[roots[i].len] == '/' || roots[i].ptr[roots[i].len - 1] == '/'))
            return true;
    }
    return false;
}

/* tidy: parameters (a question is just these) */
size_t symbols_find(symbols *x, uint64_t client, const str *roots, size_t n_roots, str name,
                    arena *a, symbol *out, size_t max) {
    size_t n = 0, steps = 0;
    double t = lock(x);
    for (const symbol_row *r = symbol_table_first(&x->table, name);
         r && n < max && steps < CHAIN_MAX; r = r->next, steps++) {
        if (r->kind == TAG_FIELD || !str_eq(symbol_row_name(r), name)) continue;
        if (is_visible(x, r->file, client, roots, n_roots)) copy_row(r, a, &out[n++]);
    }
    unlock(x, t);
    return n;
}

/* What this connection may know of a file: its own text, else the file itself. */
static const symbol_file *file_for(const symbols *x, const symbols_view *who, str path) {
    const symbol_file *f = symbol_table_find(&x->table, path, who->client);
    if (!f) f = symbol_table_find(&x->table, path, 0);
    return f && is_visible(x, f, who->client, who->roots, who->n) ? f : NULL;
}

size_t symbols_in_file(symbols *x, const symbols_view *who, str path, arena *a, symbol *out,
                       size_t max) {
    size_t n = 0;
    double t = lock(x);
    const symbol_file *f = file_for(x, who, path);
    for (size_t i = 0; f && i < f->n && n < max; i++)
        if (f->rows[i].kind != TAG_FIELD) copy_row(&f->rows[i], a, &out[n++]);
    unlock(x, t);
    return n;
}

/* tidy: parameters (a question is just these) */
size_t symbols_members(symbols *x, const symbols_view *who, str path, str name, arena *a,
                       symbol *out, size_t max) {
    size_t n = 0;
    double t = lock(x);
    const symbol_file *f = file_for(x, who, path);
    for (size_t i = 0; f && i < f->n && n < max; i++) {
        const symbol_row *r = &f->rows[i];
        if (r->parent != TAG_NO_PARENT && str_eq(symbol_row_name(&f->rows[r->parent]), name))
            copy_row(r, a, &out[n++]);
    }
    unlock(x, t);
    return n;
}

bool symbols_knows(symbols *x, const symbols_view *who, str name) {
    size_t steps = 0;
    double t = lock(x);
    const symbol_row *r = symbol_table_first(&x->table, name);
    while (r && steps++ < CHAIN_MAX &&
           !(str_eq(symbol_row_name(r), name) &&
             is_visible(x, r->file, who->client, who->roots, who->n)))
        r = r->next;
    unlock(x, t);
    return r != NULL;
}

void symbols_get_stats(symbols *x, symbols_stats *out) {
    double t = lock(x);
    *out = x->stats;
    out->files = x->table.files;
    out->symbols = x->table.rows;
    unlock(x, t);
}

bool symbols_take_message(symbols *x, err *out) {
    double t = lock(x);
    bool have = x->n_messages > 0;
    if (have) {
        *out = x->messages[0];
        memmove(x->messages, x->messages + 1, --x->n_messages * sizeof *x->messages);
    }
    unlock(x, t);
    return have;
}
