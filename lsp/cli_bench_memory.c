/* SPDX-License-Identifier: Apache-2.0 */
/* How fast this machine reads memory, and how much of it the process took.  Decoding reads every
 * weight once per token, so this is what its speed is measured by.  Thread: main, with helpers of
 * its own. */
#include <pthread.h>
#include <sys/mman.h>

#include "engine/base/clock.h"
#include "engine/base/file.h"
#include "engine/base/limits.h"
#include "lsp/cli_bench.h"

#define PASSES 20 /* the best: neighbours take some of most */

typedef struct {
    const uint64_t *words;
    size_t count;
    uint64_t sum;
} part;

/* Four places at once, as products read several rows: from one place a core waits for its
 * prefetcher and reads half as much. */
static void *read_part(void *arg) {
    enum { PLACES = 4, WORDS = 8 };
    part *p = arg;
    uint64_t sum[PLACES][WORDS] = {{0}};
    size_t each = p->count / (PLACES * WORDS) * WORDS;
    for (size_t i = 0; i < each; i += WORDS) {
        for (size_t at = 0; at < PLACES; at++)
            for (size_t k = 0; k < WORDS; k++)
                sum[at][k] += p->words[at * each + i + k];
    }
    for (size_t at = 0; at < PLACES; at++)
        for (size_t k = 0; k < WORDS; k++)
            p->sum += sum[at][k];
    return NULL;
}

/* Seconds until all parts are read; those whose thread does not start are read here. */
static double read_all(part *parts, int n) {
    pthread_t threads[LIMIT_THREADS];
    bool started[LIMIT_THREADS] = {false};
    double start = clock_ms();
    for (int i = 1; i < n; i++)
        started[i] = pthread_create(&threads[i], NULL, read_part, &parts[i]) == 0;
    read_part(&parts[0]);
    for (int i = 1; i < n; i++) {
        if (started[i])
            pthread_join(threads[i], NULL);
        else
            read_part(&parts[i]);
    }
    return (clock_ms() - start) / 1000;
}

double bench_bandwidth(int threads, size_t bytes) {
    part parts[LIMIT_THREADS];
    threads = MAX(1, MIN(threads, LIMIT_THREADS));
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return 0;
#ifdef MADV_HUGEPAGE
    madvise(memory, bytes, MADV_HUGEPAGE); /* as the weights lie; no harm when refused */
#endif
    memset(memory, 1, bytes); /* pages of zeros that nobody wrote are all the same page */
    size_t each = bytes / sizeof(uint64_t) / (size_t)threads;
    double best = 0;
    for (int pass = 0; pass < PASSES; pass++) {
        for (int i = 0; i < threads; i++)
            parts[i] = (part){(const uint64_t *)memory + (size_t)i * each, each, 0};
        double seconds = read_all(parts, threads);
        if (seconds > 0) best = MAX(best, (double)bytes / seconds);
    }
    volatile uint64_t kept = parts[0].sum; /* or the reading could be left out */
    UNUSED(kept);
    munmap(memory, bytes);
    return best;
}

double bench_peak_memory(void) {
    strbuf text;
    err ignored;
    double kib = 0;
    strbuf_init(&text, 1u << 16);
    if (file_read("/proc/self/status", 1u << 16, &text, &ignored) == OK) {
        str rest = strbuf_str(&text), line;
        while (str_split(&rest, '\n', &line)) {
            if (!str_starts_with(line, STR("VmHWM:"))) continue;
            line = str_trim(str_sub(line, 6, line.len)); /* "12345 kB" */
            ptrdiff_t space = str_find(line, STR(" "));
            if (space < 0 || !str_to_f64(str_sub(line, 0, (size_t)space), &kib)) kib = 0;
        }
    }
    strbuf_deinit(&text);
    return kib * 1024;
}
