/* SPDX-License-Identifier: Apache-2.0 */
/* The small readers of outside bytes in lsp/, one by the input's first byte: settings, URIs,
 * positions in every encoding, the cache of suggestions, and what becomes of a shown one. */
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/utf8.h"
#include "lsp/position.h"
#include "lsp/settings.h"
#include "lsp/shown.h"
#include "lsp/suggestion.h"
#include "lsp/uri.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t take(str *in, size_t below) {
    if (in->len < 2) return 0;
    size_t n = (unsigned char)in->ptr[0] * 256u + (unsigned char)in->ptr[1];
    *in = str_sub(*in, 2, in->len);
    return below ? n % below : 0;
}

static void try_settings(str in) {
    settings s;
    err e;
    settings_default(&s);
    status st = settings_apply_text(&s, in, NULL, NULL, &e);
    ASSERT(st == OK || e.text[0]);
    ASSERT(s.completion.candidates >= 1 && s.completion.candidates <= SHOWN_MAX);
    ASSERT(s.completion.max_tokens >= 1 && s.completion.cache_entries >= 0);
    ASSERT(memchr(s.model, 0, sizeof s.model));
}

static void try_uri(str in) {
    arena a;
    arena_init(&a);
    str root = str_sub(in, 0, take(&in, 32)), path = uri_path(in, &a);
    ASSERT(path.len <= in.len);
    str relative = uri_relative(path, &root, 1);
    ASSERT(relative.len <= path.len && str_ends_with(path, relative));
    arena_deinit(&a);
}

static void try_position(str in) {
    context *c = context_new();
    document *d;
    position_encoding enc = (position_encoding)take(&in, 3);
    lsp_position at = {(uint32_t)take(&in, 8), (uint32_t)take(&in, 300)};
    status s = context_open(c, STR("u"), STR("a.txt"), STR(""), in, 0, &d, NULL);
    ASSERT(s == OK);
    size_t offset = position_to_offset(d, enc, at);
    str text = document_text(d);
    ASSERT(offset <= text.len && utf8_is_valid(str_sub(text, 0, offset)));
    lsp_position back = position_of_offset(d, enc, offset);
    ASSERT(position_to_offset(d, enc, back) == offset); /* a place has one position */
    ASSERT(back.line < at.line || (back.line == at.line && back.character <= at.character));
    context_close(c, d);
    context_free(c);
}

/* A suggestion is shown, the text is edited, and both memories are asked. */
static void try_memory(str in) {
    suggestion_cache *cache = suggestion_cache_new(3);
    shown v = {0};
    arena a;
    arena_init(&a);
    for (int round = 0; round < 4 && in.len > 4; round++) {
        str text = str_sub(in, 0, take(&in, 64)), item = str_sub(in, text.len, text.len + 24);
        size_t offset = take(&in, text.len + 1), to = offset + take(&in, text.len - offset + 1);
        suggestion s = {offset, offset, to, item};
        suggestion_cache_put(cache, STR("u"), text, &s);
        shown_item shows = {.id = "1", .text = item, .swallows = to - offset};
        if (item.len) (void)shown_show(&v, text, offset, &shows, 1);
        size_t from = take(&in, text.len + 1), end = from + take(&in, text.len - from + 1);
        size_t typed = take(&in, item.len + 1);
        str added = str_sub(item, 0, typed);
        char *now = arena_printf(&a, "%.*s%.*s%.*s", (int)from, text.ptr, STR_ARG(added),
                                 (int)(text.len - end), text.ptr + end);
        shown_edit(&v, from, end, added.len);
        (void)shown_look(&v, str_of(now));
        ASSERT(v.at < SHOWN_MAX && v.typed <= v.items[v.at].text.len);
        suggestion found[4];
        size_t cursor = MIN(from + added.len, strlen(now));
        size_t n = suggestion_cache_find(cache, STR("u"), str_of(now), cursor, &a, found, 4);
        for (size_t i = 0; i < n; i++)
            ASSERT(found[i].text.len && found[i].from == cursor && found[i].to <= strlen(now));
    }
    shown_clear(&v);
    suggestion_cache_free(cache);
    arena_deinit(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static void (*const tries[])(str) = {try_settings, try_uri, try_position, try_memory};
    if (size < 1 || size > 8192) return 0;
    log_set_level(LOG_ERROR);
    tries[data[0] % COUNTOF(tries)]((str){(const char *)data + 1, size - 1});
    return 0;
}
