/* SPDX-License-Identifier: Apache-2.0 */
/* A library that is loaded before the C library (LD_PRELOAD): in the first daemon (--listen) that
 * it meets, one allocation has no memory, whoever asks for it; all others have.
 *
 * Which one: the first of the call site FAIL_ALLOC_SITE.  A call site is a hash over the innermost
 * frames of the stack, each as its place in its module, so that it is the same in every run of the
 * same programs.  FAIL_ALLOC_MARK is the file that the first daemon makes; when it ends, it writes
 * there each site that it met, a line each: the site, how many allocations it made, its frames.
 *
 * What the constructors of other libraries (CUDA's) ask for before main() is theirs, and does not
 * count; neither does what comes after the daemon's last word.  For glibc.  Thread: any. */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t n, size_t bytes);
void *__libc_realloc(void *p, size_t bytes);
void *__libc_memalign(size_t align, size_t bytes);
EXPORT void *malloc(size_t bytes);
EXPORT void *calloc(size_t n, size_t bytes);
EXPORT void *realloc(void *p, size_t bytes);
EXPORT void *aligned_alloc(size_t align, size_t bytes);
EXPORT int posix_memalign(void **out, size_t align, size_t bytes);

enum { OWN = 2 /* fails and malloc */, FRAMES = 10, SITES = 1 << 16 };

typedef struct {
    uint64_t hash; /* 0: free */
    uint64_t count;
    void *frames[FRAMES];
} site;

static site sites[SITES]; /* open addressing; under `lock` */
static atomic_flag lock = ATOMIC_FLAG_INIT;
static uint64_t fail_site; /* 0: only listed */
static int mark = -1;
static atomic_bool in_main, failed;
static _Thread_local __attribute__((tls_model("initial-exec"))) bool inside;

static uint64_t mixed(uint64_t h, uint64_t value) {
    h = (h ^ value) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 29;
}

/* The same wherever the modules lie. */
static uint64_t hash_of(void *const *frames, int n) {
    uint64_t h = 1;
    for (int i = 0; i < n; i++) {
        struct dl_find_object found;
        if (_dl_find_object(frames[i], &found)) continue;
        uint64_t start = (uintptr_t)found.dlfo_map_start, end = (uintptr_t)found.dlfo_map_end;
        h = mixed(mixed(h, end - start), (uintptr_t)frames[i] - start);
    }
    return h | 1;
}

/* How often this site was here before. */
static uint64_t meet(uint64_t hash, void *const *frames, int n) {
    while (atomic_flag_test_and_set(&lock)) {
    }
    size_t at = (size_t)(hash >> 40) % SITES;
    while (sites[at].hash && sites[at].hash != hash)
        at = (at + 1) % SITES;
    if (!sites[at].hash) memcpy(sites[at].frames, frames, (size_t)n * sizeof *frames);
    sites[at].hash = hash;
    uint64_t before = sites[at].count++;
    atomic_flag_clear(&lock);
    return before;
}

static __attribute__((noinline)) bool fails(void) {
    void *frames[OWN + FRAMES];
    if (mark < 0 || inside || !atomic_load(&in_main)) return false;
    inside = true;
    int n = backtrace(frames, OWN + FRAMES) - OWN;
    uint64_t hash = n > 0 ? hash_of(frames + OWN, n) : 0;
    bool now = hash && meet(hash, frames + OWN, n) == 0 && hash == fail_site;
    if (now) {
        atomic_store(&failed, true);
        errno = ENOMEM;
    }
    inside = false;
    return now;
}

void *malloc(size_t bytes) {
    return fails() ? NULL : __libc_malloc(bytes);
}

void *calloc(size_t n, size_t bytes) {
    return fails() ? NULL : __libc_calloc(n, bytes);
}

void *realloc(void *p, size_t bytes) {
    return fails() ? NULL : __libc_realloc(p, bytes);
}

void *aligned_alloc(size_t align, size_t bytes) {
    return fails() ? NULL : __libc_memalign(align, bytes);
}

int posix_memalign(void **out, size_t align, size_t bytes) {
    *out = fails() ? NULL : __libc_memalign(align, bytes);
    return *out ? 0 : ENOMEM;
}

typedef int main_fn(int argc, char **argv, char **env);
static main_fn *real_main;

static int counted_main(int argc, char **argv, char **env) {
    atomic_store(&in_main, true);
    return real_main(argc, argv, env);
}

/* The C library's own way into main, which a program calls by name. */
typedef int start_fn(main_fn *m, int argc, char **argv, void (*init)(void), void (*fini)(void),
                     void (*loader)(void), void *stack);
EXPORT start_fn __libc_start_main;

int __libc_start_main(main_fn *m, int argc, char **argv, void (*init)(void), void (*fini)(void),
                      void (*loader)(void), void *stack) {
    start_fn *next;
    void *found = dlsym(RTLD_NEXT, "__libc_start_main");
    memcpy(&next, &found, sizeof next);
    real_main = m;
    return next(counted_main, argc, argv, init, fini, loader, stack);
}

__attribute__((constructor)) static void arm(void) {
    char line[4096];
    const char *site_name = getenv("FAIL_ALLOC_SITE"), *path = getenv("FAIL_ALLOC_MARK");
    int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, line, sizeof line - 1) : 0;
    if (fd >= 0) close(fd);
    for (ssize_t i = 0; i < n; i++)
        if (!line[i]) line[i] = ' ';
    line[n > 0 ? n : 0] = '\0';
    if (!site_name || !path || !strstr(line, " --listen ")) return;
    void *frames[1];
    (void)backtrace(frames, 1); /* loads what it needs */
    fail_site = strtoull(site_name, NULL, 16);
    mark = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

static void add_frames(FILE *out, const site *s) {
    for (int i = 0; i < FRAMES && s->frames[i]; i++) {
        struct dl_find_object found;
        if (_dl_find_object(s->frames[i], &found)) continue;
        const char *name = found.dlfo_link_map->l_name, *base = strrchr(name, '/');
        fprintf(out, " %s+0x%zx", name[0] ? base ? base + 1 : name : "inlined",
                (size_t)((char *)s->frames[i] - (char *)found.dlfo_map_start));
    }
}

/* Only when it ends by itself: after a failed allocation there is nothing to list. */
__attribute__((destructor)) static void report(void) {
    if (mark < 0) return;
    inside = true;
    FILE *out = fdopen(mark, "w");
    if (!out) return;
    fprintf(out, "%s\n", atomic_load(&failed) ? "failed" : "none failed");
    for (size_t i = 0; i < SITES; i++) {
        if (!sites[i].hash) continue;
        fprintf(out, "%016llx %llu", (unsigned long long)sites[i].hash,
                (unsigned long long)sites[i].count);
        add_frames(out, &sites[i]);
        fputc('\n', out);
    }
    fclose(out);
}
