/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of patterns, secrets, words and diffs from arbitrary bytes: no answer may take long or
 * reach outside, and what was masked holds no secret any more that was found in it.
 *
 * Input: the list, a NUL, the path. */
#include "context/ignore.h"
#include "context/secret.h"
#include "context/unified.h"
#include "context/words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_list(str list, str path) {
    ignore_list rules = {.fold = path.len % 2};
    if (ignore_add(&rules, list)) {
        for (size_t i = 0; i < rules.rules.count; i++) {
            const ignore_rule *r = &rules.rules.at[i];
            ASSERT(r->length > 0 && r->at + r->length <= strlen(rules.text));
        }
        ignore_answer file = ignore_match(&rules, path, false);
        ignore_answer folder = ignore_match(&rules, path, true);
        ASSERT(file <= IGNORE_NO && folder <= IGNORE_NO);
    }
    ignore_deinit(&rules);
}

static void check_secrets(str text) {
    size_t start, end, from = 0, found = 0, masked;
    while (secret_next(text, from, &start, &end)) {
        ASSERT(start >= from && start <= end && end <= text.len);
        found++;
        from = MAX(end, from + 1);
    }
    arena a;
    arena_init(&a);
    str out = secret_mask(text, &a, &masked);
    ASSERT((masked > 0) == (found > 0) && (masked > 0 || str_eq(out, text)));
    arena_deinit(&a);
}

/* Each kind of line is what its name says, and the path is that of the file it stands in. */
static void check_diff(str text) {
    unified_reader r = {.rest = text};
    unified_kind kind;
    str line;
    size_t lines = 0;
    while ((kind = unified_next(&r, &line))) {
        ASSERT(++lines <= text.len + 1 && line.ptr >= text.ptr);
        ASSERT(line.ptr + line.len <= text.ptr + text.len);
        ASSERT(kind != UNIFIED_ADDED || line.ptr[0] == '+');
        ASSERT(kind != UNIFIED_REMOVED || line.ptr[0] == '-');
        ASSERT(kind != UNIFIED_SAME || !line.len || line.ptr[0] == ' ');
        ASSERT(!r.path.len || (r.path.ptr >= text.ptr && !memchr(r.path.ptr, '\n', r.path.len)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    str all = {(const char *)data, MIN(size, 4096)}, word;
    const char *nul = all.len ? memchr(all.ptr, '\0', all.len) : NULL;
    size_t cut = nul ? (size_t)(nul - all.ptr) : all.len / 2;
    check_list(str_sub(all, 0, cut), str_sub(all, cut + (nul != NULL), all.len));
    check_secrets(all);
    check_diff(all);
    word_set words = {{0}};
    word_set_add(&words, all);
    ASSERT(word_set_likeness(&words, &words) <= 1.0f);
    for (size_t left = all.len; word_next(&all, &word); left = all.len)
        ASSERT(word.len >= 3 && all.len < left);
    return 0;
}
