/* SPDX-License-Identifier: Apache-2.0 */
/* Tools for a model.
 *
 * Up to AGENT_TOOLS they are offered, each with one sentence and a schema without what says nothing
 * to a model.  Beyond, every definition would cost each round's prompt some hundred tokens and a
 * small model its judgement, so three are offered instead: find_tools searches names and
 * descriptions, show_tool gives one's schema, call_tool calls what has been shown; its grammar
 * knows the schemas of these.
 */
#include "lsp/agent_tools.h"

#include <math.h>

#include "engine/base/limits.h"
#include "engine/base/utf8.h"
#include "lsp/json_grammar.h"
#include "lsp/json_value.h"

#define FOUND_MAX 8
static const char find_name[] = "find_tools", show_name[] = "show_tool", call_name[] = "call_tool";

/* Spare ones make a search of what would be few; where it must be a search, they cost nothing. */
static bool leaves_out_spare(const agent_tool *tools, size_t n) {
    size_t usual = 0;
    for (size_t i = 0; i < n; i++)
        usual += !tools[i].spare;
    return n > AGENT_TOOLS && usual <= AGENT_TOOLS;
}

void toolbox_init(toolbox *b, chat_tool_style style, const agent_tool *tools, size_t n) {
    bool few = leaves_out_spare(tools, n);
    *b = (toolbox){.style = style};
    for (size_t i = 0; i < n; i++) {
        if (few && tools[i].spare) continue;
        vec_push(&b->tools, ((toolbox_tool){.name = xstrdup(tools[i].name),
                                            .description = xstrdup(
                                                tools[i].description ? tools[i].description : ""),
                                            .schema = cJSON_Duplicate(tools[i].schema, true)}));
    }
}

void toolbox_deinit(toolbox *b) {
    for (size_t i = 0; i < b->tools.count; i++) {
        xfree(b->tools.at[i].name);
        xfree(b->tools.at[i].description);
        cJSON_Delete(b->tools.at[i].schema);
    }
    vec_free(&b->tools);
}

static bool is_large(const toolbox *b) {
    return b->tools.count > AGENT_TOOLS;
}

static toolbox_tool *find(const toolbox *b, const char *name) {
    for (size_t i = 0; name && i < b->tools.count; i++)
        if (!strcmp(b->tools.at[i].name, name)) return &b->tools.at[i];
    return NULL;
}

/* ---- what the model sees --------------------------------------------------------------------- */

#define SENTENCE_BYTES 1024
#define SLIM_DEPTH 32 /* below, a schema stays as it is */

/* The first sentence, without the end of a line in it. */
static str first_sentence(str text) {
    str line = {0};
    text = str_trim(text);
    str_split(&text, '\n', &line);
    ptrdiff_t end = str_find(line, STR(". "));
    if (end >= 0) line.len = (size_t)end + 1;
    line.len = MIN(line.len, SENTENCE_BYTES);
    line.len = utf8_complete_prefix(line);
    return line;
}

/* Takes out what a model's prompt has no use for; calls are held to the schema as it was. */
static void slim(cJSON *schema, int depth) {
    static const char *const useless[] = {"$schema", "title", "examples"};
    cJSON *of, *one, *description = cJSON_GetObjectItemCaseSensitive(schema, "description");
    if (depth > SLIM_DEPTH) return;
    for (size_t i = 0; cJSON_IsObject(schema) && i < COUNTOF(useless); i++)
        cJSON_DeleteItemFromObjectCaseSensitive(schema, useless[i]);
    if (cJSON_IsString(description)) {
        str s = first_sentence(str_of(description->valuestring));
        char *text = xstrndup(s.ptr, s.len);
        cJSON_SetValuestring(description, text);
        xfree(text);
    }
    cJSON_ArrayForEach(of, schema) {
        bool names = of->string && !strcmp(of->string, "properties"); /* not members of a schema */
        bool values = of->string && (!strcmp(of->string, "enum") || !strcmp(of->string, "const") ||
                                     !strcmp(of->string, "default"));
        if (names)
            cJSON_ArrayForEach(one, of) slim(one, depth + 1);
        else if (!values && (cJSON_IsObject(of) || cJSON_IsArray(of)))
            slim(of, depth + 1);
    }
}

static cJSON *slim_copy(const cJSON *schema) {
    cJSON *copy = cJSON_Duplicate(schema, true);
    slim(copy, 0);
    return copy;
}

static cJSON *one_text(const char *name, const char *meaning) {
    cJSON *s = cJSON_CreateObject(), *p, *t;
    cJSON_AddStringToObject(s, "type", "object");
    p = cJSON_AddObjectToObject(s, "properties");
    t = cJSON_AddObjectToObject(p, name);
    cJSON_AddStringToObject(t, "type", "string");
    cJSON_AddStringToObject(t, "description", meaning);
    cJSON_AddItemToArray(cJSON_AddArrayToObject(s, "required"), cJSON_CreateString(name));
    return s;
}

static void add_function(cJSON *to, const char *name, const char *description, cJSON *schema) {
    cJSON *tool = cJSON_CreateObject(), *f;
    cJSON_AddStringToObject(tool, "type", "function");
    f = cJSON_AddObjectToObject(tool, "function");
    cJSON_AddStringToObject(f, "name", name);
    cJSON_AddStringToObject(f, "description", description);
    cJSON_AddItemToObject(f, "parameters", schema ? schema : cJSON_CreateObject());
    cJSON_AddItemToArray(to, tool);
}

/* The definitions that are offered, in the form that templates expect. */
static cJSON *definitions(const toolbox *b) {
    cJSON *all = cJSON_CreateArray();
    if (!is_large(b)) {
        for (size_t i = 0; i < b->tools.count; i++) {
            const toolbox_tool *t = &b->tools.at[i];
            str line = first_sentence(str_of(t->description));
            char *text = xstrndup(line.ptr ? line.ptr : "", line.len);
            add_function(all, t->name, text, slim_copy(t->schema));
            xfree(text);
        }
        return all;
    }
    add_function(all, find_name, "Search the tools that exist by a few words.",
                 one_text("query", "words that the tool's name or description may have"));
    add_function(all, show_name, "Show what one tool does and which arguments it takes.",
                 one_text("name", "a name that find_tools gave"));
    cJSON *call = one_text("name", "a tool that show_tool has shown");
    cJSON *properties = cJSON_GetObjectItemCaseSensitive(call, "properties");
    cJSON_AddStringToObject(cJSON_AddObjectToObject(properties, "arguments"), "type", "object");
    cJSON_AddItemToArray(cJSON_GetObjectItemCaseSensitive(call, "required"),
                         cJSON_CreateString("arguments"));
    add_function(all, call_name, "Call a tool that was shown, with its arguments.", call);
    return all;
}

chat_value toolbox_for_template(const toolbox *b, arena *a) {
    if (b->tools.count == 0 || b->style == CHAT_TOOLS_NONE) return (chat_value){0};
    cJSON *all = definitions(b);
    chat_value v = json_chat_value(all, a);
    cJSON_Delete(all);
    return v;
}

void toolbox_explain(const toolbox *b, strbuf *out) {
    if (b->tools.count == 0 || b->style != CHAT_TOOLS_NONE) return;
    cJSON *all = definitions(b), *tool;
    strbuf_add_str(out, STR("\n\nYou may call a tool when you need what it knows. These exist:\n"));
    cJSON_ArrayForEach(tool, all) {
        char *text = cJSON_PrintUnformatted(cJSON_GetObjectItemCaseSensitive(tool, "function"));
        if (text) strbuf_addf(out, "%s\n", text);
        cJSON_free(text);
    }
    strbuf_add_str(out, STR("To call one, write only this, and wait for its result:\n<tool_call>\n"
                            "{\"name\": \"NAME\", \"arguments\": {}}\n</tool_call>"));
    cJSON_Delete(all);
}

/* ---- how a call is written ------------------------------------------------------------------- */

str toolbox_trigger(const toolbox *b) {
    switch (b->style) {
    case CHAT_TOOLS_BARE: return STR("{\"name\":");
    case CHAT_TOOLS_LIST: return STR("[TOOL_CALLS]");
    case CHAT_TOOLS_NONE:
    case CHAT_TOOLS_TAGGED: break;
    }
    return STR("<tool_call>");
}

static gsym blank(grammar *g) {
    str words[] = {STR(""), STR(" "), STR("\n")};
    return grammar_words(g, words, COUNTOF(words));
}

static gsym quoted(grammar *g, const char *text) {
    char *json = cJSON_PrintUnformatted(
        &(cJSON){.type = cJSON_String, .valuestring = (char *)(uintptr_t)text});
    gsym s = grammar_literal(g, str_of(json ? json : "\"\""));
    cJSON_free(json);
    return s;
}

/* "NAME", "ARGUMENTS": {...} and the end of the object. */
static gsym rest_of_call(grammar *g, const toolbox *b, const char *name, gsym arguments) {
    bool bare = b->style == CHAT_TOOLS_BARE;
    gsym space = grammar_repeat(g, grammar_literal(g, STR(" ")), 0, 1);
    gsym parts[] = {space,
                    quoted(g, name),
                    grammar_literal(g, STR(",")),
                    space,
                    grammar_literal(g, bare ? STR("\"parameters\":") : STR("\"arguments\":")),
                    space,
                    arguments,
                    grammar_literal(g, STR("}"))};
    return grammar_sequence(g, parts, COUNTOF(parts));
}

/* {"name": "NAME", "arguments": {..}} for call_tool, one way for each tool that was shown. */
static gsym inner_calls(grammar *g, const toolbox *b) {
    VEC(gsym) ways = {0};
    toolbox plain = {.style = CHAT_TOOLS_TAGGED};
    for (size_t i = 0; i < b->tools.count; i++) {
        const toolbox_tool *t = &b->tools.at[i];
        if (!t->seen) continue;
        gsym parts[] = {grammar_literal(g, STR("{\"name\":")),
                        rest_of_call(g, &plain, t->name, json_grammar_value(g, t->schema, NULL))};
        vec_push(&ways, grammar_sequence(g, parts, 2));
    }
    gsym s = ways.count ? grammar_choice(g, ways.at, ways.count) : GSYM_NONE;
    vec_free(&ways);
    return s;
}

static gsym all_calls(grammar *g, const toolbox *b) {
    VEC(gsym) ways = {0};
    for (size_t i = 0; i < b->tools.count && !is_large(b); i++) {
        const toolbox_tool *t = &b->tools.at[i];
        vec_push(&ways, rest_of_call(g, b, t->name, json_grammar_value(g, t->schema, NULL)));
    }
    if (is_large(b)) {
        cJSON *query = one_text("query", ""), *name = one_text("name", "");
        vec_push(&ways, rest_of_call(g, b, find_name, json_grammar_value(g, query, NULL)));
        vec_push(&ways, rest_of_call(g, b, show_name, json_grammar_value(g, name, NULL)));
        gsym inner = inner_calls(g, b);
        if (inner != GSYM_NONE) vec_push(&ways, rest_of_call(g, b, call_name, inner));
        cJSON_Delete(query);
        cJSON_Delete(name);
    }
    gsym s = grammar_choice(g, ways.at, ways.count);
    vec_free(&ways);
    return s;
}

grammar *toolbox_grammar(const toolbox *b) {
    grammar *g = grammar_new();
    gsym open = grammar_literal(g, STR("{\"name\":"));
    gsym call = all_calls(g, b), start = call;
    if (b->style == CHAT_TOOLS_TAGGED || b->style == CHAT_TOOLS_NONE) {
        gsym parts[] = {blank(g), open, call, blank(g), grammar_literal(g, STR("</tool_call>"))};
        start = grammar_sequence(g, parts, COUNTOF(parts));
    } else if (b->style == CHAT_TOOLS_LIST) {
        gsym parts[] = {blank(g), grammar_literal(g, STR("[")), open, call,
                        grammar_literal(g, STR("]"))};
        start = grammar_sequence(g, parts, COUNTOF(parts));
    }
    if (grammar_start(g, start)) return g;
    grammar_release(g);
    return NULL;
}

bool toolbox_parse(const toolbox *b, str text, toolbox_call *out, size_t *begin) {
    str trigger = toolbox_trigger(b);
    ptrdiff_t at = str_find(text, trigger);
    if (b->tools.count == 0 || at < 0) return false;
    size_t from = (size_t)at + (b->style == CHAT_TOOLS_BARE ? 0 : trigger.len);
    str json = str_sub(text, from, text.len);
    *begin = (size_t)at;
    out->whole = cJSON_ParseWithLength(json.ptr, json.len); /* what follows the value is ignored */
    const cJSON *call = cJSON_IsArray(out->whole) ? out->whole->child : out->whole;
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(call, "name");
    out->name = cJSON_GetStringValue(name);
    out->arguments = cJSON_GetObjectItemCaseSensitive(
        call, b->style == CHAT_TOOLS_BARE ? "parameters" : "arguments");
    if (out->name) return true;
    cJSON_Delete(out->whole);
    *out = (toolbox_call){0};
    return false;
}

/* ---- the three that stand for many ----------------------------------------------------------- */

/* BM25: a word of the query counts the more, the fewer tools have it; often in a short text more
 * than often in a long one.  A tool's text is its name, NAME_WEIGHT times, and its description. */
#define QUERY_WORDS 16
#define NAME_WEIGHT 3
#define BM25_K 1.2
#define BM25_B 0.75

typedef struct {
    double words;            /* of its text */
    double has[QUERY_WORDS]; /* how often it has each word of the query */
} matches;

static bool is_word_byte(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (unsigned char)c >= 0x80;
}

/* The next word; names are split at what joins them (read_file, a__b).  Empty: there is none. */
static str next_word(str *text) {
    size_t from = 0;
    while (from < text->len && !is_word_byte(text->ptr[from]))
        from++;
    size_t to = from;
    while (to < text->len && is_word_byte(text->ptr[to]))
        to++;
    str word = str_sub(*text, from, to);
    *text = str_sub(*text, to, text->len);
    return word;
}

static char lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
}

/* Also of the word's plural, or of its beginning: who searches does not know the exact form. */
static bool means(str word, str asked) {
    if (word.len < asked.len) return asked.len == word.len + 1 && means(asked, word);
    for (size_t i = 0; i < asked.len; i++)
        if (lower(word.ptr[i]) != lower(asked.ptr[i])) return false;
    return word.len == asked.len || asked.len >= 3;
}

static void count_words(matches *m, str text, double weight, const str *asked, size_t n) {
    for (str word; (word = next_word(&text)).len;) {
        m->words += weight;
        for (size_t k = 0; k < n; k++)
            if (means(word, asked[k])) m->has[k] += weight;
    }
}

static double score(const matches *m, const double *rare, size_t n, double usual_words) {
    double sum = 0, length = BM25_K * (1 - BM25_B + BM25_B * m->words / MAX(usual_words, 1.0));
    for (size_t k = 0; k < n; k++)
        if (m->has[k] > 0) sum += rare[k] * m->has[k] * (BM25_K + 1) / (m->has[k] + length);
    return sum;
}

/* Fills scores[], one a tool. */
static void rank(const toolbox *b, str query, double *scores) {
    str asked[QUERY_WORDS];
    size_t n = 0, count = b->tools.count;
    double rare[QUERY_WORDS], words = 0;
    for (str word; n < QUERY_WORDS && (word = next_word(&query)).len;)
        asked[n++] = word;
    matches *all = xcalloc(MAX(count, 1), sizeof *all);
    for (size_t i = 0; i < count; i++) {
        count_words(&all[i], str_of(b->tools.at[i].name), NAME_WEIGHT, asked, n);
        count_words(&all[i], str_of(b->tools.at[i].description), 1, asked, n);
        words += all[i].words;
    }
    for (size_t k = 0; k < n; k++) {
        double with = 0;
        for (size_t i = 0; i < count; i++)
            with += all[i].has[k] > 0;
        rare[k] = log(1 + ((double)count - with + 0.5) / (with + 0.5));
    }
    for (size_t i = 0; i < count; i++)
        scores[i] = score(&all[i], rare, n, words / (double)count);
    xfree(all);
}

/* The best matches, in order, each with the first line of its description. */
static void find_tools(const toolbox *b, str query, strbuf *out) {
    size_t best[FOUND_MAX], n = 0;
    double *scores = xcalloc(MAX(b->tools.count, 1), sizeof *scores);
    rank(b, query, scores);
    for (size_t i = 0; i < b->tools.count; i++) {
        if (scores[i] <= 0) continue;
        size_t at = n;
        while (at > 0 && scores[best[at - 1]] < scores[i])
            at--;
        if (at == FOUND_MAX) continue;
        n = MIN(n + 1, (size_t)FOUND_MAX);
        memmove(best + at + 1, best + at, (n - at - 1) * sizeof *best);
        best[at] = i;
    }
    xfree(scores);
    for (size_t i = 0; i < n; i++) {
        const toolbox_tool *t = &b->tools.at[best[i]];
        str rest = str_of(t->description), line = {0};
        str_split(&rest, '\n', &line);
        strbuf_addf(out, "%s: %.*s\n", t->name, (int)MIN(line.len, 200), line.ptr);
    }
    if (n == 0) strbuf_addf(out, "no tool matches; there are %zu", b->tools.count);
}

static void show_tool(toolbox *b, const char *name, strbuf *out) {
    toolbox_tool *t = find(b, name);
    if (!t) {
        strbuf_add_str(out, STR("there is no tool of that name; find_tools lists them"));
        return;
    }
    char *schema = t->schema ? cJSON_PrintUnformatted(t->schema) : NULL;
    t->seen = true;
    strbuf_addf(out, "%s: %s\narguments: %s", t->name, t->description, schema ? schema : "{}");
    cJSON_free(schema);
}

bool toolbox_answer(toolbox *b, const toolbox_call *c, strbuf *answer, const char **tool,
                    const cJSON **arguments) {
    const toolbox_tool *t = NULL;
    *arguments = c->arguments;
    if (!is_large(b)) {
        t = find(b, c->name);
    } else if (!strcmp(c->name, find_name)) {
        const cJSON *q = cJSON_GetObjectItemCaseSensitive(c->arguments, "query");
        find_tools(b, str_of(cJSON_GetStringValue(q)), answer);
        return true;
    } else if (!strcmp(c->name, show_name)) {
        const cJSON *name = cJSON_GetObjectItemCaseSensitive(c->arguments, "name");
        show_tool(b, cJSON_GetStringValue(name), answer);
        return true;
    } else if (!strcmp(c->name, call_name)) {
        const cJSON *name = cJSON_GetObjectItemCaseSensitive(c->arguments, "name");
        t = find(b, cJSON_GetStringValue(name));
        *arguments = cJSON_GetObjectItemCaseSensitive(c->arguments, "arguments");
    }
    *tool = t ? t->name : NULL;
    return false;
}
