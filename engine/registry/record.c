/* SPDX-License-Identifier: Apache-2.0 */
/* Records:
 *
 *     # 4683073536 bytes, from Owner/Name-GGUF at 1f2e3d...
 *     0123...ef  file.gguf
 *
 * Written whole and renamed, before the model file itself is: a record without its file is
 * harmless, a file without its record would not be known. */
#include "engine/registry/record.h"

#include <unistd.h>

#include "engine/base/file.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "engine/registry/folder.h"

#define RECORD_BYTES 2048

static char *record_path(const char *folder, const char *file) {
    char name[LIMIT_REGISTRY_NAME_BYTES + 16];
    snprintf(name, sizeof name, "%s.sha256", file);
    return folder_join(folder, name);
}

status record_write(const char *folder, const char *file, const model_facts *facts,
                    const char *from, err *e) {
    char name[LIMIT_REGISTRY_NAME_BYTES + 16], text[RECORD_BYTES];
    snprintf(name, sizeof name, "%s.sha256", file);
    snprintf(text, sizeof text, "# %llu bytes, from %.900s\n%s  %s\n",
             (unsigned long long)facts->bytes, from, facts->sha256, file);
    return folder_write(folder, name, str_of(text), e);
}

bool record_parse(str text, const char *file, model_facts *out) {
    str first, second;
    if (!str_split(&text, '\n', &first) || !str_split(&text, '\n', &second)) return false;
    ptrdiff_t end = str_find(first, STR(" bytes"));
    int64_t bytes;
    if (!str_starts_with(first, STR("# ")) || end < 2 ||
        !str_to_i64(str_sub(first, 2, (size_t)end), &bytes) || bytes < 1)
        return false;
    if (second.len < 67 || !str_eq(str_sub(second, 64, 66), STR("  ")) ||
        !str_eq(str_sub(second, 66, second.len), str_of(file)))
        return false;
    *out = (model_facts){.bytes = (uint64_t)bytes};
    memcpy(out->sha256, second.ptr, 64);
    return strspn(out->sha256, "0123456789abcdef") == 64;
}

bool record_read(const char *folder, const char *file, model_facts *out) {
    char *path = record_path(folder, file);
    strbuf text;
    strbuf_init(&text, RECORD_BYTES);
    err ignored;
    bool known = file_read(path, RECORD_BYTES, &text, &ignored) == OK &&
                 record_parse(strbuf_str(&text), file, out);
    strbuf_deinit(&text);
    xfree(path);
    return known;
}

void record_remove(const char *folder, const char *file) {
    char *path = record_path(folder, file);
    unlink(path);
    xfree(path);
}
