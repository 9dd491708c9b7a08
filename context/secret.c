/* SPDX-License-Identifier: Apache-2.0 */
/* What must not be read by anybody, found in text.
 *
 *   known forms     AKIA..., ghp_..., sk-..., eyJ... and the like: prefix, alphabet, least length
 *   blocks          -----BEGIN ... PRIVATE KEY----- to its end; lines of base64 as such blocks have
 *   addresses       the password in scheme://user:password@host
 *   assignments     password = "...", api_key: '...': a telling name, then a value of some entropy
 *   strings         quoted texts of 32 bytes and more that look random (upper, lower, digits)
 *
 * A wrong hit costs the model one word of context, a missed one shows a secret to a program of this
 * machine; so the rules lean towards hits.  One pass, linear but for the entropy of candidates.
 * Thread: any.
 */
#include "context/secret.h"

#include <math.h>

#define BLOCK_BYTES_MAX 16384
#define VALUE_BYTES_MAX 512
#define NAME_BYTES_MAX 64

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_alnum(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_token_char(char c) {
    return is_alnum(c) || c == '_' || c == '-';
}

static bool is_base64_char(char c) {
    return is_token_char(c) || c == '+' || c == '/' || c == '=';
}

static double entropy_bits(str s) { /* per byte */
    unsigned count[256] = {0};
    for (size_t i = 0; i < s.len; i++)
        count[(uint8_t)s.ptr[i]]++;
    double bits = 0;
    for (size_t i = 0; i < 256; i++) {
        double p = (double)count[i] / (double)s.len;
        if (count[i]) bits -= p * log2(p);
    }
    return bits;
}

static bool looks_random(str s, double bits_min) {
    bool lower = false, upper = false, digit = false;
    for (size_t i = 0; i < s.len; i++) {
        lower = lower || (s.ptr[i] >= 'a' && s.ptr[i] <= 'z');
        upper = upper || (s.ptr[i] >= 'A' && s.ptr[i] <= 'Z');
        digit = digit || is_digit(s.ptr[i]);
    }
    return lower && upper && digit && entropy_bits(s) >= bits_min;
}

/* ---- known forms ----------------------------------------------------------------------------- */

static const struct {
    const char *prefix;
    size_t rest; /* least bytes behind the prefix */
} forms[] = {
    {"AKIA", 16},     {"ASIA", 16},    {"ghp_", 30},    {"gho_", 30},     {"ghu_", 30},
    {"ghs_", 30},     {"ghr_", 30},    {"github_pat_", 22}, {"glpat-", 18},  {"sk-", 20},
    {"sk_live_", 16}, {"sk_test_", 16}, {"rk_live_", 16}, {"xoxb-", 10},    {"xoxp-", 10},
    {"xoxa-", 10},    {"xoxr-", 10},   {"xoxs-", 10},   {"AIza", 30},     {"ya29.", 20},
    {"npm_", 30},     {"pypi-", 32},   {"hf_", 28},     {"SG.", 30},      {"dop_v1_", 32},
    {"shpat_", 28},   {"lin_api_", 28}, {"AGE-SECRET-KEY-", 30},
};

static size_t token_length(str text) {
    size_t n = 0;
    while (n < text.len && is_token_char(text.ptr[n]))
        n++;
    return n;
}

static size_t known_form(str text) {
    for (size_t i = 0; i < COUNTOF(forms); i++) {
        if (forms[i].prefix[0] != text.ptr[0]) continue; /* every word of a window comes here */
        str prefix = str_of(forms[i].prefix);
        if (!str_starts_with(text, prefix)) continue;
        size_t n = 0;
        while (prefix.len + n < text.len &&
               (is_token_char(text.ptr[prefix.len + n]) || text.ptr[prefix.len + n] == '.'))
            n++;
        if (n >= forms[i].rest) return prefix.len + n;
    }
    if (!str_starts_with(text, STR("eyJ"))) return 0;
    size_t n = 0, dots = 0; /* a JSON web token: three parts */
    for (size_t part = 0; part < 3; part++) {
        size_t more = token_length(str_sub(text, n, text.len));
        if (more < 8) break;
        n += more;
        if (part == 2 || n == text.len || text.ptr[n] != '.') continue;
        dots++;
        n++;
    }
    return dots == 2 ? n : 0;
}

static size_t key_block(str text) {
    if (!str_starts_with(text, STR("-----BEGIN "))) return 0;
    str head = str_sub(text, 0, 80);
    const char *lf = memchr(head.ptr, '\n', head.len);
    if (lf) head.len = (size_t)(lf - head.ptr);
    if (str_find(head, STR("PRIVATE KEY")) < 0) return 0;
    str block = str_sub(text, 0, BLOCK_BYTES_MAX);
    ptrdiff_t end = str_find(block, STR("-----END "));
    if (end < 0) return block.len;
    size_t n = (size_t)end + 9;
    while (n < text.len && text.ptr[n] != '\n')
        n++;
    return n;
}

/* A whole line of base64 as key files have them; `text` is at the start of the line. */
static size_t key_line(str text) {
    size_t n = 0;
    while (n < text.len && is_base64_char(text.ptr[n]))
        n++;
    bool whole = n == text.len || text.ptr[n] == '\n' || text.ptr[n] == '\r';
    return whole && n >= 40 && looks_random(str_sub(text, 0, n), 4.2) ? n : 0;
}

/* ---- assignments ----------------------------------------------------------------------------- */

/* A quick first look: equal for bytes that are equal but for their case, and for few others. */
static char fold(char c) {
    return (char)(c | 0x20);
}

static bool starts_with_fold(str s, const char *word) {
    size_t n = strlen(word);
    return n <= s.len && str_eq_ignore_case(str_sub(s, 0, n), (str){word, n});
}

static bool contains_fold(str s, const char *word) {
    for (size_t i = 0; i < s.len; i++)
        if (fold(s.ptr[i]) == word[0] && starts_with_fold(str_sub(s, i, s.len), word)) return true;
    return false;
}

/* Least bytes of a quoted value behind such a name; 0: the name tells nothing.  "token" is a word
 * of compilers, too. */
static size_t least_value(str name) {
    static const char *const words[] = {"password",   "passwd",      "passphrase", "secret",
                                        "api_key",    "apikey",      "api-key",    "access_key",
                                        "pwd",        "auth_key",    "privatekey", "private_key",
                                        "credential", "client_key"};
    bool token = false;
    for (size_t i = 0; i < name.len; i++) { /* every name of a window comes here */
        char first = fold(name.ptr[i]);
        if (!strchr("acpst", first)) continue; /* with which all of them begin */
        str rest = str_sub(name, i, name.len);
        for (size_t k = 0; k < COUNTOF(words); k++)
            if (words[k][0] == first && starts_with_fold(rest, words[k])) return 6;
        token = token || (first == 't' && starts_with_fold(rest, "token"));
    }
    return token ? 16 : 0;
}

/* Placeholders and expressions are no secrets. */
static bool is_harmless(str value) {
    static const char *const words[] = {"example", "changeme", "placeholder", "your", "xxx",
                                        "redacted", "<",       "{",           "$",    "%", "("};
    for (size_t i = 0; i < COUNTOF(words); i++)
        if (contains_fold(value, words[i])) return true;
    return value.len && memchr(value.ptr, ' ', value.len) != NULL;
}

static size_t skip_blanks(str text, size_t i) {
    while (i < text.len && (text.ptr[i] == ' ' || text.ptr[i] == '\t'))
        i++;
    return i;
}

/* Behind a name at text[i]: `"` `:` `=` `:=` `=>` and blanks; SIZE_MAX: no assignment. */
static size_t skip_assignment(str text, size_t i) {
    if (i < text.len && (text.ptr[i] == '"' || text.ptr[i] == '\'')) i++;
    i = skip_blanks(text, i);
    if (i < text.len && text.ptr[i] == ']') i = skip_blanks(text, i + 1); /* env["token"] = */
    size_t marks = 0;
    while (i < text.len && marks < 2 && (text.ptr[i] == ':' || text.ptr[i] == '=' ||
                                         (marks && text.ptr[i] == '>'))) {
        i++;
        marks++;
    }
    return marks ? skip_blanks(text, i) : SIZE_MAX;
}

/* The value of an assignment at text[i]; false: it is no secret. */
static bool secret_value(str text, size_t i, size_t least, size_t *start, size_t *end) {
    char quote = i < text.len ? text.ptr[i] : 0;
    bool quoted = quote == '"' || quote == '\'' || quote == '`';
    size_t from = quoted ? i + 1 : i, to = from;
    while (to < text.len && to - from < VALUE_BYTES_MAX && text.ptr[to] != '\n' &&
           (quoted ? text.ptr[to] != quote : is_base64_char(text.ptr[to])))
        to++;
    str value = str_sub(text, from, to);
    *start = from;
    *end = to;
    if (quoted && to == text.len && least < 16) return true; /* it is being typed */
    if (value.len < least || is_harmless(value)) return false;
    bool mixed = false; /* one plain word is no password that somebody would keep */
    for (size_t k = 0; k < value.len && !mixed; k++)
        mixed = least < 16 ? value.ptr[k] < 'a' && value.ptr[k] != '_' : is_digit(value.ptr[k]);
    if (quoted) return mixed && entropy_bits(value) >= 2.2;
    return value.len >= 16 && looks_random(value, 3.3);
}

/* scheme://user:PASSWORD@host; `text` is behind "://". */
static bool address_password(str text, size_t *start, size_t *end) {
    size_t colon = 0;
    for (size_t i = 0; i < text.len && i < 256; i++) {
        char c = text.ptr[i];
        if (c == ':' && !colon) colon = i + 1;
        if (c == '@') {
            *start = colon;
            *end = i;
            return colon && i > colon && !is_harmless(str_sub(text, colon, i));
        }
        if (c <= ' ' || c == '/' || c == '"' || c == '\'') return false;
    }
    return false;
}

/* A quoted text that looks random; `text` is behind the quote. */
static size_t random_string(str text, char quote) {
    size_t n = 0;
    while (n < text.len && n < VALUE_BYTES_MAX && is_base64_char(text.ptr[n]))
        n++;
    bool closed = n < text.len && text.ptr[n] == quote;
    return closed && n >= 32 && looks_random(str_sub(text, 0, n), 4.3) ? n : 0;
}

/* ---- scanning -------------------------------------------------------------------------------- */

/* A secret that begins with the word at `i` or behind it; *next is where to go on. */
static bool at_word(str text, size_t i, size_t *next, size_t *start, size_t *end) {
    str rest = str_sub(text, i, text.len);
    bool line_start = i == 0 || text.ptr[i - 1] == '\n';
    size_t n = known_form(rest);
    if (!n && line_start) n = key_line(rest);
    *start = i;
    *end = i + n;
    if (n) return true;
    size_t word = 0;
    while (word < rest.len && (is_token_char(rest.ptr[word]) || (uint8_t)rest.ptr[word] >= 0x80))
        word++;
    *next = i + MAX(word, 1);
    size_t least = word > NAME_BYTES_MAX ? 0 : least_value(str_sub(rest, 0, word));
    if (!least) return false;
    size_t value = skip_assignment(text, i + word);
    return value != SIZE_MAX && secret_value(text, value, least, start, end);
}

bool secret_next(str text, size_t from, size_t *start, size_t *end) {
    size_t i = from;
    while (i < text.len) {
        char c = text.ptr[i];
        size_t next = i + 1;
        if (is_alnum(c) || c == '_') {
            if (at_word(text, i, &next, start, end)) return true;
        } else if (c == '-') {
            size_t n = key_block(str_sub(text, i, text.len));
            *start = i;
            *end = i + n;
            if (n) return true;
        } else if (c == ':' && str_starts_with(str_sub(text, i, text.len), STR("://"))) {
            if (address_password(str_sub(text, i + 3, text.len), start, end)) {
                *start += i + 3;
                *end += i + 3;
                return true;
            }
        } else if (c == '"' || c == '\'' || c == '`') {
            size_t n = random_string(str_sub(text, i + 1, text.len), c);
            *start = i + 1;
            *end = i + 1 + n;
            if (n) return true;
        }
        i = next;
    }
    return false;
}

str secret_mask(str text, arena *a, size_t *count) {
    size_t start, end, from = 0;
    *count = 0;
    if (!secret_next(text, 0, &start, &end)) return text;
    strbuf out;
    strbuf_init(&out, 2 * text.len + 64);
    do {
        strbuf_add_str(&out, str_sub(text, from, start));
        strbuf_add_str(&out, STR("REDACTED"));
        ++*count;
        from = end;
    } while (secret_next(text, from, &start, &end));
    strbuf_add_str(&out, str_sub(text, from, text.len));
    str masked = arena_str(a, strbuf_str(&out));
    strbuf_deinit(&out);
    return masked;
}
