/* SPDX-License-Identifier: Apache-2.0 */
/* Grammars: nodes in one array, sentences read by sets of stacks.
 *
 *     LITERAL  bytes[from .. from + n)                 a frame's `at`: bytes read
 *     SET      one byte of sets[from]                                  1: read
 *     SEQUENCE kids[from .. from + n)                                  parts begun
 *     CHOICE   one of kids[from .. from + n)           never stays on a stack
 *     REPEAT   kids[from], min to max times                            times begun
 *     FORWARD  what kids[from] is                      never stays on a stack
 *
 * Invariant of a state between calls: the top frame of each stack is a LITERAL or a SET with bytes
 * left, or the stack is empty; no two stacks are equal.
 */
#include "engine/grammar.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "engine/base/vec.h"

typedef enum { LITERAL, SET, SEQUENCE, CHOICE, REPEAT, FORWARD } node_kind;

typedef struct {
    node_kind kind;
    uint32_t from, n;
    uint32_t min, max;
} node;

typedef struct {
    uint8_t bits[32];
} byte_set;

struct grammar {
    VEC(node) nodes;
    VEC(gsym) kids;
    VEC(byte_set) sets;
    VEC(uint8_t) bytes;
    gsym start;
    bool broken; /* too large */
    atomic_int references;
};

grammar *grammar_new(void) {
    grammar *g = xcalloc(1, sizeof *g);
    g->start = GSYM_NONE;
    atomic_init(&g->references, 1);
    return g;
}

grammar *grammar_hold(grammar *g) {
    if (g) atomic_fetch_add(&g->references, 1);
    return g;
}

void grammar_release(grammar *g) {
    if (!g || atomic_fetch_sub(&g->references, 1) > 1) return;
    vec_free(&g->nodes);
    vec_free(&g->kids);
    vec_free(&g->sets);
    vec_free(&g->bytes);
    xfree(g);
}

/* ---- building -------------------------------------------------------------------------------- */

static gsym add_node(grammar *g, node n) {
    size_t all = g->nodes.count + g->kids.count + g->bytes.count / 8;
    g->broken |= all >= LIMIT_GRAMMAR_NODES;
    if (g->broken) return GSYM_NONE;
    vec_push(&g->nodes, n);
    return (gsym)g->nodes.count - 1;
}

gsym grammar_literal(grammar *g, str bytes) {
    g->broken |= bytes.len > LIMIT_GRAMMAR_NODES;
    node n = {.kind = LITERAL, .from = (uint32_t)g->bytes.count, .n = (uint32_t)bytes.len};
    for (size_t i = 0; i < bytes.len && !g->broken; i++)
        vec_push(&g->bytes, (uint8_t)bytes.ptr[i]);
    return add_node(g, n);
}

gsym grammar_set(grammar *g, const uint8_t set[32]) {
    byte_set s;
    memcpy(s.bits, set, sizeof s.bits);
    gsym made = add_node(g, (node){.kind = SET, .from = (uint32_t)g->sets.count});
    if (made != GSYM_NONE) vec_push(&g->sets, s);
    return made;
}

gsym grammar_range(grammar *g, uint8_t first, uint8_t last) {
    uint8_t set[32] = {0};
    for (unsigned b = first; b <= last; b++)
        set[b / 8] |= (uint8_t)(1u << b % 8);
    return grammar_set(g, set);
}

static gsym add_kids(grammar *g, node_kind kind, const gsym *of, size_t n) {
    node made = {.kind = kind, .from = (uint32_t)g->kids.count, .n = (uint32_t)n};
    for (size_t i = 0; i < n; i++)
        g->broken |= of[i] == GSYM_NONE;
    gsym s = add_node(g, made);
    for (size_t i = 0; i < n && s != GSYM_NONE; i++)
        vec_push(&g->kids, of[i]);
    return s;
}

gsym grammar_sequence(grammar *g, const gsym *of, size_t n) {
    return add_kids(g, SEQUENCE, of, n);
}

gsym grammar_choice(grammar *g, const gsym *of, size_t n) {
    ASSERT(n > 0);
    return add_kids(g, CHOICE, of, n);
}

gsym grammar_repeat(grammar *g, gsym of, int min, int max) {
    ASSERT(0 <= min && min <= max && max <= GRAMMAR_MANY);
    gsym s = add_kids(g, REPEAT, &of, 1);
    if (s == GSYM_NONE) return s;
    g->nodes.at[s].min = (uint32_t)min;
    g->nodes.at[s].max = (uint32_t)max;
    return s;
}

gsym grammar_forward(grammar *g) {
    gsym nothing = 0;
    return add_kids(g, FORWARD, &nothing, 1);
}

void grammar_define(grammar *g, gsym forward, gsym as) {
    if (forward == GSYM_NONE || as == GSYM_NONE) {
        g->broken = true;
        return;
    }
    ASSERT(g->nodes.at[forward].kind == FORWARD);
    g->kids.at[g->nodes.at[forward].from] = as;
}

static int compare_words(const void *a, const void *b) {
    const str *x = a, *y = b;
    size_t n = MIN(x->len, y->len);
    int d = n ? memcmp(x->ptr, y->ptr, n) : 0;
    return d ? d : (x->len > y->len) - (x->len < y->len);
}

/* Sorted words that agree in their first `depth` bytes, as a trie: a choice of many literals would
 * need a stack for each. */
static gsym add_trie(grammar *g, const str *w, size_t n, size_t depth) {
    size_t upto = depth; /* the first and the last agree in what all agree in */
    while (upto < w[0].len && w[0].ptr[upto] == w[n - 1].ptr[upto])
        upto++;
    gsym head = grammar_literal(g, str_sub(w[0], depth, upto));
    if (w[0].len == w[n - 1].len && w[0].len == upto) return head; /* all the same */
    VEC(gsym) ways = {0};
    for (size_t i = 0, end; i < n; i = end) {
        end = i + 1;
        if (w[i].len == upto) { /* ends here; its equals with it */
            while (end < n && w[end].len == upto)
                end++;
            vec_push(&ways, grammar_literal(g, (str){0}));
            continue;
        }
        while (end < n && w[end].ptr[upto] == w[i].ptr[upto])
            end++;
        vec_push(&ways, g->broken ? GSYM_NONE : add_trie(g, w + i, end - i, upto));
    }
    gsym parts[2] = {head, grammar_choice(g, ways.at, ways.count)};
    vec_free(&ways);
    return grammar_sequence(g, parts, 2);
}

gsym grammar_words(grammar *g, const str *words, size_t n) {
    ASSERT(n > 0);
    str *sorted = xmalloc(n * sizeof *sorted);
    memcpy(sorted, words, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, compare_words);
    gsym s = add_trie(g, sorted, n, 0);
    xfree(sorted);
    return s;
}

bool grammar_start(grammar *g, gsym start) {
    g->start = start;
    return !g->broken && start != GSYM_NONE;
}

/* ---- running --------------------------------------------------------------------------------- */

/* Of one expansion: a grammar that repeats nothing for ever would not end otherwise, and each
 * choice within a choice is a call. */
#define EXPAND_STEPS 4096
#define EXPAND_CALLS 64
typedef struct {
    int steps, calls;
} budget;

static void copy_stack(grammar_stack *to, const grammar_stack *from) {
    to->depth = from->depth;
    memcpy(to->frame, from->frame, (size_t)from->depth * sizeof *from->frame);
}

static bool is_same(const grammar_stack *a, const grammar_stack *b) {
    return a->depth == b->depth &&
           memcmp(a->frame, b->frame, (size_t)a->depth * sizeof *a->frame) == 0;
}

static void keep(grammar_state *s, const grammar_stack *stack) {
    for (int i = 0; i < s->n; i++)
        if (is_same(&s->stack[i], stack)) return;
    if (s->n < LIMIT_GRAMMAR_STACKS) copy_stack(&s->stack[s->n++], stack);
}

static bool push(grammar_stack *st, gsym s) {
    if (st->depth == LIMIT_GRAMMAR_DEPTH) return false;
    st->frame[st->depth++] = (grammar_frame){s, 0};
    return true;
}

static void expand(grammar_state *s, grammar_stack *st, budget *b);

/* Each of the choice's ways on a stack of its own; the last goes on with `st`. */
static void expand_choice(grammar_state *s, grammar_stack *st, const node *n, budget *b) {
    const gsym *kids = s->grammar->kids.at + n->from;
    for (uint32_t i = 0; i < n->n; i++) {
        grammar_stack way;
        copy_stack(&way, st);
        way.frame[way.depth - 1] = (grammar_frame){kids[i], 0};
        expand(s, &way, b);
    }
}

/* False: the stack has been kept or given up. */
static bool expand_top(grammar_state *s, grammar_stack *st, budget *b) {
    const grammar *g = s->grammar;
    grammar_frame *top = &st->frame[st->depth - 1];
    const node *n = &g->nodes.at[top->node];
    switch (n->kind) {
    case LITERAL:
    case SET:
        if (top->at < (n->kind == SET ? 1 : n->n)) {
            keep(s, st);
            return false;
        }
        st->depth--;
        return true;
    case FORWARD: *top = (grammar_frame){g->kids.at[n->from], 0}; return true;
    case CHOICE: expand_choice(s, st, n, b); return false;
    case SEQUENCE: {
        if (top->at == n->n) {
            st->depth--;
            return true;
        }
        gsym kid = g->kids.at[n->from + top->at++];
        if (top->at == n->n) st->depth--; /* the last part stands for the whole */
        return push(st, kid);
    }
    case REPEAT: {
        if (top->at >= n->min) {
            grammar_stack way;
            copy_stack(&way, st);
            way.depth--;
            expand(s, &way, b);
        }
        if (n->max == GRAMMAR_MANY ? false : top->at >= n->max) return false;
        if (n->max != GRAMMAR_MANY || top->at < n->min) top->at++;
        return push(st, g->kids.at[n->from]);
    }
    }
    return false;
}

/* Until a byte is wanted: keeps the stacks that `st` can become. */
static void expand(grammar_state *s, grammar_stack *st, budget *b) {
    bool more = b->calls++ < EXPAND_CALLS;
    while (more && st->depth > 0)
        more = --b->steps >= 0 && expand_top(s, st, b);
    if (more) keep(s, st);
    b->calls--;
}

void grammar_begin(grammar_state *s, const grammar *g) {
    ASSERT(g->start != GSYM_NONE && !g->broken);
    grammar_stack st = {.depth = 0};
    budget b = {.steps = EXPAND_STEPS};
    s->grammar = g;
    s->n = 0;
    push(&st, g->start);
    expand(s, &st, &b);
}

void grammar_copy(grammar_state *to, const grammar_state *from) {
    to->grammar = from->grammar;
    to->n = from->n;
    for (int i = 0; i < from->n; i++)
        copy_stack(&to->stack[i], &from->stack[i]);
}

/* to = from and one byte more. */
static void advance_byte(grammar_state *to, const grammar_state *from, uint8_t byte) {
    const grammar *g = from->grammar;
    budget b = {.steps = EXPAND_STEPS};
    to->grammar = g;
    to->n = 0;
    for (int i = 0; i < from->n; i++) {
        const grammar_stack *st = &from->stack[i];
        if (st->depth == 0) continue;
        const grammar_frame *top = &st->frame[st->depth - 1];
        const node *n = &g->nodes.at[top->node];
        bool fits = n->kind == SET ? (g->sets.at[n->from].bits[byte / 8] >> byte % 8 & 1) != 0
                                   : g->bytes.at[n->from + top->at] == byte;
        if (!fits) continue;
        grammar_stack next;
        copy_stack(&next, st);
        next.frame[next.depth - 1].at++;
        expand(to, &next, &b);
    }
}

bool grammar_accepts(const grammar_state *s, str bytes, grammar_state *scratch) {
    grammar_copy(scratch, s);
    return grammar_advance(scratch, bytes);
}

bool grammar_advance(grammar_state *s, str bytes) {
    grammar_state next;
    for (size_t i = 0; i < bytes.len && s->n > 0; i++) {
        advance_byte(&next, s, (uint8_t)bytes.ptr[i]);
        grammar_copy(s, &next);
    }
    return s->n > 0;
}

bool grammar_may_end(const grammar_state *s) {
    for (int i = 0; i < s->n; i++)
        if (s->stack[i].depth == 0) return true;
    return false;
}

bool grammar_must_end(const grammar_state *s) {
    return s->n == 1 && s->stack[0].depth == 0;
}
