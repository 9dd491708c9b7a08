/* SPDX-License-Identifier: Apache-2.0 */
/* Marks of running servers: FOLDER/PID holds "PID START OWNER START BOOT", start times in the
 * kernel's ticks since boot.
 *
 * A process number is not reused while a group of that number exists, so a group whose leader is
 * gone can still be ended by it; a leader with another start time is somebody else.  Thread:
 * loop. */
#include "mcp/orphans.h"

#include <dirent.h>
#include <signal.h>
#include <unistd.h>

#include "engine/base/file.h"
#include "engine/base/log.h"

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

void orphans_mark(const char *folder, int pid) {
    if (!folder) return;
    char path[4200], boot[40];
    boot_id(boot);
    snprintf(path, sizeof path, "%.4096s/%d", folder, pid);
    FILE *f = fopen(path, "we");
    if (!f) return;
    fprintf(f, "%d %llu %ld %llu %s\n", pid, started(pid), (long)getpid(), started(getpid()), boot);
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
    int n = sscanf(text, "%d %llu %ld %llu %39s", &pid, &start, &owner, &owner_start, its_boot);
    if (n != 5 || pid <= 1 || owner <= 1 || strcmp(its_boot, boot) != 0) return true;
    if (started(owner) == owner_start) return false; /* another daemon's, alive */
    unsigned long long now = started(pid);
    if (now && now != start) return true;
    *killed = kill(-pid, SIGKILL) == 0;
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
