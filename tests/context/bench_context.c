/* SPDX-License-Identifier: Apache-2.0 */
/* How long documents hold up the loop: opening, a keystroke (edit, assemble, finish) near the
 * start, the middle and the end of files of several shapes.  Prints milliseconds; judges nothing.
 *  */
#include <time.h>

#include "context/context.h"
#include "context/context_private.h"
#include "engine/base/clock.h"
#include "engine/base/limits.h"

#define KEYS 200

static double percentile(double *at, size_t n, size_t percent) {
    for (size_t i = 1; i < n; i++) {
        double x = at[i];
        size_t k = i;
        for (; k > 0 && at[k - 1] > x; k--)
            at[k] = at[k - 1];
        at[k] = x;
    }
    return at[(n - 1) * percent / 100];
}

static void type_at(context *c, document *d, size_t offset, const char *where) {
    static const char python[] =
        "def new(a, b):\n    x = foo(a, b)\n    y = [1, 2]\n    return x + y\n\n";
    static const char other[] =
        "int new(int a, int b) {\n    int x = foo(a, b);\n    return x + b;\n}\n\n";
    bool is_python = strcmp(document_language(d), "python") == 0;
    const char *typed = is_python ? python : other;
    size_t n = is_python ? sizeof python - 1 : sizeof other - 1;
    double edit[KEYS], assemble[KEYS], finish[KEYS];
    arena a;
    arena_init(&a);
    for (size_t i = 0; i < KEYS; i++) {
        context_prompt p;
        context_suggestion s;
        context_answer answer = {.raw = STR("a, b)\n"), .complete = true};
        double start = clock_ms();
        if (document_edit(d, offset, offset, (str){typed + i % n, 1}, NULL) != OK) exit(1);
        edit[i] = clock_ms() - start;
        offset++;
        start = clock_ms();
        context_assemble(c, d, &(context_request){.offset = offset, .invoked = true}, &a, &p);
        assemble[i] = clock_ms() - start;
        start = clock_ms();
        if (!p.skip) context_finish(c, d, &p, &answer, &a, &s);
        finish[i] = clock_ms() - start;
        arena_clear(&a);
    }
    printf(
        "  %-7s edit p50 %.3f p99 %.3f   assemble p50 %.3f p99 %.3f   finish p50 %.3f p99 %.3f\n",
        where, percentile(edit, KEYS, 50), percentile(edit, KEYS, 99),
        percentile(assemble, KEYS, 50), percentile(assemble, KEYS, 99),
        percentile(finish, KEYS, 50), percentile(finish, KEYS, 99));
    arena_deinit(&a);
}

static void measure(const char *name, const char *path, str text) {
    context *c = context_new();
    document *d;
    double start = clock_ms();
    if (context_open(c, STR("u"), str_of(path), STR(""), text, 1, &d, NULL) != OK) exit(1);
    printf("%s: %zu bytes, %zu lines, open %.1f ms", name, text.len, document_line_count(d),
           clock_ms() - start);
    int slices = 1;
    start = clock_ms();
    while (document_has_syntax(d) && !context_parse(d, LIMIT_PARSE_SLICE_US))
        slices++;
    printf(", %d more slices %.1f ms\n", slices - 1, clock_ms() - start);
    size_t line = document_line_count(d) / 2;
    for (size_t i = 0; i < 100 && document_line(d, line).len > 0; i++)
        line++;
    size_t middle = document_line_start(d, line);
    type_at(c, d, 0, "start");
    type_at(c, d, middle, "middle");
    type_at(c, d, document_text(d).len, "end");
    context_free(c);
}

/* Processor time: other programs on the machine must not look like our cost. */
static uint64_t cpu_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

int main(void) {
    strbuf text;
    clock_set_source(cpu_us);
    strbuf_init(&text, LIMIT_DOCUMENT_BYTES);
    for (int i = 0; i < 300; i++)
        strbuf_addf(&text, "def f%d(a, b):\n    return a + b\n\n", i);
    measure("900 lines of Python", "a.py", strbuf_str(&text));
    while (text.len + 100 < LIMIT_PARSE_BYTES)
        strbuf_addf(&text, "def f%zu(a, b):\n    x = [a, b]\n    return x\n\n", text.len);
    measure("2 MiB of Python", "a.py", strbuf_str(&text));
    for (int i = 0; i < 60000; i++)
        strbuf_addf(&text, "    value_%d = %d\n", i, i);
    measure("more lines than are parsed", "a.py", strbuf_str(&text));
    strbuf_clear(&text);
    for (int i = 0; i < 20000; i++)
        strbuf_addf(&text, "int f%d(int a) {\n    return a + %d;\n}\n\n", i, i);
    measure("80,000 lines of C", "a.c", strbuf_str(&text));
    strbuf_clear(&text);
    while (text.len < 5u << 20)
        strbuf_add_str(&text, STR("var a=1,b=[2,3];"));
    measure("one line of 5 MiB", "a.js", strbuf_str(&text));
    strbuf_clear(&text);
    while (text.len + 8 < LIMIT_DOCUMENT_BYTES)
        strbuf_add_str(&text, STR("\r\r\n\n"));
    measure("64 MiB of line ends", "a.txt", str_sub(strbuf_str(&text), 0, text.len - 1024));
    strbuf_deinit(&text);
    return 0;
}
