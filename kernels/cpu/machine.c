/* SPDX-License-Identifier: Apache-2.0 */
/* Asks processor and OS what may be used: instruction sets (a CPU flag is not permission: the OS
 * must save the registers too), cores (not hardware threads: two on one core share the
 * multipliers), and the CPU quota of the cgroup.  Thread: engine.
 */
#define _GNU_SOURCE /* sched_getaffinity */
#include "kernels/cpu/machine.h"

#include <sched.h>
#include <unistd.h>
#if defined(__x86_64__)
# include <cpuid.h>
# ifdef __linux__
#  include <sys/syscall.h>
# endif
#elif defined(__aarch64__) && defined(__linux__)
# include <asm/hwcap.h>
# include <sys/auxv.h>
#endif

#include "engine/base/limits.h"

/* From asm/prctl.h, which is younger than some systems' headers. */
#define ARCH_REQ_XCOMP_PERM 0x1023
#define XFEATURE_TILE_DATA 18

/* ---- cores ----------------------------------------------------------------------------------- */

static bool read_line(const char *path, char *line, size_t size) {
    FILE *f = fopen(path, "r");
    if (!f) return false;
    bool ok = fgets(line, (int)size, f) != NULL;
    fclose(f);
    return ok;
}

/* The first hardware thread of the core that `cpu` is a thread of. */
static int first_sibling(int cpu) {
    char path[96], line[128];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
    if (!read_line(path, line, sizeof line)) return cpu;
    return (int)strtol(line, NULL, 10);
}

static int allowed_cores(void) {
#if defined(__linux__)
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) == 0) {
        int cores = 0;
        for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
            if (!CPU_ISSET(cpu, &set)) continue;
            int first = first_sibling(cpu);
            bool counted =
                first != cpu && first >= 0 && first < CPU_SETSIZE && CPU_ISSET(first, &set);
            if (!counted) cores++;
        }
        return cores;
    }
#endif
    return (int)sysconf(_SC_NPROCESSORS_ONLN);
}

/* The quota in whole cores, rounded down; a large number when there is none. */
static int quota_cores(void) {
    char line[128];
    if (read_line("/sys/fs/cgroup/cpu.max", line,
                  sizeof line)) { /* "max 100000" or "150000 100000" */
        char *end;
        long quota = strtol(line, &end, 10), period = strtol(end, NULL, 10);
        if (end != line && quota > 0 && period > 0) return (int)MAX(quota / period, 1);
        return LIMIT_THREADS;
    }
    if (!read_line("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", line, sizeof line)) return LIMIT_THREADS;
    long quota = strtol(line, NULL, 10);
    if (quota <= 0 || !read_line("/sys/fs/cgroup/cpu/cpu.cfs_period_us", line, sizeof line))
        return LIMIT_THREADS;
    long period = strtol(line, NULL, 10);
    return period > 0 ? (int)MAX(quota / period, 1) : LIMIT_THREADS;
}

int machine_cores(void) {
    int cores = MIN(allowed_cores(), quota_cores());
    return MAX(1, MIN(cores, LIMIT_THREADS));
}

/* ---- instruction sets ------------------------------------------------------------------------ */

/* The builtin asks CPUID and XGETBV: it says yes only where the OS saves the registers.  It is not
 * asked for F16C, whose name clang 14 does not know: every processor with AVX2 has it. */
static bool has_avx2(void) {
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
    return false;
#endif
}

/* Leaf 7.1, EAX bit 4; not every compiler's builtin knows the name. */
static bool has_avxvnni(void) {
#if defined(__x86_64__)
    unsigned a = 0, b = 0, c = 0, d = 0;
    return has_avx2() && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 4 & 1);
#else
    return false;
#endif
}

static bool has_avx512(void) {
#if defined(__x86_64__)
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vnni");
#else
    return false;
#endif
}

/* Leaf 7, EDX bits 24 (tiles) and 25 (bytes).  Linux hands the tiles' 8 KB of state out on request:
 * without its yes, the first tile instruction would be a SIGILL. */
static bool has_amx(void) {
#if defined(__x86_64__) && defined(__linux__)
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (!has_avx512() || !__get_cpuid_count(7, 0, &a, &b, &c, &d) || (d >> 24 & 3) != 3)
        return false;
    return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_TILE_DATA) == 0;
#else
    return false;
#endif
}

/* Linux says in the auxiliary vector what processor and kernel both know. */
static bool has_dotprod(void) {
#if defined(__aarch64__) && defined(__linux__)
    return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
#else
    return false;
#endif
}

status machine_isa(const cpu_isa **out, err *e) {
    const struct {
        const char *name;
        const cpu_isa *isa; /* NULL: not here */
    } choices[] = {
        /* best first */
        {"amx", has_amx() ? cpu_isa_amx() : NULL},
        {"avx512", has_avx512() ? cpu_isa_avx512() : NULL},
        {"avxvnni", has_avxvnni() ? cpu_isa_avxvnni() : NULL},
        {"avx2", has_avx2() ? cpu_isa_avx2() : NULL},
        {"neondot", has_dotprod() ? cpu_isa_neondot() : NULL},
        {"neon", cpu_isa_neon()},
        {"scalar", cpu_isa_portable()},
    };
    const char *want = getenv("INLINED_CPU");
    bool any = !want || !*want;
    for (size_t i = 0; i < COUNTOF(choices); i++) {
        if (!any && strcmp(want, choices[i].name) != 0) continue;
        *out = choices[i].isa;
        if (*out) return OK;
        if (!any)
            return err_set(e, ERR_UNSUPPORTED,
                           "INLINED_CPU=%s: this processor or its OS does not allow it; unset it",
                           want);
    }
    return err_set(e, ERR_USAGE,
                   "INLINED_CPU=%s: it must be amx, avx512, avxvnni, avx2, neondot, neon or scalar",
                   want);
}
