/* SPDX-License-Identifier: Apache-2.0 */
/* Verdicts about paths.
 *
 * The rules of a folder are read when a path below it is asked about for the first time and kept
 * with what stat() said of their files.  A path is judged from its root downwards, because what
 * lies in an ignored folder is ignored, whatever deeper files say.
 *
 * Invariant: folders.count <= LIMIT_PRIVACY_FOLDERS; the oldest goes.  Whatever cannot be decided
 * (an unreadable file, a list that is no list, a path that is too deep) is decided for hiding.
 */
#include "context/privacy.h"

#include <sys/stat.h>

#include "context/ignore.h"
#include "engine/base/file.h"
#include "engine/base/limits.h"

#define OWN_FILE ".inlinedignore"
#define GIT_FILE ".gitignore"

typedef struct {
    bool exists, unreadable;
    int64_t mtime_ns, size;
    ignore_list rules;
} rule_file;

typedef struct {
    char *path; /* without a '/' at its end */
    rule_file git;
} rule_folder;

typedef struct {
    char *path;
    rule_file own;
} rule_root;

struct privacy {
    VEC(rule_root) roots;
    VEC(rule_folder *) folders;
    ignore_list globs;
    bool globs_broken, respect_gitignore;
    rule_file user; /* $XDG_CONFIG_HOME/inlined/ignore */
    char *user_path;
};

/* ---- files with rules ------------------------------------------------------------------------ */

static void rule_file_deinit(rule_file *f) {
    ignore_deinit(&f->rules);
    *f = (rule_file){0};
}

static void stamp(const char *path, bool *exists, int64_t *mtime_ns, int64_t *size) {
    struct stat st;
    *exists = stat(path, &st) == 0;
    *mtime_ns = *exists ? (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec : 0;
    *size = *exists ? (int64_t)st.st_size : 0;
}

static void rule_file_read(rule_file *f, const char *path, bool fold) {
    strbuf text;
    err e;
    rule_file_deinit(f);
    strbuf_init(&text, LIMIT_IGNORE_BYTES);
    stamp(path, &f->exists, &f->mtime_ns, &f->size);
    f->rules.fold = fold;
    status s = file_read(path, LIMIT_IGNORE_BYTES, &text, &e);
    if (s == OK)
        f->unreadable = !ignore_add(&f->rules, strbuf_str(&text));
    else
        f->unreadable = s != ERR_NOT_FOUND;
    strbuf_deinit(&text);
}

static bool rule_file_changed(const rule_file *f, const char *path) {
    bool exists;
    int64_t mtime_ns, size;
    stamp(path, &exists, &mtime_ns, &size);
    return exists != f->exists || mtime_ns != f->mtime_ns || size != f->size || f->unreadable;
}

static void path_of(char *out, size_t bytes, const char *folder, const char *name) {
    snprintf(out, bytes, "%s/%s", folder, name);
}

/* ---- life ------------------------------------------------------------------------------------ */

static char *user_file(void) {
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    char path[4096] = "";
    if (config && config[0] == '/')
        snprintf(path, sizeof path, "%s/inlined/ignore", config);
    else if (home && home[0] == '/')
        snprintf(path, sizeof path, "%s/.config/inlined/ignore", home);
    return xstrdup(path);
}

privacy *privacy_new(void) {
    privacy *p = xcalloc(1, sizeof *p);
    p->respect_gitignore = true;
    p->user_path = user_file();
    if (p->user_path[0]) rule_file_read(&p->user, p->user_path, true);
    return p;
}

void privacy_forget(privacy *p) {
    for (size_t i = 0; i < p->folders.count; i++) {
        rule_file_deinit(&p->folders.at[i]->git);
        xfree(p->folders.at[i]->path);
        xfree(p->folders.at[i]);
    }
    vec_clear(&p->folders);
    char path[4096];
    for (size_t i = 0; i < p->roots.count; i++) {
        path_of(path, sizeof path, p->roots.at[i].path, OWN_FILE);
        rule_file_read(&p->roots.at[i].own, path, true);
    }
    if (p->user_path[0]) rule_file_read(&p->user, p->user_path, true);
}

static void drop_roots(privacy *p) {
    for (size_t i = 0; i < p->roots.count; i++) {
        rule_file_deinit(&p->roots.at[i].own);
        xfree(p->roots.at[i].path);
    }
    vec_clear(&p->roots);
}

void privacy_free(privacy *p) {
    if (!p) return;
    drop_roots(p);
    privacy_forget(p);
    vec_free(&p->roots);
    vec_free(&p->folders);
    rule_file_deinit(&p->user);
    ignore_deinit(&p->globs);
    xfree(p->user_path);
    xfree(p);
}

void privacy_set_rules(privacy *p, str globs, bool respect_gitignore) {
    ignore_deinit(&p->globs);
    p->globs.fold = true;
    p->globs_broken = !ignore_add(&p->globs, globs);
    p->respect_gitignore = respect_gitignore;
}

static str without_slash(str path) {
    while (path.len > 1 && path.ptr[path.len - 1] == '/')
        path.len--;
    return path;
}

void privacy_set_roots(privacy *p, const str *roots, size_t n) {
    drop_roots(p);
    for (size_t i = 0; i < n && i < LIMIT_WORKSPACE_FOLDERS; i++) {
        str path = without_slash(roots[i]);
        vec_push(&p->roots, ((rule_root){.path = xstrndup(path.ptr, path.len)}));
    }
    privacy_forget(p);
}

/* ---- verdicts -------------------------------------------------------------------------------- */

static bool is_below(str path, str folder) {
    if (!str_starts_with(path, folder)) return false;
    return folder.len == 1 || path.len == folder.len || path.ptr[folder.len] == '/';
}

static const rule_root *root_of(const privacy *p, str path) {
    const rule_root *best = NULL;
    for (size_t i = 0; i < p->roots.count; i++) {
        str root = str_of(p->roots.at[i].path);
        if (is_below(path, root) && (!best || root.len > strlen(best->path)))
            best = &p->roots.at[i];
    }
    return best;
}

static const rule_folder *folder_of(privacy *p, str path) {
    for (size_t i = p->folders.count; i-- > 0;) {
        if (str_eq(str_of(p->folders.at[i]->path), path)) return p->folders.at[i];
    }
    if (p->folders.count >= LIMIT_PRIVACY_FOLDERS) {
        rule_file_deinit(&p->folders.at[0]->git);
        xfree(p->folders.at[0]->path);
        xfree(p->folders.at[0]);
        vec_remove(&p->folders, 0);
    }
    rule_folder *f = xcalloc(1, sizeof *f);
    f->path = xstrndup(path.ptr, path.len);
    char file[4096];
    path_of(file, sizeof file, f->path, GIT_FILE);
    rule_file_read(&f->git, file, false);
    vec_push(&p->folders, f);
    return f;
}

/* What one list says about `path` or a folder above it. */
static ignore_answer ask_list(const ignore_list *list, str path, bool folder) {
    for (size_t i = 0; i <= path.len; i++) {
        if (i < path.len && path.ptr[i] != '/') continue;
        ignore_answer a = ignore_match(list, str_sub(path, 0, i), i < path.len || folder);
        if (a == IGNORE_YES || i == path.len) return a;
    }
    return IGNORE_SILENT;
}

/* One step of the walk down: is root/rel[0 .. to) ignored by the lists above it? */
static const char *ask_git(privacy *p, str root, str rel, size_t to, bool folder) {
    ignore_answer last = IGNORE_SILENT;
    char at[4096];
    for (size_t from = 0;;) {
        int n = snprintf(at, sizeof at, "%.*s%s%.*s", STR_ARG(root), from ? "/" : "",
                         (int)(from ? from - 1 : 0), rel.ptr);
        if (n < 0 || (size_t)n >= sizeof at) return "privacy-unreadable";
        const rule_folder *f = folder_of(p, (str){at, (size_t)n});
        if (f->git.unreadable) return "privacy-unreadable";
        ignore_answer a = ignore_match(&f->git.rules, str_sub(rel, from, to), folder);
        if (a != IGNORE_SILENT) last = a;
        const char *slash = from < to ? memchr(rel.ptr + from, '/', to - from) : NULL;
        if (!slash) break;
        from = (size_t)(slash - rel.ptr) + 1;
    }
    return last == IGNORE_YES ? "ignored-file" : "";
}

static const char *walk_git(privacy *p, str root, str rel, bool folder) {
    size_t depth = 0;
    for (size_t i = 1; i <= rel.len; i++) {
        if (i < rel.len && rel.ptr[i] != '/') continue;
        if (++depth > LIMIT_PATH_DEPTH) return "privacy-unreadable";
        const char *why = ask_git(p, root, rel, i, i < rel.len || folder);
        if (why[0]) return why;
    }
    return "";
}

static const char *hides(privacy *p, str path, bool folder) {
    const rule_root *root = root_of(p, path);
    str rel = path;
    if (root) rel = str_sub(path, strlen(root->path), path.len);
    while (rel.len && rel.ptr[0] == '/')
        rel = str_sub(rel, 1, rel.len);
    if (!rel.len) return "";
    if (ask_list(&p->globs, rel, folder) == IGNORE_YES) return "denied-file";
    if (ask_list(&p->user.rules, rel, folder) == IGNORE_YES) return "denied-file";
    if (!root) return "";
    if (ask_list(&root->own.rules, rel, folder) == IGNORE_YES) return "denied-file";
    return p->respect_gitignore ? walk_git(p, str_of(root->path), rel, folder) : "";
}

const char *privacy_hides(privacy *p, str path, bool folder) {
    if (privacy_trouble(p)[0]) return "privacy-unreadable";
    const char *why = hides(p, path, folder);
    if (why[0] || folder || !path.len || path.ptr[0] != '/') return why;
    /* A link under a harmless name shows what it points to. */
    char name[4096], *real;
    snprintf(name, sizeof name, "%.*s", (int)MIN(path.len, sizeof name - 1), path.ptr);
    struct stat st;
    if (lstat(name, &st) != 0 || !S_ISLNK(st.st_mode)) return why;
    real = realpath(name, NULL);
    if (real) why = hides(p, str_of(real), false);
    free(real);
    return why;
}

bool privacy_is_rule_file(str path) {
    ptrdiff_t slash = str_rfind_char(path, '/');
    str name = str_sub(path, slash < 0 ? 0 : (size_t)slash + 1, path.len);
    return str_eq(name, STR(GIT_FILE)) || str_eq(name, STR(OWN_FILE));
}

bool privacy_refresh(privacy *p) {
    char path[4096];
    bool changed = p->user_path[0] && rule_file_changed(&p->user, p->user_path);
    for (size_t i = 0; i < p->roots.count && !changed; i++) {
        path_of(path, sizeof path, p->roots.at[i].path, OWN_FILE);
        changed = rule_file_changed(&p->roots.at[i].own, path);
    }
    for (size_t i = 0; i < p->folders.count && !changed; i++) {
        path_of(path, sizeof path, p->folders.at[i]->path, GIT_FILE);
        changed = rule_file_changed(&p->folders.at[i]->git, path);
    }
    if (changed) privacy_forget(p);
    return changed;
}

const char *privacy_trouble(const privacy *p) {
    if (p->globs_broken) return "privacy.denyGlobs is no list of patterns; nothing is suggested";
    if (p->user.unreadable) return "the file inlined/ignore of your configuration cannot be read; "
                                   "nothing is suggested until it can be";
    for (size_t i = 0; i < p->roots.count; i++) {
        if (p->roots.at[i].own.unreadable)
            return "a file " OWN_FILE " in the workspace cannot be read; nothing is suggested "
                   "until it can be";
    }
    return "";
}
