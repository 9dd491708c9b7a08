/* SPDX-License-Identifier: Apache-2.0 */
/* URLs are parsed by libcurl, which also makes the requests: both read one in the same way.
 * No state.  Thread: any. */
#include "mcp/url.h"

#include <curl/curl.h>

#include "engine/base/mem.h"

typedef struct {
    CURLU *handle;
    char *scheme, *host, *port, *path;
} parts;

static void parts_free(parts *p) {
    curl_free(p->scheme);
    curl_free(p->host);
    curl_free(p->port);
    curl_free(p->path);
    curl_url_cleanup(p->handle);
}

/* Only http and https; free with parts_free either way. */
static bool parts_read(parts *p, const char *url) {
    *p = (parts){.handle = curl_url()};
    CURLU *u = p->handle;
    if (!url || curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_SCHEME, &p->scheme, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_HOST, &p->host, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_PORT, &p->port, CURLU_DEFAULT_PORT) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_PATH, &p->path, 0) != CURLUE_OK)
        return false;
    return strcmp(p->scheme, "https") == 0 || strcmp(p->scheme, "http") == 0;
}

static bool same_origin(const parts *a, const parts *b) {
    return strcmp(a->scheme, b->scheme) == 0 &&
           str_eq_ignore_case(str_of(a->host), str_of(b->host)) && strcmp(a->port, b->port) == 0;
}

bool url_same_origin(const char *a, const char *b) {
    parts x, y;
    bool good = parts_read(&x, a);
    good = parts_read(&y, b) && good && same_origin(&x, &y);
    parts_free(&x);
    parts_free(&y);
    return good;
}

static bool is_loopback(const parts *p) {
    return str_eq_ignore_case(str_of(p->host), STR("localhost")) ||
           strcmp(p->host, "127.0.0.1") == 0 || strcmp(p->host, "[::1]") == 0;
}

bool url_is_loopback(const char *url) {
    parts p;
    bool good = parts_read(&p, url) && is_loopback(&p);
    parts_free(&p);
    return good;
}

bool url_is_safe(const char *url, bool loopback) {
    parts p;
    bool good =
        parts_read(&p, url) && (strcmp(p.scheme, "https") == 0 ? !is_loopback(&p) || loopback
                                                               : loopback && is_loopback(&p));
    parts_free(&p);
    return good;
}

static str without_slash(const char *path) {
    str s = str_of(path);
    return str_ends_with(s, STR("/")) ? str_sub(s, 0, s.len - 1) : s;
}

bool url_covers(const char *resource, const char *url) {
    parts r, u;
    bool good = parts_read(&r, resource);
    good = parts_read(&u, url) && good && same_origin(&r, &u);
    if (good) {
        str above = without_slash(r.path), below = str_of(u.path);
        good = str_starts_with(below, above) &&
               (below.len == above.len || below.ptr[above.len] == '/');
    }
    parts_free(&r);
    parts_free(&u);
    return good;
}

/* The origin as the URL spells it, and a rest. */
static char *behind_origin(const parts *p, const char *a, str b) {
    strbuf out;
    strbuf_init(&out, 1u << 16);
    bool usual = strcmp(p->port, strcmp(p->scheme, "https") == 0 ? "443" : "80") == 0;
    strbuf_addf(&out, "%s://%s%s%s%s%.*s", p->scheme, p->host, usual ? "" : ":",
                usual ? "" : p->port, a, STR_ARG(b));
    bool whole = !out.overflow;
    char *text = whole ? strbuf_take(&out) : NULL;
    strbuf_deinit(&out);
    return text;
}

char *url_origin(const char *url) {
    parts p;
    char *text = parts_read(&p, url) ? behind_origin(&p, "", (str){0}) : NULL;
    parts_free(&p);
    return text;
}

char *url_bare(const char *url) {
    parts p;
    char *text = parts_read(&p, url) ? behind_origin(&p, p.path, (str){0}) : NULL;
    parts_free(&p);
    return text;
}

char *url_well_known(const char *url, const char *name, well_known_place place) {
    parts p;
    char *text = NULL;
    strbuf middle;
    strbuf_init(&middle, 1u << 16);
    if (parts_read(&p, url)) {
        str path = without_slash(p.path);
        if (place == WELL_KNOWN_APPENDED) strbuf_add_str(&middle, path);
        strbuf_addf(&middle, "/.well-known/%s", name);
        if (place == WELL_KNOWN_ROOT || path.len)
            text = behind_origin(&p, middle.ptr ? middle.ptr : "",
                                 place == WELL_KNOWN_INSERTED ? path : (str){0});
    }
    strbuf_deinit(&middle);
    parts_free(&p);
    return text;
}

/* ---- forms ----------------------------------------------------------------------------------- */

void form_encode(strbuf *out, str value) {
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '.' || c == '_' || c == '~';
        if (plain)
            strbuf_add_char(out, c);
        else
            strbuf_addf(out, "%%%02X", (unsigned)(uint8_t)c);
    }
}

void form_add(strbuf *out, const char *name, const char *value) {
    if (out->len) strbuf_add_char(out, '&');
    form_encode(out, str_of(name));
    strbuf_add_char(out, '=');
    form_encode(out, str_of(value));
}

static int hex_digit(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static void decode(strbuf *out, str text) {
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        int high = c == '%' && i + 2 < text.len ? hex_digit(text.ptr[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(text.ptr[i + 2]) : -1;
        if (low >= 0) {
            c = (char)(high * 16 + low);
            i += 2;
        }
        strbuf_add_char(out, c == '+' && low < 0 ? ' ' : c);
    }
}

bool form_get(str form, const char *name, strbuf *out) {
    str piece;
    while (str_split(&form, '&', &piece)) {
        ptrdiff_t equals = str_find(piece, STR("="));
        str key = equals < 0 ? piece : str_sub(piece, 0, (size_t)equals);
        if (!str_eq(key, str_of(name))) continue;
        if (equals >= 0) decode(out, str_sub(piece, (size_t)equals + 1, piece.len));
        return true;
    }
    return false;
}
