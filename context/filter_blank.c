/* SPDX-License-Identifier: Apache-2.0 */
/* Blank: white space at the end goes; a suggestion of white space alone is none. */
#include "context/filter.h"

const char *filter_blank(candidate *c) {
    size_t n = c->text.len;
    while (n > 0 && strchr(" \t\n", c->text.ptr[n - 1]))
        n--;
    c->text = str_sub(c->text, 0, n);
    return n ? NULL : "empty";
}
