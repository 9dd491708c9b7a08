/* SPDX-License-Identifier: Apache-2.0 */
/* One mutex guards the sink, the file and the ring; a line is formatted outside of it.  The sink is
 * called with the mutex held: it must not log. */
#include "engine/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/limits.h"

enum { RING_LINES = 1000, LINE_BYTES = 512, LOG_PATH_BYTES = 4096 };

static struct {
    pthread_mutex_t lock;
    atomic_int level;
    int fd;                    /* -1: stderr */
    char path[LOG_PATH_BYTES]; /* of fd */
    uint64_t bytes;            /* in the file */
    void (*sink)(void *, log_level, const char *);
    void *sink_ud;
    log_level sink_max;
    char (*ring)[LINE_BYTES]; /* allocated with the first line */
    size_t ring_next, ring_count;
    unsigned long lost; /* lines that nobody took off stderr, not yet told */
} g = {.lock = PTHREAD_MUTEX_INITIALIZER, .level = LOG_WARN, .fd = -1};

static const char *const names[] = {"error", "warn", "info", "debug", "trace"};

void log_set_level(log_level level) {
    atomic_store(&g.level, (int)level);
}

bool log_enabled(log_level level) {
    return (int)level <= atomic_load_explicit(&g.level, memory_order_relaxed);
}

bool log_level_parse(const char *name, log_level *out) {
    for (int i = 0; i < (int)COUNTOF(names); i++) {
        if (strcmp(name, names[i]) == 0) {
            *out = (log_level)i;
            return true;
        }
    }
    return false;
}

static int open_log(const char *path, uint64_t *bytes) {
    struct stat st;
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    *bytes = fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
    return fd;
}

/* With the mutex held.  What cannot be moved aside is written on. */
static void rotate(void) {
    char old[LOG_PATH_BYTES + 2];
    struct stat ours, other;
    bool same = !fstat(g.fd, &ours) && !fstat(STDERR_FILENO, &other) &&
                ours.st_dev == other.st_dev && ours.st_ino == other.st_ino;
    uint64_t bytes = 0;
    snprintf(old, sizeof old, "%s.1", g.path);
    int fd = rename(g.path, old) ? -1 : open_log(g.path, &bytes);
    g.bytes = 0; /* a failure is tried again after as much again */
    if (fd < 0) return;
    close(g.fd);
    g.fd = fd;
    g.bytes = bytes;
    if (same) (void)dup2(fd, STDERR_FILENO);
}

status log_set_file(const char *path, err *e) {
    uint64_t bytes;
    int fd = open_log(path, &bytes);
    if (fd < 0) {
        return err_set(e, ERR_IO, "the log file %s cannot be opened: %s; choose another --log-file",
                       path, strerror(errno));
    }
    pthread_mutex_lock(&g.lock);
    if (g.fd >= 0) close(g.fd);
    snprintf(g.path, sizeof g.path, "%s", path);
    g.fd = fd;
    g.bytes = bytes;
    if (g.bytes >= LIMIT_LOG_FILE_BYTES) rotate();
    pthread_mutex_unlock(&g.lock);
    return OK;
}

void log_set_sink(void (*sink)(void *ud, log_level level, const char *line), void *ud,
                  log_level max) {
    pthread_mutex_lock(&g.lock);
    g.sink = sink;
    g.sink_ud = ud;
    g.sink_max = max;
    pthread_mutex_unlock(&g.lock);
}

static int format_head(char *line, size_t size, log_level level, const char *module) {
    struct timespec now;
    struct tm local;
    clock_gettime(CLOCK_REALTIME, &now);
    localtime_r(&now.tv_sec, &local);
    int n = snprintf(line, size, "%02d:%02d:%02d.%03d %-5s %s ", local.tm_hour, local.tm_min,
                     local.tm_sec, (int)(now.tv_nsec / 1000000), names[level], module);
    return n < 0 ? 0 : n;
}

static void keep_in_ring(const char *line) {
    if (!g.ring) g.ring = calloc(RING_LINES, LINE_BYTES); /* not xcalloc: logging works sealed */
    if (!g.ring) return;
    snprintf(g.ring[g.ring_next], LINE_BYTES, "%s", line);
    g.ring_next = (g.ring_next + 1) % RING_LINES;
    if (g.ring_count < RING_LINES) g.ring_count++;
}

/* With the mutex held.  Stderr may be an editor's pipe that nobody reads; it is not ours to make
 * non-blocking, but a pipe that can be written takes PIPE_BUF bytes at once, and a line is less. */
static void write_stderr(const char *line, size_t len) {
    struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};
    char told[80];
    if (poll(&out, 1, 0) == 0) {
        g.lost++;
        return;
    }
    if (g.lost) {
        int n =
            snprintf(told, sizeof told, "%lu log lines were lost: nobody read stderr\n", g.lost);
        g.lost = 0;
        if (write(STDERR_FILENO, told, (size_t)n) < 0 || poll(&out, 1, 0) == 0) return;
    }
    ssize_t written = write(STDERR_FILENO, line, len); /* closed: the ring has it */
    UNUSED(written);
}

void log_write(log_level level, const char *module, const char *fmt, ...) {
    char line[LINE_BYTES];
    int head = format_head(line, sizeof line - 1, level, module);
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(line + head, sizeof line - 1 - (size_t)head, fmt, args);
    va_end(args);
    size_t len = MIN((size_t)head + (size_t)MAX(n, 0), sizeof line - 2);
    line[len] = '\0';
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)line[i] < 0x20) line[i] = ' '; /* one event, one line */
    }

    pthread_mutex_lock(&g.lock);
    keep_in_ring(line);
    if (g.sink && level <= g.sink_max) g.sink(g.sink_ud, level, line);
    if (log_enabled(level)) {
        line[len] = '\n';
        ssize_t written = g.fd >= 0 ? write(g.fd, line, len + 1) : 0;
        if (g.fd < 0) write_stderr(line, len + 1);
        if (written > 0) g.bytes += (uint64_t)written;
        if (g.fd >= 0 && g.bytes >= LIMIT_LOG_FILE_BYTES) rotate(); /* a full disk stops nothing */
    }
    pthread_mutex_unlock(&g.lock);
}

void log_dump_ring(FILE *to) {
    /* Called while dying: a held lock must not hang us, so this reads without it if need be. */
    bool locked = pthread_mutex_trylock(&g.lock) == 0;
    for (size_t i = 0; g.ring && i < g.ring_count; i++) {
        size_t at = (g.ring_next + RING_LINES - g.ring_count + i) % RING_LINES;
        fprintf(to, "%s\n", g.ring[at]);
    }
    if (locked) pthread_mutex_unlock(&g.lock);
}
