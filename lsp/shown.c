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
 *     one character more: typed.  More at once, up to the end of a word or line: accepted partly;
 *     up to the item's end: accepted.  (Editors that gather fast keys into one message can make
 *     typing look like a partial acceptance, which nobody can tell apart from here.)
 */
#include "lsp/shown.h"

#include "engine/base/mem.h"
#include "engine/base/utf8.h"

void shown_clear(shown *v) {
    for (size_t i = 0; i < SHOWN_MAX; i++)
        xfree(v->texts[i]);
    *v = (shown){0};
}

/* Are the items what remains of the one that is shown? */
static bool continues(const shown *v, size_t offset, const shown_item *items, size_t n) {
    if (!v->count || offset != v->anchor + v->typed) return false;
    str rest = str_sub(v->items[v->at].text, v->typed, v->items[v->at].text.len);
    return n > 0 && str_eq(items[0].text, rest);
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
 * there, without `gone` bytes behind them? */
static bool stands(const shown *v, str document, const shown_item *item, size_t typed,
                   size_t gone) {
    if (v->anchor > document.len || gone > v->tail) return false;
    if (document.len - v->anchor != typed + v->tail - gone) return false;
    str before = str_sub(document, v->anchor - MIN(v->anchor, v->before_len), v->anchor);
    str behind = str_sub(document, v->anchor, document.len);
    str after = {v->after, v->after_len};
    return str_eq(before, (str){v->before, v->before_len}) &&
           str_starts_with(behind, str_sub(item->text, 0, typed)) &&
           str_starts_with(str_sub(behind, typed, behind.len), str_sub(after, gone, after.len));
}

/* How much of the item stands in the document; SIZE_MAX: the text went another way. */
static size_t typed_now(const shown *v, str document, const shown_item *item) {
    if (v->anchor > document.len) return SIZE_MAX;
    if (stands(v, document, item, item->text.len, item->swallows)) return item->text.len;
    size_t behind = document.len - v->anchor;
    if (behind < v->tail || behind - v->tail > item->text.len) return SIZE_MAX;
    return stands(v, document, item, behind - v->tail, 0) ? behind - v->tail : SIZE_MAX;
}

static bool is_word(char c) {
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (unsigned char)c >= 0x80;
}

static shown_event judge(const shown_item *item, size_t was, size_t now) {
    if (now == was) return SHOWN_SAME;
    if (now < was) return SHOWN_DELETED;
    bool piece = utf8_count(str_sub(item->text, was, now)) > 1;
    if (now == item->text.len) return piece ? SHOWN_ACCEPTED : SHOWN_TYPED_OUT;
    bool edge = !is_word(item->text.ptr[now - 1]) || !is_word(item->text.ptr[now]);
    return piece && edge ? SHOWN_PARTLY : SHOWN_TYPED;
}

shown_event shown_look(shown *v, str document) {
    if (!v->count) return SHOWN_SAME;
    for (size_t i = 0; i < v->count; i++) {
        size_t at = (v->at + i) % v->count; /* the one that was followed so far first */
        size_t now = typed_now(v, document, &v->items[at]);
        if (now == SIZE_MAX) continue;
        shown_event e = judge(&v->items[at], v->typed, now);
        v->at = at;
        v->typed = now;
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
