/* SPDX-License-Identifier: Apache-2.0 */
/* All texts that one exact refactoring makes of a file, each into a file of its own:
 *
 *     refactor_tool FILE FOLDER      writes FOLDER/0.EXT, 1.EXT, ... and prints "N kind name" each
 */
#include <stdio.h>

#include "engine/base/file.h"
#include "tests/context/refactor_all.h"

typedef struct {
    document *document;
    const char *folder, *end;
    int n;
} writing;

static void on_one(void *ud, all_kind kind, size_t from, size_t to, const refactoring *r) {
    static const char *const kinds[] = {"variable", "function", "inline"};
    writing *w = ud;
    char path[600];
    strbuf text;
    UNUSED(from);
    UNUSED(to);
    strbuf_init(&text, 64u << 20);
    change_apply(document_text(w->document), r->edits, r->n, &text);
    snprintf(path, sizeof path, "%s/%d%s", w->folder, w->n, w->end);
    FILE *f = fopen(path, "w");
    ASSERT(f);
    size_t written = fwrite(text.ptr, 1, text.len, f);
    ASSERT(written == text.len);
    fclose(f);
    printf("%d %s %.*s\n", w->n++, kinds[kind], STR_ARG(r->name));
    strbuf_deinit(&text);
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    strbuf text;
    err e = {{0}};
    strbuf_init(&text, 64u << 20);
    context *c = context_new();
    writing w = {.folder = argv[2], .end = strrchr(argv[1], '.')};
    status s = file_read(argv[1], 64u << 20, &text, &e);
    if (!s)
        s = context_open(c, STR("u"), str_of(argv[1]), STR(""), strbuf_str(&text), 1, &w.document,
                         &e);
    if (s)
        fprintf(stderr, "%s\n", e.text);
    else
        all_refactorings(w.document, 7, on_one, &w);
    strbuf_deinit(&text);
    context_free(c);
    return s ? 1 : 0;
}
