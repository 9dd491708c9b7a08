/* SPDX-License-Identifier: Apache-2.0 */
/* What git shows of files, without those that are hidden.
 *
 * The commands (own_tools.json) are told to print no colours, plain prefixes, no renames and paths
 * below the workspace, whatever a configuration says.  A line that begins with "diff --" can then
 * only be a file's header: lines of its text begin with a blank, +, - or \, and a commit's message
 * is indented.  A header that cannot be read hides its file.  Thread: any. */
#include "engine/base/limits.h"
#include "mcp/output.h"
#include "mcp/own_private.h"

/* ---- names ----------------------------------------------------------------------------------- */

static bool is_octal(char c) {
    return c >= '0' && c <= '7';
}

/* git quotes names with unusual bytes like C: "a\tb\303\274".  False: it is no such text. */
static bool unquote(str text, strbuf *out) {
    static const char from[] = "abtnvfr\"\\", to[] = "\a\b\t\n\v\f\r\"\\";
    if (text.len < 2 || text.ptr[0] != '"' || text.ptr[text.len - 1] != '"') return false;
    text = str_sub(text, 1, text.len - 1);
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '"') return false;
        if (c != '\\') {
            strbuf_add_char(out, c);
            continue;
        }
        if (++i >= text.len) return false;
        const char *known = memchr(from, text.ptr[i], sizeof from - 1);
        bool octal = i + 2 < text.len && text.ptr[i] <= '3' && is_octal(text.ptr[i]) &&
                     is_octal(text.ptr[i + 1]) && is_octal(text.ptr[i + 2]);
        if (!known && !octal) return false;
        if (known) {
            strbuf_add_char(out, to[known - from]);
            continue;
        }
        strbuf_add_char(out, (char)((text.ptr[i] - '0') * 64 + (text.ptr[i + 1] - '0') * 8 +
                                    (text.ptr[i + 2] - '0')));
        i += 2;
    }
    return true;
}

/* A name as git prints it; false: it cannot be read. */
static bool read_name(str printed, strbuf *out) {
    strbuf_clear(out);
    if (printed.len && printed.ptr[0] == '"') return unquote(printed, out) && out->len > 0;
    strbuf_add_str(out, printed);
    return out->len > 0;
}

/* "a/NAME b/NAME": both are the same, so each is half of it. */
static bool read_pair(str pair, strbuf *out) {
    if (pair.len % 2 == 0) return false;
    size_t half = pair.len / 2;
    str first = str_sub(pair, 0, half), second = str_sub(pair, half + 1, pair.len);
    strbuf other;
    strbuf_init(&other, LIMIT_PATH_BYTES);
    bool good = pair.ptr[half] == ' ' && read_name(second, &other) && read_name(first, out);
    str a = strbuf_str(out), b = strbuf_str(&other);
    good = good && str_starts_with(a, STR("a/")) && str_starts_with(b, STR("b/")) &&
           str_eq(str_sub(a, 2, a.len), str_sub(b, 2, b.len));
    strbuf_deinit(&other);
    if (!good) return false;
    str name = str_sub(a, 2, a.len);
    memmove(out->ptr, name.ptr, name.len);
    out->len = name.len;
    return true;
}

/* What is outside of the workspace, and git's own, counts as hidden. */
static bool is_hidden(const own_place *at, str name) {
    strbuf path;
    bool folder = str_ends_with(name, STR("/"));
    if (folder) name.len--;
    str rest = name, part;
    bool hidden = !name.len || name.ptr[0] == '/' || memchr(name.ptr, 0, name.len);
    while (str_split(&rest, '/', &part))
        hidden |= str_eq(part, STR("..")) || str_eq(part, STR(".git"));
    strbuf_init(&path, LIMIT_PATH_BYTES);
    strbuf_addf(&path, "%s/%.*s", at->workspace, STR_ARG(name));
    hidden |= path.overflow;
    if (!hidden && at->privacy.hides) hidden = at->privacy.hides(at->privacy.ud, path.ptr, folder);
    strbuf_deinit(&path);
    return hidden;
}

/* ---- output ---------------------------------------------------------------------------------- */

/* Whether the line is a file's header, and then its name, empty when that cannot be read. */
static bool read_header(str line, strbuf *name) {
    static const char *const others[] = {"diff --cc ", "diff --combined ", "* Unmerged path "};
    str lead = STR("diff --git ");
    strbuf_clear(name);
    if (str_starts_with(line, lead)) {
        if (!read_pair(str_sub(line, lead.len, line.len), name)) strbuf_clear(name);
        return true;
    }
    for (size_t i = 0; i < COUNTOF(others); i++) {
        lead = str_of(others[i]);
        if (!str_starts_with(line, lead)) continue;
        if (!read_name(str_sub(line, lead.len, line.len), name)) strbuf_clear(name);
        return true;
    }
    return str_starts_with(line, STR("diff --"));
}

/* A line of `git status --short`: "XY NAME". */
static bool shows_status(const own_place *at, str line, strbuf *name) {
    if (str_starts_with(line, STR("## "))) return true;
    return line.len > 3 && read_name(str_sub(line, 3, line.len), name) &&
           !is_hidden(at, strbuf_str(name));
}

void own_git_sift(const own_place *at, const char *tool, str printed, bool cut, strbuf *out) {
    str line;
    strbuf name;
    size_t hidden = 0;
    bool is_status = !strcmp(tool, "git_status"), shown = true;
    if (cut) printed.len = (size_t)MAX(str_rfind_char(printed, '\n') + 1, 0);
    strbuf_init(&name, LIMIT_PATH_BYTES);
    while (printed.len && str_split(&printed, '\n', &line)) {
        if (is_status) {
            shown = shows_status(at, line, &name);
            hidden += !shown;
        } else if (read_header(line, &name)) {
            shown = name.len && !is_hidden(at, strbuf_str(&name));
            hidden += !shown;
        }
        if (!shown) continue;
        output_clean(out, line);
        strbuf_add_char(out, '\n');
    }
    if (hidden) strbuf_addf(out, "(changes of %zu hidden files are left out)\n", hidden);
    if (cut) strbuf_addf(out, "(there was more)\n");
    strbuf_deinit(&name);
}

status own_git_check(const own_place *at, const cJSON *arguments, err *e) {
    const cJSON *path = cJSON_GetObjectItemCaseSensitive(arguments, "path");
    if (!cJSON_IsString(path) || !strcmp(path->valuestring, ".")) return OK;
    if (!is_hidden(at, str_of(path->valuestring))) return OK;
    return err_set(e, ERR_USAGE, "%.200s is hidden by the privacy rules, or outside of the folder",
                   path->valuestring);
}
