/* SPDX-License-Identifier: Apache-2.0 */
/* A tolerant reader: schemes and members in any order; only members of Bearer and DPoP count. */
#include "mcp/challenge.h"

static bool is_token_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("!#$%&'*+-.^_`|~/=", c)); /* / and =: within a token68 */
}

static str take_word(str *rest, bool equals) {
    size_t n = 0;
    while (n < rest->len && is_token_char(rest->ptr[n]) && (equals || rest->ptr[n] != '='))
        n++;
    str word = str_sub(*rest, 0, n);
    *rest = str_sub(*rest, n, rest->len);
    return word;
}

static void skip(str *rest, const char *set) {
    while (rest->len && rest->ptr[0] && strchr(set, rest->ptr[0]))
        *rest = str_sub(*rest, 1, rest->len);
}

/* A quoted text, without its escapes, or a word; false: it does not fit. */
static bool take_value(str *rest, char *to, size_t room) {
    size_t n = 0;
    bool fits = true;
    if (!str_starts_with(*rest, STR("\""))) {
        str word = take_word(rest, true);
        fits = word.len < room;
        if (fits) snprintf(to, room, "%.*s", STR_ARG(word));
        return fits;
    }
    size_t i = 1;
    for (; i < rest->len && rest->ptr[i] != '"'; i++) {
        if (rest->ptr[i] == '\\' && i + 1 < rest->len) i++;
        fits = fits && n + 1 < room && (uint8_t)rest->ptr[i] >= 0x20;
        if (fits) to[n++] = rest->ptr[i];
    }
    to[n] = 0;
    *rest = str_sub(*rest, i + 1, rest->len);
    return fits;
}

static void take_member(challenge *c, str name, str *rest, bool ours) {
    struct {
        str name;
        char *to;
        size_t room;
    } members[] = {{STR("resource_metadata"), c->resource_metadata, sizeof c->resource_metadata},
                   {STR("scope"), c->scope, sizeof c->scope},
                   {STR("error"), c->error, sizeof c->error}};
    char other[16];
    for (size_t i = 0; i < COUNTOF(members); i++) {
        if (!ours || !str_eq_ignore_case(name, members[i].name) || *members[i].to) continue;
        if (!take_value(rest, members[i].to, members[i].room)) *members[i].to = 0;
        return;
    }
    (void)take_value(rest, other, sizeof other);
}

void challenge_read(challenge *c, str header) {
    *c = (challenge){0};
    bool ours = false;
    while (header.len) {
        skip(&header, " \t,");
        str word = take_word(&header, false);
        if (!word.len) { /* nothing that belongs here */
            header = str_sub(header, 1, header.len);
            continue;
        }
        str before = header;
        skip(&before, " \t");
        if (str_starts_with(before, STR("="))) {
            header = str_sub(before, 1, before.len);
            skip(&header, " \t");
            take_member(c, word, &header, ours);
            continue;
        }
        bool bearer = str_eq_ignore_case(word, STR("Bearer"));
        bool dpop = str_eq_ignore_case(word, STR("DPoP"));
        c->bearer = c->bearer || bearer;
        c->dpop = c->dpop || dpop;
        ours = bearer || dpop;
    }
}
