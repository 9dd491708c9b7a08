/* SPDX-License-Identifier: Apache-2.0 */
/* How long the symbol index takes for a large workspace, and what the loop feels of it.
 *
 *     bench_index [FILES] [FOLDER]      10,000 generated files; FOLDER is used as it is, and kept
 *
 * While the index works, this thread does what the loop does: it asks for twenty names every
 * millisecond, and the longest time that one such round took is reported, with and without the
 * index at work.  Then the index starts a second time, from its SQLite file.
 */
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "context/symbols.h"
#include "engine/base/clock.h"

#define NAMES 20
#define PER_FOLDER 50

static void write_file(const char *folder, int n) {
    static const char *const ends[] = {"py", "c", "ts", "go", "java"};
    char path[512];
    int kind = n % 5;
    snprintf(path, sizeof path, "%s/d%d", folder, n / PER_FOLDER);
    (void)mkdir(path, 0755);
    snprintf(path, sizeof path, "%s/d%d/f%d.%s", folder, n / PER_FOLDER, n, ends[kind]);
    FILE *f = fopen(path, "w");
    if (!f) abort();
    if (kind == 3) fputs("package d\n", f);
    if (kind == 4) fprintf(f, "class F%d {\n", n);
    for (int i = 0; i < 40; i++) {
        static const char *const forms[] = {
            "def name_%d_%d(first, second=None):\n    value = first * 2\n    if second:\n"
            "        value += second\n    return [value for _ in range(3)]\n\n",
            "static int name_%d_%d(int first, const char *second) {\n    int value = first;\n"
            "    for (int i = 0; i < 3; i++)\n        value += second[i];\n    return value;\n"
            "}\n\n",
            "export function name_%d_%d(first: number, second?: string): number {\n"
            "  const value = first * 2;\n  return second ? value + second.length : value;\n}\n\n",
            "func name_%d_%d(first int, second string) (int, error) {\n\tvalue := first * 2\n"
            "\tfor _, c := range second {\n\t\tvalue += int(c)\n\t}\n\treturn value, nil\n}\n\n",
            "  int name_%d_%d(int first, String second) {\n    int value = first * 2;\n"
            "    for (char c : second.toCharArray()) value += c;\n    return value;\n  }\n\n"};
        fprintf(f, "%s %d\n", kind == 0 ? "#" : "//", i);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        fprintf(f, forms[kind], n, i);
#pragma GCC diagnostic pop
    }
    if (kind == 4) fputs("}\n", f);
    fclose(f);
}

/* What one key asks of the index; milliseconds. */
static double ask(symbols *x, str root, unsigned *seed) {
    arena a;
    arena_init(&a);
    double before = clock_ms();
    for (int i = 0; i < NAMES; i++) {
        char name[64];
        symbol out[8];
        *seed = *seed * 1664525u + 1013904223u;
        snprintf(name, sizeof name, "name_%u_%u", *seed % 10000u, (*seed >> 16) % 40u);
        (void)symbols_find(x, 1, &root, 1, str_of(name), &a, out, COUNTOF(out));
    }
    double ms = clock_ms() - before;
    arena_deinit(&a);
    return ms;
}

static void measure(const char *what, const char *folder, const char *cache) {
    symbols *x = symbols_start(cache);
    str root = str_of(folder);
    symbols_view v = {.client = 1, .roots = &root, .n = 1, .respect_gitignore = true};
    double start = clock_ms(), worst = 0;
    unsigned seed = 1, rounds = 0;
    symbols_stats s = {0};
    symbols_set_view(x, &v);
    do {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        worst = MAX(worst, ask(x, root, &seed));
        rounds++;
        symbols_get_stats(x, &s);
    } while (s.busy || s.scans == 0);
    double seconds = (clock_ms() - start) / 1000.0, quiet = 0;
    for (int i = 0; i < 1000; i++)
        quiet = MAX(quiet, ask(x, root, &seed));
    symbols_get_stats(x, &s);
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    printf("%-12s %6zu files %7zu symbols %7.2f s   %d names: worst %.2f ms of %u rounds while it "
           "works, %.2f ms idle   longest lock %.2f ms   %ld MB\n",
           what, s.files, s.symbols, seconds, NAMES, worst, rounds, quiet, s.lock_ms,
           use.ru_maxrss / 1024);
    symbols_stop(x);
}

int main(int argc, char **argv) {
    int files = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 10000;
    char folder[256] = "/tmp/inlined_bench_index_XXXXXX", cache[300], command[320];
    if (argc > 2)
        snprintf(folder, sizeof folder, "%s", argv[2]);
    else if (!mkdtemp(folder))
        return 1;
    snprintf(cache, sizeof cache, "%s.cache", folder);
    for (int i = 0; i < files && argc <= 2; i++)
        write_file(folder, i);
    measure("from nothing", folder, cache);
    measure("second start", folder, cache);
    snprintf(command, sizeof command, "rm -rf %s %s", argc > 2 ? "" : folder, cache);
    return system(command);
}
