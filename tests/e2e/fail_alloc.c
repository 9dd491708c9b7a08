/* SPDX-License-Identifier: Apache-2.0 */
/* A library that is loaded before the C library (LD_PRELOAD): in the first daemon (--listen) that
 * it meets, allocation number FAIL_ALLOC_AT has no memory, whoever asks for it; all others have.
 * FAIL_ALLOC_MARK is the file that the first daemon makes, and where it writes how many allocations
 * there were when it ends.  What the constructors of other libraries (CUDA's) ask for before main()
 * is theirs, and does not count.  For glibc.  Thread: any. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
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

static atomic_uint_fast64_t count;
static uint64_t fail_at; /* 0: not armed, or only counted */
static int mark = -1;
static atomic_bool in_main;

static int fails(void) {
    if (mark < 0 || !atomic_load(&in_main) || atomic_fetch_add(&count, 1) + 1 != fail_at) return 0;
    errno = ENOMEM;
    return 1;
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
    const char *at = getenv("FAIL_ALLOC_AT"), *path = getenv("FAIL_ALLOC_MARK");
    int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, line, sizeof line - 1) : 0;
    if (fd >= 0) close(fd);
    for (ssize_t i = 0; i < n; i++)
        if (!line[i]) line[i] = ' ';
    line[n > 0 ? n : 0] = '\0';
    if (!at || !path || !strstr(line, " --listen ")) return;
    fail_at = strtoull(at, NULL, 10);
    mark = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

__attribute__((destructor)) static void report(void) {
    char line[32];
    int n = snprintf(line, sizeof line, "%llu\n", (unsigned long long)atomic_load(&count));
    if (mark >= 0) (void)!write(mark, line, (size_t)n);
}
