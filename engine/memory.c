/* SPDX-License-Identifier: Apache-2.0 */
/* Free memory as the kernel tells it: MemAvailable of /proc/meminfo, and the limit of the control
 * group (containers), less what is used but not reclaimable.  What cannot be read does not count.
 */
#include "engine/memory.h"

#include "engine/base/str.h"

/* The number behind `key` in the first 4 KB of a small file; false when it is not there. */
static bool read_number(const char *path, const char *key, uint64_t *out) {
    FILE *f = fopen(path, "re");
    if (!f) return false;
    char bytes[4096];
    size_t n = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    str text = {bytes, n}, line;
    while (str_split(&text, '\n', &line)) {
        if (!str_starts_with(line, str_of(key))) continue;
        str rest = str_trim(str_sub(line, strlen(key), line.len));
        size_t digits = 0;
        while (digits < rest.len && rest.ptr[digits] >= '0' && rest.ptr[digits] <= '9')
            digits++;
        int64_t v;
        if (!str_to_i64(str_sub(rest, 0, digits), &v) || v < 0) return false;
        *out = (uint64_t)v;
        return true;
    }
    return false;
}

uint64_t memory_available(void) {
    uint64_t available = UINT64_MAX, kb, limit, used = 0, cache = 0;
    if (read_number("/proc/meminfo", "MemAvailable:", &kb)) available = kb * 1024;
    bool group = read_number("/sys/fs/cgroup/memory.max", "", &limit) &&
                 read_number("/sys/fs/cgroup/memory.current", "", &used);
    if (!group) return available;
    read_number("/sys/fs/cgroup/memory.stat", "inactive_file ", &cache);
    used = used > cache ? used - cache : 0;
    return MIN(available, limit > used ? limit - used : 0);
}
