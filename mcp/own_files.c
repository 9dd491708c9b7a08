/* SPDX-License-Identifier: Apache-2.0 */
/* The tools for files: reading, listing, searching, below the workspace only.  On a thread of
 * libuv's: nothing here touches the loop's things. */
#include <fcntl.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "mcp/beneath.h"
#include "mcp/jose.h"
#include "mcp/output.h"
#include "mcp/own_private.h"

#define GET(object, name) cJSON_GetObjectItemCaseSensitive(object, name)
#define SEARCH_MS 5000.0
#define FOUND_MAX 200
#define OUTPUT_PART 16384 /* of an answer that was cut, at once */

static const char *text_or(const cJSON *arguments, const char *name, const char *otherwise) {
    const cJSON *m = GET(arguments, name);
    return cJSON_IsString(m) ? m->valuestring : otherwise;
}

static int64_t number_or(const cJSON *arguments, const char *name, int64_t otherwise) {
    const cJSON *m = GET(arguments, name);
    return cJSON_IsNumber(m) ? (int64_t)m->valuedouble : otherwise;
}

static status open_place(const own_place *at, beneath *b, err *e) {
    *b = (beneath){.hides = at->privacy.hides, .ud = at->privacy.ud};
    return beneath_open(b, at->workspace, e);
}

static bool finish(status s, const err *e, strbuf *out) {
    if (s) strbuf_addf(out, "%s", e->text);
    return s == OK;
}

/* Lines [first, first + n) of the text. */
static void take_lines(str text, int64_t first, int64_t n, strbuf *out) {
    str line;
    if (text.len && text.ptr[text.len - 1] == '\n') text.len--;
    for (int64_t number = 1; number < first + n && str_split(&text, '\n', &line); number++) {
        if (number < first) continue;
        output_clean(out, line);
        strbuf_add_char(out, '\n');
    }
}

static bool read_file(const own_place *at, const cJSON *arguments, strbuf *out) {
    beneath b;
    strbuf text;
    uint64_t all = 0;
    err e = {{0}};
    const char *path = text_or(arguments, "path", "");
    strbuf_init(&text, LIMIT_OWN_READ_BYTES + 1);
    status s = open_place(at, &b, &e);
    if (!s) s = beneath_read(&b, path, 0, LIMIT_OWN_READ_BYTES, &text, &all, &e);
    if (!s && text.ptr && memchr(text.ptr, 0, text.len))
        s = err_set(&e, ERR_USAGE, "%.200s is not a text", path);
    if (!s)
        take_lines(strbuf_str(&text), number_or(arguments, "first_line", 1),
                   number_or(arguments, "lines", 2000), out);
    if (!s && all > LIMIT_OWN_READ_BYTES)
        strbuf_addf(out, "(the first %u of %llu bytes were read)\n", LIMIT_OWN_READ_BYTES,
                    (unsigned long long)all);
    beneath_close(&b);
    strbuf_deinit(&text);
    return finish(s, &e, out);
}

static bool list_directory(const own_place *at, const cJSON *arguments, strbuf *out) {
    beneath b;
    err e = {{0}};
    status s = open_place(at, &b, &e);
    if (!s) s = beneath_list(&b, text_or(arguments, "path", "."), out, &e);
    beneath_close(&b);
    return finish(s, &e, out);
}

static bool search_files(const own_place *at, const cJSON *arguments, strbuf *out) {
    beneath b;
    err e = {{0}};
    const beneath_search search = {.text = text_or(arguments, "text", ""),
                                   .files = text_or(arguments, "files", NULL),
                                   .ignore_case = cJSON_IsTrue(GET(arguments, "ignore_case")),
                                   .lines_max = FOUND_MAX,
                                   .until_ms = clock_ms() + SEARCH_MS};
    status s = open_place(at, &b, &e);
    if (!s) s = beneath_find(&b, text_or(arguments, "path", "."), &search, out, &e);
    beneath_close(&b);
    return finish(s, &e, out);
}

status own_read_file(const own_place *at, const char *path, strbuf *out, bool *binary, err *e) {
    beneath b;
    strbuf bytes;
    uint64_t all = 0;
    strbuf_init(&bytes, LIMIT_OWN_READ_BYTES + 1);
    status s = open_place(at, &b, e);
    if (!s) s = beneath_read(&b, path, 0, LIMIT_OWN_READ_BYTES, &bytes, &all, e);
    if (!s && all > LIMIT_OWN_READ_BYTES)
        s = err_set(e, ERR_LIMIT, "%.200s has more than %u bytes", path, LIMIT_OWN_READ_BYTES);
    *binary = bytes.ptr && memchr(bytes.ptr, 0, bytes.len);
    if (!s && *binary)
        jose_base64(out, strbuf_str(&bytes));
    else if (!s)
        output_clean(out, strbuf_str(&bytes));
    beneath_close(&b);
    strbuf_deinit(&bytes);
    return s;
}

bool own_read_output(const char *path, const cJSON *arguments, strbuf *out) {
    char part[OUTPUT_PART];
    int64_t from = number_or(arguments, "offset", 0);
    size_t most = (size_t)number_or(arguments, "length", sizeof part);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n = fd < 0 ? -1 : pread(fd, part, MIN(most, sizeof part), (off_t)from);
    off_t all = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
    if (fd >= 0) close(fd);
    if (n < 0) {
        strbuf_addf(out, "the output cannot be read any more");
        return false;
    }
    output_clean(out, (str){part, (size_t)n});
    strbuf_addf(out, "\n[bytes %lld to %lld of %lld]\n", (long long)from, (long long)(from + n),
                (long long)all);
    return true;
}

own_run own_files(const char *name) {
    if (!strcmp(name, "read_file")) return read_file;
    if (!strcmp(name, "list_directory")) return list_directory;
    return strcmp(name, "search_files") ? NULL : search_files;
}
