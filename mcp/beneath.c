/* SPDX-License-Identifier: Apache-2.0 */
/* See beneath.h.  A system without openat2 (Linux before 5.6) is told so: there is no second way
 * that would be as sure. */
#include "mcp/beneath.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/vec.h"
#include "mcp/config.h"
#include "mcp/output.h"

#define LINE_BYTES 400 /* shown of a line that was found */

typedef VEC(char *) names;

/* ---- opening --------------------------------------------------------------------------------- */

status beneath_open(beneath *b, const char *folder, err *e) {
    b->path = folder;
    b->fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (b->fd < 0)
        return err_set(e, ERR_IO, "the folder %.200s cannot be opened: %s", folder,
                       strerror(errno));
    return OK;
}

void beneath_close(beneath *b) {
    if (b->fd >= 0) close(b->fd);
    b->fd = -1;
}

/* An absolute path is one below the folder, or refused by the kernel like any other. */
static const char *relative(const beneath *b, const char *path) {
    size_t n = strlen(b->path);
    if (!strncmp(path, b->path, n) && (path[n] == '/' || !path[n]))
        path += n;
    else if (path[0] == '/')
        return path;
    while (*path == '/')
        path++;
    return *path ? path : ".";
}

/* What an open file is called, without links. */
static bool name_of(int fd, char out[PATH_MAX]) {
    char link[40];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, out, PATH_MAX - 1);
    if (n > 0) out[n] = '\0';
    return n > 0;
}

/* git's own folder holds all that was ever committed, and addresses with passwords. */
static bool is_gits(const char *path) {
    const char *at = strstr(path, "/.git");
    while (at && at[5] && at[5] != '/')
        at = strstr(at + 5, "/.git");
    return at != NULL;
}

static bool is_hidden(const beneath *b, const char *path, bool folder) {
    return is_gits(path + strlen(b->path)) || (b->hides && b->hides(b->ud, path, folder));
}

/* Writes where `fd` really is to `real`, as a path that begins like the folder's.  False: nobody
 * may be shown it, under that name or the one that it was asked for. */
static bool is_shown(const beneath *b, int fd, const char *path, char real[PATH_MAX]) {
    char root[PATH_MAX], there[PATH_MAX], asked[PATH_MAX];
    struct stat st;
    if (!name_of(b->fd, root) || !name_of(fd, there) || fstat(fd, &st)) return false;
    size_t n = strcmp(root, "/") ? strlen(root) : 0;
    if (strncmp(there, root, n) || (there[n] && there[n] != '/')) return false;
    int len = snprintf(real, PATH_MAX, "%s%s", b->path, there + n);
    bool folder = S_ISDIR(st.st_mode), here = !strcmp(path, ".");
    int asked_len =
        snprintf(asked, sizeof asked, "%s%s%s", b->path, here ? "" : "/", here ? "" : path);
    if (len >= PATH_MAX || asked_len >= PATH_MAX || is_hidden(b, real, folder)) return false;
    return !strcmp(asked, real) || strstr(path, "..") || !is_hidden(b, asked, folder);
}

/* `real`: where it is, see is_shown. */
static int open_below(const beneath *b, const char *path, int flags, char real[PATH_MAX], err *e) {
    struct open_how how = {.flags =
                               (uint64_t)(flags | O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK),
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    int fd = (int)syscall(SYS_openat2, b->fd, relative(b, path), &how, sizeof how);
    if (fd >= 0 && is_shown(b, fd, relative(b, path), real)) return fd;
    if (fd >= 0) {
        close(fd);
        (void)err_set(e, ERR_USAGE,
                      "%.200s is hidden by the privacy rules (inlined.privacy, .inlinedignore, "
                      ".gitignore)",
                      path);
    } else if (errno == EXDEV || errno == ELOOP)
        (void)err_set(e, ERR_USAGE, "%.200s is outside of %.100s", path, b->path);
    else if (errno == ENOSYS)
        (void)err_set(e, ERR_UNSUPPORTED, "this system has no openat2 (Linux 5.6 or newer)");
    else
        (void)err_set(e, ERR_IO, "%.200s: %s", path, strerror(errno));
    return -1;
}

/* ---- reading --------------------------------------------------------------------------------- */

static bool read_into(int fd, uint64_t offset, size_t bytes_max, strbuf *out) {
    char buffer[16384];
    while (bytes_max > 0) {
        ssize_t n = pread(fd, buffer, MIN(bytes_max, sizeof buffer), (off_t)offset);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return n == 0;
        strbuf_add(out, buffer, (size_t)n);
        offset += (uint64_t)n;
        bytes_max -= (size_t)n;
    }
    return true;
}

status beneath_read(const beneath *b, const char *path, uint64_t offset, size_t bytes_max,
                    strbuf *out, uint64_t *all, err *e) {
    struct stat st;
    char real[PATH_MAX];
    int fd = open_below(b, path, 0, real, e);
    if (fd < 0) return ERR_IO;
    status s = OK;
    if (fstat(fd, &st) || !S_ISREG(st.st_mode))
        s = err_set(e, ERR_USAGE, "%.200s is no file", path);
    else if (!read_into(fd, MIN(offset, (uint64_t)st.st_size), bytes_max, out))
        s = err_set(e, ERR_IO, "%.200s: %s", path, strerror(errno));
    else
        *all = (uint64_t)st.st_size;
    close(fd);
    return s;
}

/* ---- listing --------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Takes `fd`.  At most LIMIT_OWN_ENTRIES. */
static void read_names(int fd, names *out) {
    DIR *dir = fdopendir(fd);
    if (!dir) {
        close(fd);
        return;
    }
    const struct dirent *entry;
    while (out->count < LIMIT_OWN_ENTRIES && (entry = readdir(dir)))
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
            vec_push(out, xstrdup(entry->d_name));
    closedir(dir);
    qsort(out->at, out->count, sizeof *out->at, by_name);
}

static void free_names(names *n) {
    for (size_t i = 0; i < n->count; i++)
        xfree(n->at[i]);
    vec_free(n);
}

/* Whether a folder's entry may be shown. */
static bool shows_entry(const beneath *b, const char *folder, const char *name, bool is_folder) {
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/%s", folder, name);
    return n < PATH_MAX && !is_hidden(b, path, is_folder);
}

status beneath_list(const beneath *b, const char *path, strbuf *out, err *e) {
    char real[PATH_MAX];
    int fd = open_below(b, path, O_DIRECTORY, real, e);
    if (fd < 0) return ERR_IO;
    int kept = dup(fd);
    names all = {0};
    read_names(fd, &all);
    for (size_t i = 0; i < all.count; i++) {
        struct stat st;
        if (kept < 0 || fstatat(kept, all.at[i], &st, AT_SYMLINK_NOFOLLOW)) continue;
        if (!shows_entry(b, real, all.at[i], S_ISDIR(st.st_mode))) continue;
        output_clean(out, str_of(all.at[i]));
        if (S_ISDIR(st.st_mode))
            strbuf_addf(out, "/\n");
        else
            strbuf_addf(out, S_ISLNK(st.st_mode) ? "  (link)\n" : "  %lld\n",
                        (long long)st.st_size);
    }
    if (all.count == LIMIT_OWN_ENTRIES) strbuf_addf(out, "(there is more)\n");
    free_names(&all);
    if (kept >= 0) close(kept);
    return OK;
}

/* ---- searching ------------------------------------------------------------------------------- */

typedef struct {
    const beneath *b;
    const beneath_search *s;
    strbuf *out;
    size_t found, files;
    bool full;
} walk;

static bool is_over(walk *w) {
    w->full |=
        w->found >= w->s->lines_max || w->files >= LIMIT_OWN_FILES || clock_ms() > w->s->until_ms;
    return w->full;
}

static bool holds(const beneath_search *s, str line) {
    str text = str_of(s->text);
    if (!s->ignore_case) return str_find(line, text) >= 0;
    for (size_t i = 0; i + text.len <= line.len; i++)
        if (str_eq_ignore_case(str_sub(line, i, i + text.len), text)) return true;
    return false;
}

static void search_file(walk *w, const char *path, const char *name) {
    strbuf text;
    uint64_t all = 0;
    err e;
    if (w->s->files && !mcp_pattern_matches(w->s->files, name)) return;
    strbuf_init(&text, LIMIT_OWN_READ_BYTES + 1);
    bool read = !beneath_read(w->b, path, 0, LIMIT_OWN_READ_BYTES, &text, &all, &e);
    w->files += read;
    if (read && text.ptr && all <= LIMIT_OWN_READ_BYTES && !memchr(text.ptr, 0, text.len)) {
        str rest = strbuf_str(&text), line;
        for (int number = 1; !is_over(w) && str_split(&rest, '\n', &line); number++) {
            if (!holds(w->s, line)) continue;
            w->found++;
            output_clean(w->out, str_of(path));
            strbuf_addf(w->out, ":%d: ", number);
            output_clean(w->out, str_sub(line, 0, LINE_BYTES));
            strbuf_add_char(w->out, '\n');
        }
    }
    strbuf_deinit(&text);
}

static void search_folder(walk *w, const char *path, int depth);

static void search_entry(walk *w, int folder, const char *path, const char *name, int depth) {
    struct stat st;
    strbuf below;
    if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW)) return;
    strbuf_init(&below, LIMIT_PATH_BYTES);
    strbuf_addf(&below, "%s%s%s", strcmp(path, ".") ? path : "", strcmp(path, ".") ? "/" : "",
                name);
    if (!below.overflow && S_ISDIR(st.st_mode) && name[0] != '.' && strcmp(name, "node_modules"))
        search_folder(w, below.ptr, depth + 1);
    else if (!below.overflow && S_ISREG(st.st_mode))
        search_file(w, below.ptr, name);
    strbuf_deinit(&below);
}

static void search_folder(walk *w, const char *path, int depth) {
    err e;
    char real[PATH_MAX];
    int fd = depth < LIMIT_PATH_DEPTH ? open_below(w->b, path, O_DIRECTORY, real, &e) : -1;
    if (fd < 0) return;
    int kept = dup(fd);
    names all = {0};
    read_names(fd, &all);
    for (size_t i = 0; kept >= 0 && i < all.count && !is_over(w); i++)
        search_entry(w, kept, path, all.at[i], depth);
    free_names(&all);
    if (kept >= 0) close(kept);
}

status beneath_find(const beneath *b, const char *path, const beneath_search *s, strbuf *out,
                    err *e) {
    walk w = {.b = b, .s = s, .out = out};
    char real[PATH_MAX];
    int fd = open_below(b, path, O_DIRECTORY, real, e);
    if (fd < 0) return ERR_IO;
    close(fd);
    search_folder(&w, relative(b, path), 0);
    if (!w.found) strbuf_addf(out, "no line of %zu files holds that\n", w.files);
    if (w.full) strbuf_addf(out, "(there is more: narrow the search)\n");
    return OK;
}
