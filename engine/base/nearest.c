/* SPDX-License-Identifier: Apache-2.0 */
/* Edit distance over short names.  Three rows of the table are kept, as a swap looks two rows back.
 * Source: optimal string alignment distance (Damerau 1964, restricted to disjoint swaps). */
#include "engine/base/nearest.h"

#define NAME_MAX_BYTES 63

size_t name_distance(str a, str b) {
    if (a.len > NAME_MAX_BYTES || b.len > NAME_MAX_BYTES) return 2 * NAME_MAX_BYTES;
    size_t rows[3][NAME_MAX_BYTES + 1] = {{0}};
    for (size_t j = 0; j <= b.len; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t *now = rows[i % 3], *last = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t replace = last[j - 1] + (a.ptr[i - 1] != b.ptr[j - 1]);
            now[j] = MIN(replace, MIN(last[j], now[j - 1]) + 1);
            bool swapped =
                i > 1 && j > 1 && a.ptr[i - 1] == b.ptr[j - 2] && a.ptr[i - 2] == b.ptr[j - 1];
            if (swapped) now[j] = MIN(now[j], before[j - 2] + 1);
        }
    }
    return rows[a.len % 3][b.len];
}

bool name_is_near(str typed, size_t distance) {
    return distance <= 1 + typed.len / 4;
}
