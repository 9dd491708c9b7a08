/* SPDX-License-Identifier: Apache-2.0 */
/* Pages: see pages.h.
 *
 * Files lie in a folder of their own that only the user can read, below XDG_RUNTIME_DIR or /tmp,
 * and are removed with the connection.  They are small, so that writing one does not hold up the
 * loop.  Thread: loop. */
#include "lsp/pages.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "lsp/server.h"

#define ANSWER_MS 10000.0
#define TELL_MS 250.0 /* between two refreshes of a page that grows */

static page *page_of(const server *s, unsigned id) {
    unsigned oldest = s->pages.last - (unsigned)s->pages.all.count + 1;
    if (!id || id < oldest || id > s->pages.last) return NULL;
    return &s->pages.all.at[id - oldest];
}

const char *pages_uri(const server *s, unsigned id) {
    const page *p = page_of(s, id);
    return p ? p->uri : NULL;
}

static void page_free(page *p) {
    if (p->file) unlink(p->file);
    xfree(p->uri);
    xfree(p->file);
    xfree(p->text);
}

static bool make_folder(server *s) {
    const char *run = getenv("XDG_RUNTIME_DIR");
    bool usable = run && run[0] == '/' && strlen(run) < 40;
    if (s->pages.folder[0]) return true;
    snprintf(s->pages.folder, sizeof s->pages.folder, "%s/inlined-XXXXXX", usable ? run : "/tmp");
    if (mkdtemp(s->pages.folder)) return true;
    s->pages.folder[0] = '\0';
    return false;
}

/* Letters, digits and dashes of a title. */
static void slug(const char *title, char out[static 48]) {
    size_t n = 0;
    for (const char *c = title; *c && n < 40; c++) {
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                     (*c >= '0' && *c <= '9') || *c == '_';
        if (plain)
            out[n++] = *c;
        else if (n && out[n - 1] != '-')
            out[n++] = '-';
    }
    out[n] = '\0';
}

static unsigned add_page(server *s, const char *title) {
    char name[48];
    arena a;
    page p = {0};
    arena_init(&a);
    slug(title, name);
    unsigned id = ++s->pages.last;
    if (s->features.text_content) {
        p.uri = xstrdup(arena_printf(&a, "inlined:/%u/%s.md", id, name));
    } else if (s->features.show_document && make_folder(s)) {
        p.file = xstrdup(arena_printf(&a, "%s/%u-%s.md", s->pages.folder, id, name));
        p.uri = xstrdup(arena_printf(&a, "file://%s", p.file));
    }
    arena_deinit(&a);
    vec_push(&s->pages.all, p);
    if (s->pages.all.count > LIMIT_PAGES) {
        page_free(&s->pages.all.at[0]);
        vec_remove(&s->pages.all, 0);
    }
    return id;
}

static void show(server *s, page *p) {
    cJSON *params = cJSON_CreateObject();
    cJSON_AddStringToObject(params, "uri", p->uri);
    cJSON_AddFalseToObject(params, "external");
    cJSON_AddFalseToObject(params, "takeFocus");
    rpc_request(s->rpc, "window/showDocument", params, clock_ms() + ANSWER_MS, NULL, NULL);
    p->shown = true;
}

static bool write_file(const char *path, str text) {
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return false;
    bool good = write(fd, text.ptr, text.len) == (ssize_t)text.len;
    return close(fd) == 0 && good;
}

static void write_virtual(server *s, page *p, bool finished) {
    double now = clock_ms();
    if (!p->shown) {
        if (s->features.show_document) show(s, p);
        p->shown = true;
        p->told_ms = now;
    } else if (finished || now > p->told_ms + TELL_MS) {
        p->told_ms = now;
        cJSON *params = cJSON_CreateObject();
        cJSON_AddStringToObject(params, "uri", p->uri);
        rpc_request(s->rpc, "workspace/textDocumentContent/refresh", params, now + ANSWER_MS, NULL,
                    NULL);
    }
}

unsigned pages_write(server *s, unsigned id, const char *title, str text, bool finished) {
    if (!page_of(s, id)) id = add_page(s, title);
    page *p = page_of(s, id);
    xfree(p->text);
    p->text = xstrndup(text.ptr ? text.ptr : "", text.len);
    if (p->uri && !p->file) write_virtual(s, p, finished);
    if (p->file && finished) {
        if (write_file(p->file, text))
            show(s, p);
        else
            log_warn("pages", "cannot write %s", p->file);
    }
    return id;
}

void pages_request(server *s, const cJSON *params, reply *r) {
    const cJSON *uri = protocol_get(params, "uri");
    for (size_t i = 0; cJSON_IsString(uri) && i < s->pages.all.count; i++) {
        const page *p = &s->pages.all.at[i];
        if (!p->uri || strcmp(p->uri, uri->valuestring)) continue;
        cJSON *result = cJSON_CreateObject();
        cJSON_AddStringToObject(result, "text", p->text);
        reply_result(r, result);
        return;
    }
    reply_error(r, RPC_INVALID_PARAMS, "there is no such page any more");
}

void pages_deinit(server *s) {
    for (size_t i = 0; i < s->pages.all.count; i++)
        page_free(&s->pages.all.at[i]);
    vec_free(&s->pages.all);
    if (s->pages.folder[0]) rmdir(s->pages.folder);
}
