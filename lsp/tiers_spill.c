/* SPDX-License-Identifier: Apache-2.0 */
/* Sequences of models that went out of memory.
 *
 *     put away: engine_save, engine_unload        ready again: engine_restore -> the file goes
 *
 * The engine obeys in order, so the file is whole before it is read; when nothing was there to
 * save, there is no file, and restoring fails without anybody's notice.  A file belongs to one load
 * that is to come, and to this process: its name has the process' number.  Thread: loop.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "lsp/tiers_private.h"

#define PREFIX "kv-"
#define MEMORY_SHARE 8 /* of the free main memory, which a folder of the session's may be */

/* "kv-PID-..." of a process that is gone. */
static bool is_left_over(const char *name) {
    int64_t pid;
    if (strncmp(name, PREFIX, sizeof PREFIX - 1)) return false;
    str rest = str_of(name + sizeof PREFIX - 1), number;
    return str_split(&rest, '-', &number) && str_to_i64(number, &pid) && pid > 0 &&
           kill((pid_t)pid, 0) && errno == ESRCH;
}

void tiers_spill_to(tiers *t, const char *folder) {
    xfree(t->spill_folder);
    t->spill_folder = xstrdup(folder);
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        if (is_left_over(entry->d_name)) (void)unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir) closedir(dir);
}

void tiers_forget_spill(model *m) {
    if (m->spilled[0]) (void)unlink(m->spilled);
    m->spilled[0] = '\0';
}

void tiers_spill(tiers *t, model *m) {
    tiers_forget_spill(m);
    if (!t->spill_folder || m->state != MODEL_READY) return;
    if (m->info.memory.kv_bytes > engine_host_memory() / MEMORY_SHARE) return;
    int n = snprintf(m->spilled, sizeof m->spilled, "%s/" PREFIX "%ld-%llu", t->spill_folder,
                     (long)getpid(), (unsigned long long)m->load);
    if (n < 0 || n >= (int)sizeof m->spilled) {
        m->spilled[0] = '\0';
        return;
    }
    engine_save(t->engine, m->slot, m->spilled);
}

void tiers_unspill(tiers *t, model *m) {
    if (!m->spilled[0]) return;
    log_debug("model", "restoring a sequence name=%s", m->name);
    engine_restore(t->engine, m->slot, m->spilled);
}
