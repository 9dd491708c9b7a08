/* SPDX-License-Identifier: Apache-2.0 */
/* Marks of running servers: FOLDER/PID holds "PID START OWNER START BOOT TAG", start times in the
 * kernel's ticks since boot.
 *
 * A process number is not reused while a group of that number exists, so a group whose leader is
 * gone can still be ended by it; a leader with another start time is somebody else.  Thread:
 * loop. */
#include "mcp/orphans.h"

#include <dirent.h>
#include <signal.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/file.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"

/* When the process started; 0: there is none. */
static unsigned long long started(long pid) {
    char path[64];
    strbuf stat;
    err e;
    unsigned long long ticks = 0;
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    strbuf_init(&stat, 4096);
    if (file_read(path, 4000, &stat, &e) == OK) {
        ptrdiff_t end = str_rfind_char(strbuf_str(&stat), ')'); /* the name may hold anything */
        str rest = end < 0 ? (str){0} : str_sub(strbuf_str(&stat), (size_t)end + 2, stat.len), word;
        int64_t value = 0;
        for (int field = 3; field <= 22 && str_split(&rest, ' ', &word); field++)
            if (field == 22 && str_to_i64(word, &value)) ticks = (unsigned long long)value;
    }
    strbuf_deinit(&stat);
    return ticks;
}

static void boot_id(char out[static 40]) {
    strbuf text;
    err e;
    strbuf_init(&text, 100);
    bool read = file_read("/proc/sys/kernel/random/boot_id", 99, &text, &e) == OK;
    snprintf(out, 40, "%.*s", read ? (int)MIN(str_trim(strbuf_str(&text)).len, 39) : 1,
             read ? text.ptr : "-");
    strbuf_deinit(&text);
}

/* ---- tags ------------------------------------------------------------------------------------ */

#define ENVIRON_MAX (64u << 10) /* the tag is the first variable, unless a shell has sorted them */
#define ROUNDS_MAX 4            /* one that is starting another may be seen before it */

void orphans_tag_make(orphans_tag out) {
    /* No process starts two children within a microsecond. */
    snprintf(out, sizeof(orphans_tag), "%ld-%llu-%llx", (long)getpid(), started(getpid()),
             (unsigned long long)clock_us());
}

/* Whether the process has `line` in the environment that it was started with. */
static bool has_tag(const char *pid, str line, char *room) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%.20s/environ", pid);
    FILE *f = fopen(path, "re");
    if (!f) return false;
    size_t n = fread(room, 1, ENVIRON_MAX, f);
    fclose(f);
    return str_find((str){room, n}, line) >= 0;
}

int orphans_end(const char *tag) {
    DIR *dir = opendir("/proc");
    if (!dir) return 0;
    char line[100], *room = xmalloc(ENVIRON_MAX);
    int len = snprintf(line, sizeof line, ORPHANS_VARIABLE "=%.60s", tag) + 1; /* with its NUL */
    int killed = 0;
    for (int round = 0, found = 1; found && round < ROUNDS_MAX; round++) {
        const struct dirent *entry;
        found = 0;
        rewinddir(dir);
        while ((entry = readdir(dir))) {
            int64_t pid;
            if (!str_to_i64(str_of(entry->d_name), &pid) || pid <= 1 || pid == getpid()) continue;
            if (has_tag(entry->d_name, (str){line, (size_t)len}, room))
                found += kill((pid_t)pid, SIGKILL) == 0;
        }
        killed = MAX(killed, found);
    }
    xfree(room);
    closedir(dir);
    return killed;
}

/* ---- marks ----------------------------------------------------------------------------------- */

void orphans_mark(const char *folder, int pid, const char *tag) {
    if (!folder) return;
    char path[4200], boot[40];
    boot_id(boot);
    snprintf(path, sizeof path, "%.4096s/%d", folder, pid);
    FILE *f = fopen(path, "we");
    if (!f) return;
    fprintf(f, "%d %llu %ld %llu %s %s\n", pid, started(pid), (long)getpid(), started(getpid()),
            boot, tag);
    fclose(f);
}

void orphans_unmark(const char *folder, int pid) {
    if (!folder) return;
    char path[4200];
    snprintf(path, sizeof path, "%.4096s/%d", folder, pid);
    unlink(path);
}

/* Whether the mark can go; *killed says that its process was ended. */
static bool sweep_one(const char *text, const char *boot, bool *killed) {
    int pid;
    long owner;
    unsigned long long start, owner_start;
    char its_boot[40] = "";
    orphans_tag tag = "";
    int n = sscanf(text, "%d %llu %ld %llu %39s %63s", &pid, &start, &owner, &owner_start, its_boot,
                   tag);
    if (n < 5 || pid <= 1 || owner <= 1 || strcmp(its_boot, boot) != 0) return true;
    if (started(owner) == owner_start) return false; /* another daemon's, alive */
    unsigned long long now = started(pid);
    if (!now || now == start) *killed = kill(-pid, SIGKILL) == 0;
    if (n == 6 && orphans_end(tag)) *killed = true;
    return true;
}

int orphans_sweep(const char *folder) {
    DIR *dir = folder ? opendir(folder) : NULL;
    if (!dir) return 0;
    int killed = 0;
    char boot[40];
    boot_id(boot);
    const struct dirent *entry;
    while ((entry = readdir(dir))) {
        if (entry->d_name[0] < '0' || entry->d_name[0] > '9') continue;
        char path[4400];
        strbuf text;
        err e;
        bool one = false;
        snprintf(path, sizeof path, "%.4096s/%.255s", folder, entry->d_name);
        strbuf_init(&text, 300);
        bool done = file_read(path, 256, &text, &e) != OK ||
                    sweep_one(text.ptr ? text.ptr : "", boot, &one);
        if (done) unlink(path);
        killed += one;
        strbuf_deinit(&text);
    }
    closedir(dir);
    if (killed) log_warn("mcp", "ended servers that an earlier run left behind n=%d", killed);
    return killed;
}
