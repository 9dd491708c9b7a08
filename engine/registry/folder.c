/* SPDX-License-Identifier: Apache-2.0 */
/* Folders of the user.  Depth is bounded, symbolic links are never followed downwards, so removing
 * a staging folder cannot leave it.  Thread: any; blocks. */
#include "engine/registry/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "engine/base/mem.h"
#include "engine/base/str.h"

#define DEPTH_MAX 8

char *folder_join(const char *a, const char *b) {
    size_t n = strlen(a) + strlen(b) + 2;
    char *path = xmalloc(n);
    snprintf(path, n, "%s/%s", a, b);
    return path;
}

char *folder_user(const char *variable, const char *fallback, const char *tail) {
    const char *base = getenv(variable);
    if (base && base[0] == '/') return folder_join(base, tail);
    const char *home = getenv("HOME");
    if (!home || home[0] != '/') return NULL;
    char *under = folder_join(home, fallback);
    char *path = folder_join(under, tail);
    xfree(under);
    return path;
}

status folder_make(const char *path, err *e) {
    char *copy = xstrdup(path);
    status s = OK;
    for (char *p = copy + 1; s == OK; p++) {
        if (*p != '/' && *p) continue;
        char end = *p;
        *p = 0;
        if (mkdir(copy, 0755) != 0 && errno != EEXIST) {
            s = err_set(e, ERR_IO, "cannot make the folder %s: %s", copy, strerror(errno));
        }
        *p = end;
        if (!end) break;
    }
    struct stat st;
    if (s == OK && (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))) {
        s = err_set(e, ERR_IO, "%s is in the way: it is not a folder", path);
    }
    xfree(copy);
    return s;
}

static uint64_t bytes_below(const char *path, int depth) {
    DIR *dir = opendir(path);
    if (!dir) return 0;
    uint64_t sum = 0;
    for (struct dirent *d = readdir(dir); d; d = readdir(dir)) {
        if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0) continue;
        char *child = folder_join(path, d->d_name);
        struct stat st;
        if (lstat(child, &st) == 0) {
            if (S_ISREG(st.st_mode)) sum += (uint64_t)st.st_size;
            if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX) sum += bytes_below(child, depth + 1);
        }
        xfree(child);
    }
    closedir(dir);
    return sum;
}

uint64_t folder_bytes(const char *path) {
    return bytes_below(path, 0);
}

static void remove_below(const char *path, int depth) {
    DIR *dir = opendir(path);
    if (!dir) return;
    for (struct dirent *d = readdir(dir); d; d = readdir(dir)) {
        if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0) continue;
        char *child = folder_join(path, d->d_name);
        struct stat st;
        bool is_folder = lstat(child, &st) == 0 && S_ISDIR(st.st_mode);
        if (is_folder && depth < DEPTH_MAX) remove_below(child, depth + 1);
        if (!is_folder) unlink(child);
        xfree(child);
    }
    closedir(dir);
    rmdir(path);
}

void folder_remove(const char *path) {
    remove_below(path, 0);
}

void folder_remove_matching(const char *path, const char *prefix) {
    DIR *dir = opendir(path);
    if (!dir) return;
    for (struct dirent *d = readdir(dir); d; d = readdir(dir)) {
        if (!str_starts_with(str_of(d->d_name), str_of(prefix))) continue;
        char *child = folder_join(path, d->d_name);
        folder_remove(child);
        xfree(child);
    }
    closedir(dir);
}

char *folder_find(const char *path, const char *suffix) {
    DIR *dir = opendir(path);
    if (!dir) return NULL;
    char *found = NULL;
    for (struct dirent *d = readdir(dir); d && !found; d = readdir(dir)) {
        if (!str_ends_with(str_of(d->d_name), str_of(suffix))) continue;
        char *child = folder_join(path, d->d_name);
        struct stat st;
        if (lstat(child, &st) == 0 && S_ISREG(st.st_mode))
            found = child;
        else
            xfree(child);
    }
    closedir(dir);
    return found;
}

uint64_t folder_free_bytes(const char *path) {
    struct statvfs v;
    if (statvfs(path, &v) != 0) return UINT64_MAX;
    return (uint64_t)v.f_bavail * (uint64_t)v.f_frsize;
}

status folder_write(const char *folder, const char *file, str text, err *e) {
    size_t n = strlen(file) + 40;
    char *path = folder_join(folder, file), *name = xmalloc(n);
    snprintf(name, n, ".%s.part-%ld", file, (long)getpid());
    char *part = folder_join(folder, name);
    FILE *f = fopen(part, "we");
    bool good = f && fwrite(text.ptr, 1, text.len, f) == text.len && fflush(f) == 0;
    if (good && fsync(fileno(f)) != 0) good = false;
    if (f && fclose(f) != 0) good = false;
    if (good && rename(part, path) != 0) good = false;
    status s = good ? OK : err_set(e, ERR_IO, "cannot write %s: %s", path, strerror(errno));
    if (!good) unlink(part);
    xfree(name);
    xfree(part);
    xfree(path);
    return s;
}

void folder_sync(const char *path) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    fsync(fd);
    close(fd);
}

status folder_shipped(const char *name, char **out, err *e) {
    static const char *const places[] = {"../share/inlined/models", "../engine/models"};
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    self[MAX(n, 0)] = '\0';
    char *slash = strrchr(self, '/');
    if (slash) *slash = '\0';
    for (size_t i = 0; slash && i < COUNTOF(places); i++) {
        char *folder = folder_join(self, places[i]), *path = folder_join(folder, name);
        xfree(folder);
        if (access(path, R_OK) == 0) {
            *out = path;
            return OK;
        }
        xfree(path);
    }
    return err_set(e, ERR_NOT_FOUND,
                   "%s, which belongs to the program, is not beside it; install again with "
                   "./bootstrap install",
                   name);
}
