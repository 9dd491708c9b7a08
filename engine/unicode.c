/* SPDX-License-Identifier: Apache-2.0 */
/* Class lookup: a table for ASCII (nearly all of source code), a binary search over about 3,300
 * ranges for the rest; the same for lower case.  The tables are written by engine/unicode_gen.py.
 * Thread: any. */
#include "engine/unicode.h"

#include "engine/unicode_tables.h"

uint8_t unicode_class(uint32_t cp) {
    if (cp < COUNTOF(unicode_ascii)) return unicode_ascii[cp];
    if (cp > 0x10FFFF) return 0;
    size_t lo = 0, hi = UNICODE_RANGES; /* unicode_ranges[lo] begins at or before cp */
    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;
        if (unicode_ranges[mid] >> 8 <= cp)
            lo = mid;
        else
            hi = mid;
    }
    return (uint8_t)unicode_ranges[lo];
}

uint32_t unicode_fold(uint32_t cp) {
    if (cp < 128) return cp >= 'A' && cp <= 'Z' ? cp + 32 : cp;
    size_t lo = 0, hi = UNICODE_FOLDS;
    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;
        if (unicode_folds[mid].first <= cp)
            lo = mid;
        else
            hi = mid;
    }
    const unicode_fold_run *r = &unicode_folds[lo]; /* the last that begins at or before cp */
    uint32_t at = cp - r->first;
    bool inside = r->first <= cp && at % r->step == 0 && at / r->step < r->count;
    if (!inside) return cp;
    return r->difference ? (uint32_t)((int32_t)cp + r->difference) : 0;
}
