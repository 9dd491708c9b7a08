/* SPDX-License-Identifier: Apache-2.0 */
/* URIs to paths.  Editors percent-encode differently (VS Code even ':' and '+'), so a URI is an
 * opaque key for identity and is decoded only to show the model a path.  A malformed escape stays
 * as it is.  Thread: any; no state. */
#include "lsp/uri.h"

static int hex(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static str strip_scheme(str uri) {
    ptrdiff_t colon = str_find(uri, STR(":"));
    if (colon < 2) return uri; /* a path, or a drive letter */
    for (ptrdiff_t i = 0; i < colon; i++) {
        char c = uri.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(i && ((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.')))
            return uri;
    }
    str rest = str_sub(uri, (size_t)colon + 1, uri.len);
    if (!str_starts_with(rest, STR("//"))) return rest;
    rest = str_sub(rest, 2, rest.len);
    ptrdiff_t slash = str_find(rest, STR("/")); /* after the authority */
    return slash < 0 ? (str){0} : str_sub(rest, (size_t)slash, rest.len);
}

/* The cells of a notebook are told apart by a fragment, which is no part of the path.  In file: a
 * '#' is more likely an editor that does not escape. */
static str strip_fragment(str uri) {
    if (!str_starts_with(uri, STR("vscode-notebook-cell:"))) return uri;
    ptrdiff_t hash = str_find(uri, STR("#"));
    return hash < 0 ? uri : str_sub(uri, 0, (size_t)hash);
}

str uri_path(str uri, arena *a) {
    str in = strip_scheme(strip_fragment(uri));
    char *out = arena_alloc(a, in.len + 1);
    size_t n = 0;
    for (size_t i = 0; i < in.len; i++) {
        int high = in.ptr[i] == '%' && i + 3 <= in.len ? hex(in.ptr[i + 1]) : -1;
        int low = high >= 0 ? hex(in.ptr[i + 2]) : -1;
        if (low >= 0 && (high || low)) {
            out[n++] = (char)(high * 16 + low);
            i += 2;
        } else {
            out[n++] = in.ptr[i];
        }
    }
    return (str){out, n};
}

str uri_relative(str path, const str *roots, size_t n_roots) {
    size_t best = 0;
    for (size_t i = 0; i < n_roots; i++) {
        str root = roots[i];
        while (root.len && root.ptr[root.len - 1] == '/')
            root.len--;
        bool inside =
            str_starts_with(path, root) && path.len > root.len + 1 && path.ptr[root.len] == '/';
        if (root.len && inside) best = MAX(best, root.len + 1);
    }
    if (best) return str_sub(path, best, path.len);
    ptrdiff_t slash = str_rfind_char(path, '/');
    return slash < 0 ? path : str_sub(path, (size_t)slash + 1, path.len);
}

void uri_add_path(strbuf *out, str path) {
    static const char plain[] = "/-_.~";
    strbuf_add_str(out, STR("file://"));
    for (size_t i = 0; i < path.len; i++) {
        unsigned char c = (unsigned char)path.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (letter || (c && strchr(plain, c)))
            strbuf_add_char(out, (char)c);
        else
            strbuf_addf(out, "%%%02X", c);
    }
}
