/* SPDX-License-Identifier: Apache-2.0 */
/* Our edits, made by an editor that holds its text in UTF-16: whatever was in it, surrogate pairs,
 * lone surrogates and every kind of line end included, the new text comes out.
 *
 * The editor here is written without any of our code: it counts units, knows line ends from the
 * protocol's text, and gets the edits as JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>
#include <cmocka.h>

#include "engine/base/mem.h"
#include "engine/base/vec.h"
#include "lsp/protocol_actions.h"
#include "mcp/rpc.h"

typedef VEC(uint16_t) units;

static uint64_t random_below(uint64_t *seed, uint64_t n) {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed % n;
}

/* ---- texts in UTF-16 ------------------------------------------------------------------------- */

static uint16_t random_unit(uint64_t *seed) {
    static const uint16_t common[] = {'a', 'b', ' ', '\t', '}', 'x', '=', '\n', '\n', '\r'};
    switch (random_below(seed, 12)) {
    case 0: return (uint16_t)(0xD800 + random_below(seed, 0x400)); /* lone, or half by chance */
    case 1: return (uint16_t)(0xDC00 + random_below(seed, 0x400));
    case 2: return (uint16_t)(0x80 + random_below(seed, 0x780));
    case 3: return (uint16_t)(0x800 + random_below(seed, 0xD000));
    case 4: return 0xFFFD;
    default: return common[random_below(seed, COUNTOF(common))];
    }
}

static void add_random(uint64_t *seed, units *out, uint64_t most) {
    for (uint64_t n = random_below(seed, most); n > 0; n--) {
        uint64_t kind = random_below(seed, 10);
        if (kind == 0) { /* a pair */
            vec_push(out, (uint16_t)(0xD800 + random_below(seed, 0x400)));
            vec_push(out, (uint16_t)(0xDC00 + random_below(seed, 0x400)));
        } else if (kind == 1) {
            vec_push(out, '\r');
            vec_push(out, '\n');
        } else {
            vec_push(out, random_unit(seed));
        }
    }
}

static bool is_high(uint16_t u) {
    return u >= 0xD800 && u < 0xDC00;
}

static bool is_low(uint16_t u) {
    return u >= 0xDC00 && u < 0xE000;
}

/* As JavaScript writes it: half a pair is an escape of its own. */
static char *as_json(const units *t) {
    strbuf out;
    strbuf_init(&out, 1u << 20);
    strbuf_add_str(&out, STR("{\"t\":\""));
    for (size_t i = 0; i < t->count; i++) {
        uint16_t u = t->at[i];
        if (u >= ' ' && u < 127 && u != '"' && u != '\\')
            strbuf_add_char(&out, (char)u);
        else
            strbuf_addf(&out, "\\u%04x", u);
    }
    strbuf_add_str(&out, STR("\"}"));
    return strbuf_take(&out);
}

/* UTF-8 to UTF-16, the textbook's way. */
static void add_utf8(units *out, const char *text) {
    for (const unsigned char *c = (const unsigned char *)text; *c;) {
        int more = *c < 0x80 ? 0 : *c < 0xE0 ? 1 : *c < 0xF0 ? 2 : 3;
        uint32_t cp = more == 0 ? *c : (uint32_t)(*c & (0x3F >> more));
        for (c++; more > 0; more--, c++)
            cp = cp << 6 | (*c & 0x3F);
        if (cp >= 0x10000) {
            vec_push(out, (uint16_t)(0xD800 + ((cp - 0x10000) >> 10)));
            cp = 0xDC00 + ((cp - 0x10000) & 0x3FF);
        }
        vec_push(out, (uint16_t)cp);
    }
}

/* ---- the editor ------------------------------------------------------------------------------ */

static size_t place(const units *t, const cJSON *position) {
    int line = cJSON_GetObjectItemCaseSensitive(position, "line")->valueint;
    int character = cJSON_GetObjectItemCaseSensitive(position, "character")->valueint;
    size_t at = 0;
    for (; line > 0; at++) {
        assert_true(at < t->count); /* there is such a line */
        bool crlf = t->at[at] == '\r' && at + 1 < t->count && t->at[at + 1] == '\n';
        at += crlf;
        line -= t->at[at] == '\n' || t->at[at] == '\r';
    }
    for (; character > 0; character--, at++)
        assert_true(at < t->count && t->at[at] != '\n' && t->at[at] != '\r'); /* in the line */
    bool pair = at > 0 && at < t->count && is_high(t->at[at - 1]) && is_low(t->at[at]);
    assert_false(pair); /* no edit cuts a character */
    return at;
}

/* All ranges are of the text before, in order, and none touches the inside of another. */
static void make_edits(const units *before, const cJSON *edits, units *after) {
    size_t done = 0;
    const cJSON *one;
    cJSON_ArrayForEach(one, edits) {
        const cJSON *range = cJSON_GetObjectItemCaseSensitive(one, "range");
        size_t from = place(before, cJSON_GetObjectItemCaseSensitive(range, "start"));
        size_t to = place(before, cJSON_GetObjectItemCaseSensitive(range, "end"));
        assert_true(from >= done && to >= from);
        for (; done < from; done++)
            vec_push(after, before->at[done]);
        add_utf8(after, cJSON_GetObjectItemCaseSensitive(one, "newText")->valuestring);
        done = to;
    }
    for (; done < before->count; done++)
        vec_push(after, before->at[done]);
}

/* ---- the property ---------------------------------------------------------------------------- */

/* The text as the server gets it. */
static char *as_server(const units *t) {
    char *json = as_json(t);
    cJSON *message = NULL;
    err e;
    assert_int_equal(rpc_parse(json, strlen(json), &message, &e), OK);
    char *text = xstrdup(cJSON_GetObjectItemCaseSensitive(message, "t")->valuestring);
    cJSON_Delete(message);
    xfree(json);
    return text;
}

/* A new text: some places of the old one written anew, or another one. */
static void vary(uint64_t *seed, const units *before, units *after) {
    if (random_below(seed, 5) == 0) {
        add_random(seed, after, 60);
        return;
    }
    for (size_t i = 0; i < before->count; i++) {
        uint64_t kind = random_below(seed, 24);
        if (kind == 0) add_random(seed, after, 5);
        if (kind != 1) vec_push(after, before->at[i]);
    }
}

static void check(uint64_t *seed) {
    units before = {0}, meant = {0}, want = {0}, got = {0};
    add_random(seed, &before, 60);
    vary(seed, &before, &meant);
    char *old = as_server(&before), *new = as_server(&meant);
    add_utf8(&want, new);
    context *c = context_new();
    document *d;
    arena a;
    err e;
    text_edit *edits;
    lsp_features features = {.document_changes = true};
    lsp_edit_note note = {"", "", false};
    arena_init(&a);
    assert_int_equal(context_open(c, STR("file:///a"), STR("a"), STR(""), str_of(old), 1, &d, &e),
                     OK);
    size_t n = change_diff(document_text(d), str_of(new), &a, &edits);
    cJSON *json = protocol_edit(&features, ENCODING_UTF16, d, edits, n, &note);
    char *wire = cJSON_PrintUnformatted(json);
    cJSON *heard = cJSON_Parse(wire);
    const cJSON *changes = cJSON_GetObjectItemCaseSensitive(heard, "documentChanges");
    make_edits(&before, cJSON_GetObjectItemCaseSensitive(cJSON_GetArrayItem(changes, 0), "edits"),
               &got);
    assert_int_equal(got.count, want.count);
    for (size_t i = 0; i < got.count; i++) {
        /* A half that was left alone; the server sees U+FFFD there, one unit as well. */
        uint16_t u = got.at[i];
        if ((is_high(u) || is_low(u)) && want.at[i] == 0xFFFD) continue;
        assert_int_equal(u, want.at[i]);
    }
    cJSON_Delete(heard);
    cJSON_free(wire);
    cJSON_Delete(json);
    arena_deinit(&a);
    context_free(c);
    xfree(old);
    xfree(new);
    vec_free(&before);
    vec_free(&meant);
    vec_free(&want);
    vec_free(&got);
}

static void test_any_text(void **state) {
    UNUSED(state);
    uint64_t seed = 9;
    for (int round = 0; round < 20000; round++)
        check(&seed);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_any_text)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
