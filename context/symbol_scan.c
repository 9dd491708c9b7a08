/* SPDX-License-Identifier: Apache-2.0 */
/* Walking a tree of folders without recursion, one folder at a time, so that the index can do other
 * things in between.  Links are not followed: they would lead out of the root or in circles. */
#include "context/symbol_scan.h"

#include <dirent.h>
#include <sys/stat.h>

#include "context/language.h"
#include "engine/base/limits.h"

void symbol_scan_begin(symbol_scan *s, const char *root) {
    symbol_scan_end(s);
    s->active = true;
    vec_push(&s->folders, xstrdup(root));
}

void symbol_scan_end(symbol_scan *s) {
    for (size_t i = 0; i < s->folders.count; i++)
        xfree(s->folders.at[i]);
    for (size_t i = 0; i < s->files.count; i++)
        xfree(s->files.at[i]);
    vec_free(&s->folders);
    vec_free(&s->files);
    *s = (symbol_scan){0};
}

bool symbol_scan_wants(str path) {
    const grammar *g = language_grammar(language_find(path, STR("")));
    return g && g->tags[0];
}

static bool is_of_tools(const char *name) {
    static const char *const names[] = {".git",   ".hg",    ".svn", "node_modules", "__pycache__",
                                        ".venv",  "venv",   ".tox", ".mypy_cache",  ".pytest_cache",
                                        ".cache", ".gradle"};
    for (size_t i = 0; i < COUNTOF(names); i++)
        if (strcmp(name, names[i]) == 0) return true;
    return false;
}

static void add_entry(symbol_scan *s, privacy *p, char *const *roots, size_t n_roots, char *path,
                      const char *name) {
    struct stat st;
    bool folder = lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
    bool wanted = folder ? !is_of_tools(name)
                         : S_ISREG(st.st_mode) && symbol_scan_wants(str_of(name));
    for (size_t i = 1; i < n_roots && folder && wanted; i++)
        wanted = strcmp(path, roots[i]) != 0;
    if (wanted && folder) wanted = !privacy_hides(p, str_of(path), true)[0];
    if (!wanted) {
        xfree(path);
        return;
    }
    s->entries++;
    if (folder)
        vec_push(&s->folders, path);
    else
        vec_push(&s->files, path);
}

static int compare_paths(const void *a, const void *b) {
    return strcmp(*(char *const *)b, *(char *const *)a); /* taken from the end */
}

static void read_folder(symbol_scan *s, privacy *p, char *const *roots, size_t n_roots,
                        const char *folder) {
    DIR *dir = opendir(folder);
    if (!dir) return;
    for (struct dirent *d; (d = readdir(dir)) && s->entries < LIMIT_INDEX_ENTRIES;) {
        if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0) continue;
        size_t n = strlen(folder) + strlen(d->d_name) + 2;
        if (n > LIMIT_PATH_BYTES) continue;
        char *path = xmalloc(n);
        snprintf(path, n, "%s/%s", folder, d->d_name);
        add_entry(s, p, roots, n_roots, path, d->d_name);
    }
    closedir(dir);
    if (s->files.count) qsort(s->files.at, s->files.count, sizeof *s->files.at, compare_paths);
}

bool symbol_scan_next(symbol_scan *s, privacy *p, char *const *roots, size_t n_roots, char **path) {
    if (!s->active) return false;
    if (!s->files.count && s->folders.count) {
        char *folder = s->folders.at[--s->folders.count];
        read_folder(s, p, roots, n_roots, folder);
        xfree(folder);
    }
    if (s->files.count) {
        *path = s->files.at[--s->files.count];
        return true;
    }
    s->active = s->folders.count > 0;
    return false;
}
