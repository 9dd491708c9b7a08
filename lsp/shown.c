/* SPDX-License-Identifier: Apache-2.0 */
/* Acceptance, inferred.
 *
 *     when shown:     ... before | after ...             the anchor is the bar
 *     now:            ... before typed after ...         typed: a beginning of an item
 *
 * Everything behind the anchor but `typed` has the length that it had, and near the anchor the same
 * bytes; so the length of the document says how long `typed` must be, and the bytes say whether it
 * is.  Edits far from the anchor move it (or change the length behind it) and mean nothing else.
 *
 * Brackets and quotes that an editor closes by itself may stand between `typed` and `after`.
 *
 *     one character more: typed.  More at once, up to the end of a word or line: accepted partly;
 *     up to the item's end: accepted.  (Editors that gather fast keys into one message can make
 *     typing look like a partial acceptance, which nobody can tell apart from here.)
 */
#include "lsp/shown.h"

#include "engine/base/mem.h"
#include "engine/base/utf8.h"
#include "lsp/suggestion.h"

void shown_clear(shown *v) {
    for (size_t i = 0; i < SHOWN_MAX; i++)
        xfree(v->texts[i]);
    *v = (shown){0};
}

/* Are the items what remains of the shown one (but for brackets that are closed already)? */
static bool continues(const shown *v, size_t offset, const shown_item *items, size_t n) {
    if (!v->count || offset != v->anchor + v->typed) return false;
    str rest = str_sub(v->items[v->at].text, v->typed, v->items[v->at].text.len);
    return n > 0 && str_starts_with(rest, items[0].text) &&
           rest.len - items[0].text.len <= v->closers;
}

bool shown_show(shown *v, str document, size_t offset, const shown_item *items, size_t n) {
    if (continues(v, offset, items, n)) return false;
    shown_clear(v);
    for (size_t i = 0; i < n && i < SHOWN_MAX; i++) {
        v->items[i] = items[i];
        v->texts[i] = xstrndup(items[i].text.ptr, items[i].text.len);
        v->items[i].text.ptr = v->texts[i];
        v->count++;
    }
    v->anchor = offset;
    v->tail = document.len - offset;
    v->before_len = MIN(offset, SHOWN_EDGE_BYTES);
    v->after_len = MIN(v->tail, SHOWN_EDGE_BYTES);
    if (v->before_len) memcpy(v->before, document.ptr + offset - v->before_len, v->before_len);
    if (v->after_len) memcpy(v->after, document.ptr + offset, v->after_len);
    return true;
}

void shown_edit(shown *v, size_t from, size_t to, size_t added) {
    if (!v->count) return;
    if (to + v->before_len <= v->anchor)
        v->anchor = v->anchor - (to - from) + added;
    else if (from >= v->anchor + v->typed + v->after_len)
        v->tail = v->tail - MIN(to - from, v->tail) + added;
}

/* Does `document` have the first `typed` bytes of an item at the anchor, and around them what was
 * there, without `gone` bytes and with `closers` brackets of the editor's own behind them? */
static bool stands(const shown *v, str document, const shown_item *item, size_t typed, size_t gone,
                   size_t closers) {
    if (v->anchor > document.len || gone > v->tail) return false;
    if (document.len - v->anchor != typed + closers + v->tail - gone) return false;
    for (size_t i = 0; i < closers; i++) {
        if (!suggestion_is_closer(document.ptr[v->anchor + typed + i])) return false;
    }
    str before = str_sub(document, v->anchor - MIN(v->anchor, v->before_len), v->anchor);
    str behind = str_sub(document, v->anchor, document.len);
    str after = {v->after, v->after_len};
    return str_eq(before, (str){v->before, v->before_len}) &&
           str_starts_with(behind, str_sub(item->text, 0, typed)) &&
           str_starts_with(str_sub(behind, typed + closers, behind.len),
                           str_sub(after, gone, after.len));
}

/* How much of the item stands in the document, and how many brackets of the editor's own behind it;
 * SIZE_MAX: the text went another way. */
static size_t typed_now(const shown *v, str document, const shown_item *item, size_t *own) {
    *own = 0;
    if (v->anchor > document.len) return SIZE_MAX;
    if (stands(v, document, item, item->text.len, item->swallows, 0)) return item->text.len;
    size_t behind = document.len - v->anchor;
    for (size_t closers = 0; closers <= SUGGESTION_CLOSERS; closers++) {
        if (behind < v->tail + closers || behind - v->tail - closers > item->text.len) continue;
        size_t typed = behind - v->tail - closers;
        *own = closers;
        if ((typed || !closers) && stands(v, document, item, typed, 0, closers)) return typed;
    }
    return SIZE_MAX;
}

static bool is_word(char c) {
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (unsigned char)c >= 0x80;
}

/* `own`: brackets that stood there already and now count as the item's. */
static shown_event judge(const shown_item *item, size_t was, size_t now, size_t own) {
    if (now == was) return SHOWN_SAME;
    if (now < was) return SHOWN_DELETED;
    bool piece = utf8_count(str_sub(item->text, was, now)) > 1 + own;
    if (now == item->text.len) return piece ? SHOWN_ACCEPTED : SHOWN_TYPED_OUT;
    bool edge = !is_word(item->text.ptr[now - 1]) || !is_word(item->text.ptr[now]);
    return piece && edge ? SHOWN_PARTLY : SHOWN_TYPED;
}

shown_event shown_look(shown *v, str document) {
    if (!v->count) return SHOWN_SAME;
    for (size_t i = 0; i < v->count; i++) {
        size_t at = (v->at + i) % v->count; /* the one that was followed so far first */
        size_t closers, now = typed_now(v, document, &v->items[at], &closers);
        if (now == SIZE_MAX) continue;
        size_t own = v->closers > closers ? v->closers - closers : 0;
        shown_event e = judge(&v->items[at], v->typed, now, own);
        v->at = at;
        v->typed = now;
        v->closers = closers;
        if (e == SHOWN_ACCEPTED || e == SHOWN_TYPED_OUT) v->count = 0;
        return e;
    }
    v->count = 0;
    return SHOWN_LEFT;
}

const shown_item *shown_find(const shown *v, str id) {
    for (size_t i = 0; i < SHOWN_MAX; i++) {
        if (v->texts[i] && str_eq(str_of(v->items[i].id), id)) return &v->items[i];
    }
    return NULL;
}
