/* SPDX-License-Identifier: Apache-2.0 */
/* Cleaning, cutting and spilling of what servers say.
 *
 * Cleaning and cutting are pure.  A spill owns its folder's files: each write may delete the oldest
 * ones, spill_free deletes all.  Writing blocks for the time of one write to a local disk, and only
 * for outputs that were too large to be shown.  Thread: loop. */
#include "mcp/output.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/utf8.h"
#include "engine/base/vec.h"
#include "mcp/mcp.h"

/* ---- cleaning -------------------------------------------------------------------------------- */

static bool is_invisible(uint32_t cp) {
    return (cp < 0x20 && cp != '\n' && cp != '\t') || (cp >= 0x7F && cp < 0xA0) || cp == 0xAD ||
           cp == 0x61C || (cp >= 0x200B && cp <= 0x200F) || (cp >= 0x202A && cp <= 0x202E) ||
           (cp >= 0x2060 && cp <= 0x2069) || cp == 0xFEFF || (cp >= 0xE0000 && cp <= 0xE0FFF);
}

/* Bytes of the terminal escape sequence at the start of `s` (which is ESC): CSI, OSC and the like,
 * or two bytes. */
static size_t escape_bytes(str s) {
    if (s.len < 2) return s.len;
    size_t at = 2;
    if (s.ptr[1] == '[') {
        while (at < s.len && !(s.ptr[at] >= 0x40 && s.ptr[at] <= 0x7E) && s.ptr[at] != '\n')
            at++;
        return at < s.len && s.ptr[at] != '\n' ? at + 1 : at;
    }
    if (!strchr("]PX^_", s.ptr[1])) return s.ptr[1] == '\n' ? 1 : 2;
    while (at < s.len && s.ptr[at] != '\a' && s.ptr[at] != '\n') {
        if (s.ptr[at] == '\033' && at + 1 < s.len && s.ptr[at + 1] == '\\') return at + 2;
        at++;
    }
    return at < s.len && s.ptr[at] == '\a' ? at + 1 : at;
}

void output_clean(strbuf *out, str text) {
    size_t plain = 0, at = 0;
    if (!text.len) return;
    while (at < text.len) {
        unsigned char c = (unsigned char)text.ptr[at];
        if ((c >= 0x20 && c < 0x7F) || c == '\n' || c == '\t') {
            at++;
            continue;
        }
        str rest = str_sub(text, at, text.len);
        uint32_t cp = c;
        size_t n = c == '\033' ? escape_bytes(rest) : (size_t)utf8_decode(rest, &cp);
        if (c == '\033' || is_invisible(cp)) {
            strbuf_add(out, text.ptr + plain, at - plain);
            plain = at + n;
        }
        at += n;
    }
    strbuf_add(out, text.ptr + plain, text.len - plain);
}

/* ---- text of results ------------------------------------------------------------------------- */

static const char *member_text(const cJSON *object, const char *name) {
    const cJSON *m = cJSON_GetObjectItemCaseSensitive(object, name);
    return cJSON_IsString(m) ? m->valuestring : NULL;
}

static void add_clean(strbuf *out, const char *text) {
    output_clean(out, str_of(text));
}

static void add_marker(strbuf *out, const char *kind, const char *detail) {
    strbuf_addf(out, "[%s", kind);
    if (detail) {
        strbuf_addf(out, ": ");
        add_clean(out, detail);
    }
    strbuf_addf(out, "]");
}

/* A content block, or the contents of a resource. */
static void add_block(strbuf *out, const cJSON *block) {
    const char *type = member_text(block, "type"), *text = member_text(block, "text");
    const cJSON *inner = cJSON_GetObjectItemCaseSensitive(block, "resource");
    if (text && (!type || strcmp(type, "text") == 0))
        add_clean(out, text);
    else if (cJSON_IsObject(inner))
        add_block(out, inner);
    else if (!type)
        add_marker(out, "binary content", member_text(block, "mimeType"));
    else if (strcmp(type, "image") == 0 || strcmp(type, "audio") == 0)
        add_marker(out, type, member_text(block, "mimeType"));
    else if (strcmp(type, "resource_link") == 0)
        add_marker(out, "resource", member_text(block, "uri"));
    else
        add_marker(out, "unsupported content", type);
}

static bool is_list(const cJSON *list) {
    return cJSON_IsArray(list) && list->child;
}

void output_text(strbuf *out, const cJSON *result) {
    const cJSON *blocks = cJSON_GetObjectItemCaseSensitive(result, "content");
    if (!is_list(blocks)) blocks = cJSON_GetObjectItemCaseSensitive(result, "contents");
    const cJSON *messages = cJSON_GetObjectItemCaseSensitive(result, "messages");
    const cJSON *structured = cJSON_GetObjectItemCaseSensitive(result, "structuredContent");
    size_t start = out->len;
    if (is_list(blocks)) {
        for (const cJSON *b = blocks->child; b; b = b->next) {
            if (out->len > start) strbuf_add_char(out, '\n');
            add_block(out, b);
        }
    } else if (is_list(messages)) {
        for (const cJSON *m = messages->child; m; m = m->next) {
            const cJSON *content = cJSON_GetObjectItemCaseSensitive(m, "content");
            const char *role = member_text(m, "role");
            strbuf_addf(out, "%s", out->len > start ? "\n" : "");
            add_clean(out, role ? role : "user");
            strbuf_addf(out, ": ");
            add_block(out, content);
        }
    } else if (structured) {
        char *text = cJSON_PrintUnformatted(structured);
        add_clean(out, text);
        cJSON_free(text);
    }
}

bool mcp_text_cut(strbuf *out, str text, size_t bytes_max) {
    if (text.len <= bytes_max) {
        strbuf_add_str(out, text);
        return false;
    }
    str head = str_sub(text, 0, bytes_max / 5 * 3);
    head.len = utf8_complete_prefix(head);
    size_t from = text.len - bytes_max / 5 * 2;
    while (from < text.len && ((unsigned char)text.ptr[from] & 0xC0) == 0x80)
        from++;
    strbuf_add_str(out, head);
    strbuf_addf(out, "\n[... %zu bytes are left out here ...]\n", from - head.len);
    strbuf_add_str(out, str_sub(text, from, text.len));
    return true;
}

#define OTHERS_MAX 10000 /* files of others that are passed over */

/* ---- spill ----------------------------------------------------------------------------------- */

typedef struct {
    char *path;
    uint64_t id;
    size_t bytes;
} spill_file;

struct spill {
    char *folder;
    VEC(spill_file) files; /* oldest first */
    size_t bytes;
    uint64_t last;
};

spill *spill_new(const char *folder) {
    if (!folder) return NULL;
    spill *s = xcalloc(1, sizeof *s);
    s->folder = xstrdup(folder);
    return s;
}

static void drop_oldest(spill *s) {
    unlink(s->files.at[0].path);
    s->bytes -= s->files.at[0].bytes;
    xfree(s->files.at[0].path);
    vec_remove(&s->files, 0);
}

void spill_free(spill *s) {
    if (!s) return;
    while (s->files.count)
        drop_oldest(s);
    vec_free(&s->files);
    xfree(s->folder);
    xfree(s);
}

static bool write_all(int fd, str text) {
    while (text.len) {
        ssize_t n = write(fd, text.ptr, text.len);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        text = str_sub(text, (size_t)n, text.len);
    }
    return true;
}

/* A new file under a number that is free: hosts of other connections write into the same folder. */
static int open_new(spill *s, char **name) {
    for (int tries = 0;; tries++) {
        strbuf path;
        strbuf_init(&path, 1u << 16);
        strbuf_addf(&path, "%s/output-%ld-%llu.txt", s->folder, (long)getpid(),
                    (unsigned long long)++s->last);
        *name = strbuf_take(&path);
        int fd = open(*name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0 && errno == ENOENT && mkdir(s->folder, 0700) == 0)
            fd = open(*name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd >= 0 || errno != EEXIST || tries == OTHERS_MAX) return fd;
        xfree(*name);
    }
}

const char *spill_find(const spill *s, uint64_t id) {
    for (size_t i = 0; s && i < s->files.count; i++)
        if (s->files.at[i].id == id) return s->files.at[i].path;
    return NULL;
}

const char *spill_write(spill *s, str text, uint64_t *id) {
    if (!s || text.len > LIMIT_MCP_SPILL_BYTES) return NULL;
    while (s->files.count && s->bytes + text.len > LIMIT_MCP_SPILL_BYTES)
        drop_oldest(s);
    char *name;
    int fd = open_new(s, &name);
    bool good = fd >= 0 && write_all(fd, text);
    if (!good) log_warn("mcp", "cannot keep a large output errno=%d", errno);
    if (fd >= 0) close(fd);
    if (!good) {
        if (fd >= 0) unlink(name);
        xfree(name);
        return NULL;
    }
    vec_push(&s->files, ((spill_file){name, s->last, text.len}));
    s->bytes += text.len;
    *id = s->last;
    return name;
}
