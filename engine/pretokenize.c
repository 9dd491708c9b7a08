/* SPDX-License-Identifier: Apache-2.0 */
/* Pre-tokenisers: passes of patterns over decoded text.
 *
 * A family is a list of patterns (pretokenize_tables.h).  The first one splits the text into
 * matches and the gaps between them; the next splits each of these pieces further, and so on; what
 * is left after the last are the words.  Look-ahead ends at the piece, as it does when a regular
 * expression is run on every piece by itself.
 *
 * Two kinds of pattern are enough.  A *run* is one class of characters, maybe with one blank before
 * it.  A *word* is the alternation that GPT-2 began and later models vary:
 *
 *     contraction | lead? letters | digits | ' '? punctuation tail | blanks newline | blanks(?!\S)
 *
 * Bytes that are no UTF-8 count as one U+FFFD each and are passed on unchanged.
 * Source: the regular expressions in the models' own tokenizer.json files. */
#include "engine/pretokenize.h"

#include "engine/base/mem.h"
#include "engine/base/utf8.h"
#include "engine/unicode.h"

typedef struct {
    uint32_t cp;
    uint8_t class;
    size_t at; /* byte offset in the text */
} uchar;

typedef struct pattern pattern;
struct pattern {
    /* End of the match that starts at i, or i when there is none. */
    size_t (*match)(const pattern *p, const uchar *c, size_t i, size_t end);

    /* run */
    bool (*in)(const uchar *c); /* the class */
    bool lead;                  /* one blank (\s) may stand before ... */
    bool lead_space;            /* ... or one space, and nothing else */
    bool at_end;                /* only at the end of the piece */
    size_t min, max;            /* characters; 0: 1 and unlimited */

    /* word */
    enum { NO_CONTRACTION, CONTRACTION_FIRST, CONTRACTION_AFTER } contraction;
    uint8_t lead_not;      /* classes (beside newlines) that may not stand before letters */
    uint8_t letters;       /* classes of the letters */
    bool cased;            /* upper before lower, as in CamelCase */
    bool ascii_lead;       /* [!-~ punctuation][A-Za-z]+ comes first */
    size_t digits;         /* at most so many together; 0: digits have no alternative */
    uint8_t punct_not;     /* punctuation is everything without these classes, or ... */
    uint8_t punct;         /* ... everything with one of these */
    bool punct_no_newline; /* and it takes no \r \n */
    const char *tail;      /* characters that punctuation takes along */
};

#include "engine/pretokenize_tables.h"

/* ---- small matchers ------------------------------------------------------------------------ */

static bool is_newline(const uchar *c) {
    return c->cp == '\n' || c->cp == '\r';
}

static size_t skip(const uchar *c, size_t i, size_t end, uint8_t classes) {
    while (i < end && (c[i].class & classes))
        i++;
    return i;
}

static size_t match_run(const pattern *p, const uchar *c, size_t i, size_t end) {
    size_t from = i;
    bool lead = (p->lead && (c[i].class & UC_SPACE)) || (p->lead_space && c[i].cp == ' ');
    if (lead && i + 1 < end && p->in(&c[i + 1])) from = i + 1;
    size_t max = p->max ? MIN(end - from, p->max) : end - from;
    size_t n = 0;
    while (n < max && p->in(&c[from + n]))
        n++;
    if (n < MAX(p->min, 1) || (p->at_end && from + n != end)) return i;
    return from + n;
}

static uint32_t fold(uint32_t cp) {
    if (cp == 0x17F)
        return 's'; /* the long s folds to s, and no other letter to those we ask for */
    return cp >= 'A' && cp <= 'Z' ? cp + 32 : cp;
}

/* 's 't 're 've 'm 'll 'd */
static size_t match_contraction(const uchar *c, size_t i, size_t end, bool any_case) {
    if (c[i].cp != '\'' || i + 1 >= end) return i;
    uint32_t a = any_case ? fold(c[i + 1].cp) : c[i + 1].cp;
    if (a == 's' || a == 't' || a == 'm' || a == 'd') return i + 2;
    if (i + 2 >= end) return i;
    uint32_t b = any_case ? fold(c[i + 2].cp) : c[i + 2].cp;
    if ((b == 'e' && (a == 'r' || a == 'v')) || (a == 'l' && b == 'l')) return i + 3;
    return i;
}

/* \s+(?!\S)|\s+ : all but the last blank, which belongs to the next word; a single one stays. */
static size_t match_blanks(const uchar *c, size_t i, size_t end) {
    size_t j = skip(c, i, end, UC_SPACE);
    return j == end || j <= i + 1 ? j : j - 1;
}

/* \s*[\r\n]+ : up to the last newline of the blanks. */
static size_t match_newlines(const uchar *c, size_t i, size_t end) {
    size_t j = skip(c, i, end, UC_SPACE);
    while (j > i && !is_newline(&c[j - 1]))
        j--;
    return j;
}

/* ---- words --------------------------------------------------------------------------------- */

/* U*l+ where U is all letters but lower case, l all but upper case: some are both. */
static size_t match_upper_lower(const uchar *c, size_t i, size_t end, uint8_t letters) {
    uint8_t upper = letters & (uint8_t)~UC_LOWER, lower = letters & (uint8_t)~UC_UPPER;
    size_t j = skip(c, i, end, upper);
    if (j < end && (c[j].class & lower)) return skip(c, j, end, lower);
    while (j > i && !(c[j - 1].class & lower))
        j--; /* give back to the last letter that is both */
    return j;
}

/* U+l* */
static size_t match_upper(const uchar *c, size_t i, size_t end, uint8_t letters) {
    size_t j = skip(c, i, end, letters & (uint8_t)~UC_LOWER);
    return j == i ? i : skip(c, j, end, letters & (uint8_t)~UC_UPPER);
}

static bool can_lead(const pattern *p, const uchar *c) {
    return !is_newline(c) && !(c->class & p->lead_not);
}

static size_t match_cased(const pattern *p, const uchar *c, size_t i, size_t end) {
    size_t (*const forms[])(const uchar *, size_t, size_t, uint8_t) = {match_upper_lower,
                                                                       match_upper};
    for (size_t f = 0; f < COUNTOF(forms); f++) {
        for (size_t lead = can_lead(p, &c[i]); lead <= 1; lead--) { /* 1, then 0 */
            size_t from = i + lead;
            size_t j = from < end ? forms[f](c, from, end, p->letters) : from;
            if (j == from) continue;
            if (p->contraction == CONTRACTION_AFTER && j < end)
                j = match_contraction(c, j, end, true);
            return j;
        }
    }
    return i;
}

static size_t match_letters(const pattern *p, const uchar *c, size_t i, size_t end) {
    if (p->cased) return match_cased(p, c, i, end);
    if (can_lead(p, &c[i])) {
        size_t j = skip(c, i + 1, end, p->letters);
        if (j > i + 1) return j;
    }
    return skip(c, i, end, p->letters);
}

static bool is_ascii_letter(uint32_t cp) {
    return (cp | 32) >= 'a' && (cp | 32) <= 'z';
}

static size_t match_ascii_lead(const uchar *c, size_t i, size_t end) {
    if (c[i].cp >= 128 || !(c[i].class & (UC_PUNCT | UC_SYMBOL))) return i;
    size_t j = i + 1;
    while (j < end && is_ascii_letter(c[j].cp))
        j++;
    return j > i + 1 ? j : i;
}

static bool is_punct(const pattern *p, const uchar *c) {
    if (p->punct_no_newline && is_newline(c)) return false;
    return p->punct ? (c->class & p->punct) != 0 : !(c->class & p->punct_not);
}

static size_t match_punct(const pattern *p, const uchar *c, size_t i, size_t end) {
    size_t from = c[i].cp == ' ' && i + 1 < end ? i + 1 : i;
    size_t j = from;
    while (j < end && is_punct(p, &c[j]))
        j++;
    if (j == from) return i;
    while (j < end && c[j].cp < 128 && c[j].cp && strchr(p->tail, (int)c[j].cp))
        j++;
    return j;
}

static size_t match_word(const pattern *p, const uchar *c, size_t i, size_t end) {
    size_t j = i;
    if (p->ascii_lead) j = match_ascii_lead(c, i, end);
    if (j == i && p->contraction == CONTRACTION_FIRST) j = match_contraction(c, i, end, true);
    if (j == i) j = match_letters(p, c, i, end);
    if (j == i && p->digits) j = skip(c, i, MIN(end, i + p->digits), UC_NUMBER);
    if (j == i) j = match_punct(p, c, i, end);
    if (j == i) j = match_newlines(c, i, end);
    if (j == i) j = match_blanks(c, i, end);
    return j;
}

/* GPT-2: a space may stand before letters, digits and punctuation; newlines are blanks. */
static size_t match_gpt2(const pattern *p, const uchar *c, size_t i, size_t end) {
    UNUSED(p);
    size_t j = match_contraction(c, i, end, false);
    if (j != i) return j;
    size_t from = c[i].cp == ' ' && i + 1 < end ? i + 1 : i;
    uint8_t class = c[from].class;
    if (class & UC_LETTER) return skip(c, from, end, UC_LETTER);
    if (class & UC_NUMBER) return skip(c, from, end, UC_NUMBER);
    if (class & UC_SPACE) return match_blanks(c, i, end);
    for (j = from; j < end && !(c[j].class & (UC_SPACE | UC_LETTER | UC_NUMBER));)
        j++;
    return j;
}

/* ---- the passes ---------------------------------------------------------------------------- */

typedef struct {
    const uchar *c;
    str text;
    void (*emit)(void *ud, str word);
    void *ud;
} job;

static void split(const job *w, const pattern *const *pass, size_t from, size_t end) {
    if (from == end) return;
    if (!*pass) {
        w->emit(w->ud, str_sub(w->text, w->c[from].at, w->c[end].at));
        return;
    }
    size_t gap = from;
    for (size_t i = from; i < end;) {
        size_t j = (*pass)->match(*pass, w->c, i, end);
        if (j == i) {
            i++;
            continue;
        }
        split(w, pass + 1, gap, i);
        split(w, pass + 1, i, j);
        gap = i = j;
    }
    split(w, pass + 1, gap, end);
}

void pretokenize(const pretokenizer *p, str text, void (*emit)(void *ud, str word), void *ud) {
    uchar *c = xmalloc((text.len + 1) * sizeof *c);
    size_t n = 0;
    for (size_t at = 0; at < text.len; n++) {
        c[n].at = at;
        uint8_t byte = (uint8_t)text.ptr[at];
        c[n].cp = byte;
        at += byte < 128 ? 1 : (size_t)utf8_decode(str_sub(text, at, text.len), &c[n].cp);
        c[n].class = unicode_class(c[n].cp);
    }
    c[n] = (uchar){.at = text.len};
    split(&(job){c, text, emit, ud}, p->passes, 0, n);
    xfree(c);
}

const pretokenizer *pretokenizer_find(str name) {
    if (name.len == 0) name = STR("default");
    for (size_t i = 0; i < COUNTOF(pretokenizers); i++) {
        str names = str_of(pretokenizers[i].names), one;
        while (str_split(&names, ' ', &one)) {
            if (str_eq(one, name)) return &pretokenizers[i];
        }
    }
    return NULL;
}

const char *pretokenizer_name(const pretokenizer *p) {
    return p->name;
}

bool pretokenizer_ignores_merges(const pretokenizer *p) {
    return p->ignores_merges;
}

bool pretokenizer_adds_bos(const pretokenizer *p) {
    return p->adds_bos;
}
