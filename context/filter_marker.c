/* SPDX-License-Identifier: Apache-2.0 */
/* Markers: texts of special tokens.
 *
 * A model that was trained on files with fill-in-the-middle markers as plain text, or a GGUF whose
 * special tokens are typed as normal ones, writes them out.  The answer ends there.  A document
 * that is itself about such markers (a tokenizer's test) keeps them: a marker that the document
 * contains is text.
 */
#include "context/filter.h"

static const char *const markers[] = {
    "<fim_",      "<fim-",         "<file_sep>",     "<filename>",    "<repo_name>",
    "<reponame>", "<jupyter_",     "<gh_stars>",     "<issue_",       "<PRE>",
    "<SUF>",      "<MID>",         "<EOT>",          "[PREFIX]",      "[SUFFIX]",
    "[MIDDLE]",   "<commit_",      "<empty_output>", "<\xef\xbd\x9c", /* DeepSeek's bar */
    "<[fim-",     "<code_prefix>", "<code_suffix>",  "<code_middle>",
};

#define MARKER_BYTES_MAX 40 /* "<|" ... "|>" that is longer is an operator and a comparison */

/* Length of a "<|name|>" at the start of `s`, 0 when there is none. */
static size_t bar_marker(str s) {
    if (!str_starts_with(s, STR("<|"))) return 0;
    for (size_t i = 2; i + 1 < s.len && i < MARKER_BYTES_MAX; i++) {
        char ch = s.ptr[i];
        if (ch == '|' && s.ptr[i + 1] == '>') return i + 2;
        bool name = ch == '_' || (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
                    (ch >= '0' && ch <= '9');
        if (!name) return 0;
    }
    return 0;
}

static size_t marker_at(str s) {
    for (size_t i = 0; i < COUNTOF(markers); i++) {
        if (str_starts_with(s, str_of(markers[i]))) return strlen(markers[i]);
    }
    return bar_marker(s);
}

const char *filter_marker(candidate *c) {
    for (size_t i = 0; i < c->text.len; i++) {
        if (c->text.ptr[i] != '<' && c->text.ptr[i] != '[') continue;
        size_t n = marker_at(str_sub(c->text, i, c->text.len));
        if (n == 0) continue;
        if (str_find(document_text(c->d), str_sub(c->text, i, i + n)) >= 0) continue;
        c->text = str_sub(c->text, 0, i);
        break;
    }
    return c->text.len ? NULL : "empty";
}
