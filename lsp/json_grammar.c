/* SPDX-License-Identifier: Apache-2.0 */
/* JSON Schema to grammar.
 *
 * Schemas come from MCP servers: their depth is that of the JSON parser, their size is bounded by
 * LIMIT_GRAMMAR_NODES, and a $ref that leads nowhere or in a circle without a value is any value or
 * nothing.  Between tokens of JSON a model may put what models usually put there: nothing, a blank,
 * or a new line with some indentation; never an endless run of blanks.
 */
#include "lsp/json_grammar.h"

#include <math.h>

#include <cjson/cJSON.h>

#include "engine/base/mem.h"
#include "engine/base/vec.h"

#define INDENT_MAX 24
#define STRING_MAX 8192 /* characters of a string whose schema has no maxLength */
#define KEY_MAX 64

typedef struct {
    const cJSON *schema;
    gsym symbol;
} known_ref;

typedef struct {
    grammar *g;
    const cJSON *root;
    strbuf *loose;
    VEC(known_ref) refs;
    gsym space, character, any; /* GSYM_NONE: not needed yet */
} maker;

static gsym value(maker *m, const cJSON *s);

static gsym literal(maker *m, const char *text) {
    return grammar_literal(m->g, str_of(text));
}

static gsym range(maker *m, int first, int last) {
    return grammar_range(m->g, (uint8_t)first, (uint8_t)last);
}

static gsym pair(maker *m, gsym a, gsym b) {
    gsym both[2] = {a, b};
    return grammar_sequence(m->g, both, 2);
}

static gsym either(maker *m, gsym a, gsym b) {
    gsym ways[2] = {a, b};
    return grammar_choice(m->g, ways, 2);
}

static gsym maybe(maker *m, gsym a) {
    return grammar_repeat(m->g, a, 0, 1);
}

static void is_loose(maker *m, const cJSON *s, const char *keyword) {
    if (!m->loose || !cJSON_HasObjectItem(s, keyword)) return;
    str have = strbuf_str(m->loose);
    for (str word; str_split(&have, ',', &word);)
        if (str_eq(str_trim(word), str_of(keyword))) return;
    strbuf_addf(m->loose, "%s%s", m->loose->len ? ", " : "", keyword);
}

/* A whole number of a schema, within bounds. */
static int number(const cJSON *s, const char *keyword, int least, int most, int otherwise) {
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(s, keyword);
    if (!cJSON_IsNumber(v) || isnan(v->valuedouble)) return otherwise;
    return (int)fmin(fmax(v->valuedouble, least), most);
}

/* ---- parts of JSON --------------------------------------------------------------------------- */

static gsym space(maker *m) {
    if (m->space != GSYM_NONE) return m->space;
    gsym blank = literal(m, " ");
    gsym line = pair(m, literal(m, "\n"), grammar_repeat(m->g, blank, 0, INDENT_MAX));
    return m->space = maybe(m, either(m, blank, line));
}

static gsym hex(maker *m) {
    gsym ways[] = {range(m, '0', '9'), range(m, 'a', 'f'), range(m, 'A', 'F')};
    return grammar_choice(m->g, ways, COUNTOF(ways));
}

/* Bytes first..last and then n in 0x80..0xBF, the first of these from `from` to `to`. */
static gsym utf8(maker *m, int first, int last, int from, int to, int n) {
    gsym parts[4] = {range(m, first, last), range(m, from, to), range(m, 0x80, 0xBF),
                     range(m, 0x80, 0xBF)};
    return grammar_sequence(m->g, parts, (size_t)n + 1);
}

/* One character of a string.  Surrogates are never escaped, so that no half of one can come. */
static gsym character(maker *m) {
    if (m->character != GSYM_NONE) return m->character;
    uint8_t plain[32] = {0};
    for (unsigned b = 0x20; b < 0x7F; b++)
        if (b != '"' && b != '\\') plain[b / 8] |= (uint8_t)(1u << b % 8);
    str letters[] = {STR("\""), STR("\\"), STR("/"), STR("b"),
                     STR("f"),  STR("n"),  STR("r"), STR("t")};
    gsym h = hex(m), d[] = {literal(m, "d"), range(m, '0', '7'), h, h};
    gsym other[] = {range(m, '0', '9'), range(m, 'a', 'c'), range(m, 'e', 'f')};
    gsym plane[] = {grammar_choice(m->g, other, COUNTOF(other)), h, h, h};
    gsym code = either(m, grammar_sequence(m->g, plane, 4), grammar_sequence(m->g, d, 4));
    gsym escape =
        either(m, grammar_words(m->g, letters, COUNTOF(letters)), pair(m, literal(m, "u"), code));
    gsym ways[] = {grammar_set(m->g, plain),           pair(m, literal(m, "\\"), escape),
                   utf8(m, 0xC2, 0xDF, 0x80, 0xBF, 1), utf8(m, 0xE0, 0xE0, 0xA0, 0xBF, 2),
                   utf8(m, 0xE1, 0xEC, 0x80, 0xBF, 2), utf8(m, 0xED, 0xED, 0x80, 0x9F, 2),
                   utf8(m, 0xEE, 0xEF, 0x80, 0xBF, 2), utf8(m, 0xF0, 0xF0, 0x90, 0xBF, 3),
                   utf8(m, 0xF1, 0xF3, 0x80, 0xBF, 3), utf8(m, 0xF4, 0xF4, 0x80, 0x8F, 3)};
    return m->character = grammar_choice(m->g, ways, COUNTOF(ways));
}

static gsym text(maker *m, int least, int most) {
    gsym parts[] = {literal(m, "\""), grammar_repeat(m->g, character(m), least, MAX(least, most)),
                    literal(m, "\"")};
    return grammar_sequence(m->g, parts, 3);
}

/* One character of a pattern, or a class of them: [a-z_]; its end is *at.  GSYM_NONE: more. */
static gsym pattern_atom(maker *m, str p, size_t *at) {
    uint8_t set[32] = {0};
    bool class = p.ptr[*at] == '[';
    size_t i = *at + class, end = i + 1;
    while (class && end < p.len && p.ptr[end] != ']')
        end++;
    if (end > p.len || (class && end == p.len)) return GSYM_NONE;
    for (; i < end; i++) {
        bool range = class && i + 2 < end && p.ptr[i + 1] == '-';
        unsigned first = (uint8_t)p.ptr[i], last = range ? (uint8_t)p.ptr[i + 2] : first;
        for (unsigned b = first; b <= last; b++) {
            bool word = (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || b == '_' || b == '-' ||
                        (b >= '0' && b <= '9');
            if (!word) return GSYM_NONE;
            set[b / 8] |= (uint8_t)(1u << b % 8);
        }
        i += range ? 2 : 0;
    }
    *at = end + class;
    return grammar_set(m->g, set);
}

/* A number of a pattern's {2,5}, of up to three digits; -1: there is none. */
static int pattern_count(str p, size_t *at) {
    int n = -1;
    for (size_t i = 0; i < 3 && *at < p.len && p.ptr[*at] >= '0' && p.ptr[*at] <= '9'; i++)
        n = MAX(n, 0) * 10 + (p.ptr[(*at)++] - '0');
    return n;
}

/* The patterns of names: ^ and $ around characters and classes with counts, "^[a-z][a-z0-9]{0,9}$".
 * GSYM_NONE: it is another one. */
static gsym pattern(maker *m, const cJSON *s) {
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(s, "pattern");
    if (!cJSON_IsString(v)) return GSYM_NONE;
    str p = str_of(v->valuestring);
    gsym made = literal(m, "\"");
    if (p.len < 3 || p.ptr[0] != '^' || p.ptr[p.len - 1] != '$') return GSYM_NONE;
    p = str_sub(p, 1, p.len - 1);
    for (size_t at = 0; at < p.len;) {
        int least = 1, most = 1;
        gsym one = pattern_atom(m, p, &at);
        if (one == GSYM_NONE) return GSYM_NONE;
        if (at < p.len && p.ptr[at] == '{') {
            at++;
            least = most = pattern_count(p, &at);
            if (at < p.len && p.ptr[at] == ',') {
                at++;
                most = pattern_count(p, &at);
            }
            if (least < 0 || most < MAX(least, 1) || at >= p.len || p.ptr[at++] != '}')
                return GSYM_NONE;
        }
        made = pair(m, made, grammar_repeat(m->g, one, least, most));
    }
    return pair(m, made, literal(m, "\""));
}

static gsym string(maker *m, const cJSON *s) {
    gsym shaped = pattern(m, s);
    if (shaped != GSYM_NONE) return shaped;
    is_loose(m, s, "pattern");
    is_loose(m, s, "format");
    int least = number(s, "minLength", 0, GRAMMAR_MANY - 1, 0);
    return text(m, least, number(s, "maxLength", least, GRAMMAR_MANY - 1, STRING_MAX));
}

static gsym digits(maker *m, bool sign) {
    gsym more = grammar_repeat(m->g, range(m, '0', '9'), 0, 14);
    gsym whole = either(m, literal(m, "0"), pair(m, range(m, '1', '9'), more));
    return sign ? pair(m, maybe(m, literal(m, "-")), whole) : whole;
}

/* All numbers of a small range; GSYM_NONE: it has none, or its ends are not both known. */
static gsym small_range(maker *m, const cJSON *s) {
    const cJSON *low = cJSON_GetObjectItemCaseSensitive(s, "minimum");
    const cJSON *high = cJSON_GetObjectItemCaseSensitive(s, "maximum");
    if (!cJSON_IsNumber(low) || !cJSON_IsNumber(high)) return GSYM_NONE;
    double from = ceil(low->valuedouble), to = floor(high->valuedouble);
    if (!(fabs(from) < 1e15 && to >= from && to - from < JSON_GRAMMAR_RANGE)) return GSYM_NONE;
    char names[JSON_GRAMMAR_RANGE][24];
    str words[JSON_GRAMMAR_RANGE];
    size_t n = 0;
    for (double v = from; v <= to; v += 1, n++) {
        snprintf(names[n], sizeof names[n], "%.0f", v + 0.0); /* + 0.0: no -0 */
        words[n] = str_of(names[n]);
    }
    return grammar_words(m->g, words, n);
}

static gsym whole_number(maker *m, const cJSON *s) {
    gsym small = small_range(m, s);
    if (small != GSYM_NONE) return small;
    const cJSON *low = cJSON_GetObjectItemCaseSensitive(s, "minimum");
    bool sign = !cJSON_IsNumber(low) || low->valuedouble < 0;
    if (sign || low->valuedouble > 0) is_loose(m, s, "minimum");
    static const char *const rest[] = {"maximum", "exclusiveMinimum", "exclusiveMaximum",
                                       "multipleOf"};
    for (size_t i = 0; i < COUNTOF(rest); i++)
        is_loose(m, s, rest[i]);
    return digits(m, sign);
}

static gsym any_number(maker *m, const cJSON *s) {
    static const char *const rest[] = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
                                       "multipleOf"};
    for (size_t i = 0; i < COUNTOF(rest); i++)
        is_loose(m, s, rest[i]);
    gsym fraction = pair(m, literal(m, "."), grammar_repeat(m->g, range(m, '0', '9'), 1, 15));
    return pair(m, digits(m, true), maybe(m, fraction));
}

/* ---- arrays and objects ---------------------------------------------------------------------- */

static gsym comma(maker *m) {
    return pair(m, literal(m, ","), space(m));
}

/* [ items ] with the rest of the list behind each comma. */
static gsym list_of(maker *m, const char *open, gsym item, int least, int most, const char *close) {
    gsym ends[] = {literal(m, open), space(m), literal(m, close)};
    gsym empty = grammar_sequence(m->g, ends, 3);
    if (most < 1) return empty;
    gsym more = grammar_repeat(m->g, pair(m, comma(m), item), MAX(least - 1, 0), most - 1);
    gsym parts[] = {literal(m, open), space(m), item, more, space(m), literal(m, close)};
    gsym full = grammar_sequence(m->g, parts, COUNTOF(parts));
    return least > 0 ? full : either(m, empty, full);
}

static gsym array(maker *m, const cJSON *s) {
    is_loose(m, s, "uniqueItems");
    is_loose(m, s, "prefixItems");
    is_loose(m, s, "contains");
    int least = number(s, "minItems", 0, GRAMMAR_MANY - 1, 0);
    int most = number(s, "maxItems", least, GRAMMAR_MANY - 1, MAX(least, JSON_GRAMMAR_ITEMS));
    return list_of(m, "[", value(m, cJSON_GetObjectItemCaseSensitive(s, "items")), least, most,
                   "]");
}

static gsym named(maker *m, gsym key, gsym val) {
    gsym parts[] = {key, literal(m, ":"), space(m), val};
    return grammar_sequence(m->g, parts, 4);
}

/* An object without named properties. */
static gsym free_object(maker *m, const cJSON *additional) {
    gsym item = named(m, text(m, 1, KEY_MAX), value(m, additional));
    return list_of(m, "{", item, 0, JSON_GRAMMAR_ITEMS, "}");
}

static bool is_required(const cJSON *s, const char *name) {
    const cJSON *r;
    cJSON_ArrayForEach(r, cJSON_GetObjectItemCaseSensitive(s, "required")) {
        if (cJSON_IsString(r) && strcmp(r->valuestring, name) == 0) return true;
    }
    return false;
}

/* Properties [i ..) to the closing brace, in two forms: `first`, nothing stands before them, and
 * `next`, something does.  Built from the last one up. */
static gsym fixed_object(maker *m, const cJSON *s, const cJSON *properties) {
    gsym end = pair(m, space(m), literal(m, "}"));
    gsym first = end, next = end;
    VEC(const cJSON *) all = {0};
    const cJSON *p;
    cJSON_ArrayForEach(p, properties) vec_push(&all, p);
    for (size_t i = all.count; i > 0; i--) {
        char *quoted = cJSON_PrintUnformatted(
            &(cJSON){.type = cJSON_String, .valuestring = all.at[i - 1]->string});
        gsym item = named(m, literal(m, quoted ? quoted : "\"\""), value(m, all.at[i - 1]));
        cJSON_free(quoted);
        gsym parts[] = {space(m), item, next}, later[] = {comma(m), item, next};
        gsym with_first = grammar_sequence(m->g, parts, 3);
        gsym with_next = grammar_sequence(m->g, later, 3);
        bool required = is_required(s, all.at[i - 1]->string);
        first = required ? with_first : either(m, with_first, first);
        next = required ? with_next : either(m, with_next, next);
    }
    vec_free(&all);
    return pair(m, literal(m, "{"), first);
}

static gsym object(maker *m, const cJSON *s) {
    static const char *const rest[] = {"patternProperties", "minProperties", "maxProperties",
                                       "dependentRequired", "propertyNames"};
    for (size_t i = 0; i < COUNTOF(rest); i++)
        is_loose(m, s, rest[i]);
    const cJSON *properties = cJSON_GetObjectItemCaseSensitive(s, "properties");
    const cJSON *additional = cJSON_GetObjectItemCaseSensitive(s, "additionalProperties");
    bool none = cJSON_IsFalse(additional);
    if (cJSON_GetArraySize(properties) == 0 && !none) return free_object(m, additional);
    return fixed_object(m, s, properties);
}

/* ---- schemas --------------------------------------------------------------------------------- */

static gsym any_value(maker *m) {
    if (m->any != GSYM_NONE) return m->any;
    m->any = grammar_forward(m->g);
    str words[] = {STR("true"), STR("false"), STR("null")};
    gsym item = named(m, text(m, 1, KEY_MAX), m->any);
    gsym ways[] = {text(m, 0, STRING_MAX), any_number(m, NULL), grammar_words(m->g, words, 3),
                   list_of(m, "[", m->any, 0, JSON_GRAMMAR_ITEMS, "]"),
                   list_of(m, "{", item, 0, JSON_GRAMMAR_ITEMS, "}")};
    grammar_define(m->g, m->any, grammar_choice(m->g, ways, COUNTOF(ways)));
    return m->any;
}

static gsym of_type(maker *m, const cJSON *s, const char *type) {
    str words[] = {STR("true"), STR("false")};
    if (!strcmp(type, "string")) return string(m, s);
    if (!strcmp(type, "integer")) return whole_number(m, s);
    if (!strcmp(type, "number")) return any_number(m, s);
    if (!strcmp(type, "boolean")) return grammar_words(m->g, words, 2);
    if (!strcmp(type, "null")) return literal(m, "null");
    if (!strcmp(type, "array")) return array(m, s);
    if (!strcmp(type, "object")) return object(m, s);
    return any_value(m);
}

static gsym choice_of(maker *m, const cJSON *list) {
    VEC(gsym) ways = {0};
    const cJSON *s;
    cJSON_ArrayForEach(s, list) vec_push(&ways, value(m, s));
    gsym made = ways.count ? grammar_choice(m->g, ways.at, ways.count) : any_value(m);
    vec_free(&ways);
    return made;
}

static gsym of_types(maker *m, const cJSON *s, const cJSON *types) {
    VEC(gsym) ways = {0};
    const cJSON *t;
    cJSON_ArrayForEach(t, types) {
        if (cJSON_IsString(t)) vec_push(&ways, of_type(m, s, t->valuestring));
    }
    gsym made = ways.count ? grammar_choice(m->g, ways.at, ways.count) : any_value(m);
    vec_free(&ways);
    return made;
}

/* The values themselves, as cJSON writes them. */
static gsym constants(maker *m, const cJSON *list, const cJSON *one) {
    VEC(str) words = {0};
    const cJSON *v = one ? one : list->child;
    for (; v; v = one ? NULL : v->next) {
        char *printed = cJSON_PrintUnformatted(v);
        if (printed) vec_push(&words, str_of(printed));
    }
    gsym made = words.count ? grammar_words(m->g, words.at, words.count) : any_value(m);
    for (size_t i = 0; i < words.count; i++)
        cJSON_free((char *)(uintptr_t)words.at[i].ptr);
    vec_free(&words);
    return made;
}

/* What a local reference names; NULL: nothing. */
static const cJSON *resolve(const maker *m, const char *ref) {
    const cJSON *at = m->root;
    str rest = str_of(ref), part;
    if (!str_starts_with(rest, STR("#"))) return NULL;
    rest = str_sub(rest, 1, rest.len);
    while (at && str_split(&rest, '/', &part)) {
        char name[128];
        if (part.len == 0) continue;
        if (part.len >= sizeof name) return NULL;
        memcpy(name, part.ptr, part.len);
        name[part.len] = 0;
        at = cJSON_GetObjectItemCaseSensitive(at, name);
    }
    return at;
}

static gsym of_ref(maker *m, const char *ref) {
    const cJSON *to = resolve(m, ref);
    if (!to) {
        if (m->loose && str_find(strbuf_str(m->loose), STR("$ref")) < 0)
            strbuf_addf(m->loose, "%s$ref", m->loose->len ? ", " : "");
        return any_value(m);
    }
    for (size_t i = 0; i < m->refs.count; i++)
        if (m->refs.at[i].schema == to) return m->refs.at[i].symbol;
    gsym forward = grammar_forward(m->g);
    vec_push(&m->refs, ((known_ref){to, forward}));
    grammar_define(m->g, forward, value(m, to));
    return forward;
}

static gsym value(maker *m, const cJSON *s) {
    if (!cJSON_IsObject(s)) return any_value(m);
    static const char *const rest[] = {"allOf", "not", "if"};
    for (size_t i = 0; i < COUNTOF(rest); i++)
        is_loose(m, s, rest[i]);
    const cJSON *v;
    if (cJSON_IsString(v = cJSON_GetObjectItemCaseSensitive(s, "$ref")))
        return of_ref(m, v->valuestring);
    if ((v = cJSON_GetObjectItemCaseSensitive(s, "const"))) return constants(m, NULL, v);
    if (cJSON_IsArray(v = cJSON_GetObjectItemCaseSensitive(s, "enum")))
        return constants(m, v, NULL);
    if (cJSON_IsArray(v = cJSON_GetObjectItemCaseSensitive(s, "anyOf"))) return choice_of(m, v);
    if (cJSON_IsArray(v = cJSON_GetObjectItemCaseSensitive(s, "oneOf"))) return choice_of(m, v);
    v = cJSON_GetObjectItemCaseSensitive(s, "type");
    if (cJSON_IsString(v)) return of_type(m, s, v->valuestring);
    if (cJSON_IsArray(v)) return of_types(m, s, v);
    if (cJSON_HasObjectItem(s, "properties")) return object(m, s);
    if (cJSON_HasObjectItem(s, "items")) return array(m, s);
    return any_value(m);
}

gsym json_grammar_value(grammar *g, const cJSON *schema, strbuf *loose) {
    maker m = {.g = g,
               .root = schema,
               .loose = loose,
               .space = GSYM_NONE,
               .character = GSYM_NONE,
               .any = GSYM_NONE};
    gsym made = value(&m, schema);
    vec_free(&m.refs);
    return made;
}
