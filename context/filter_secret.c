/* SPDX-License-Identifier: Apache-2.0 */
/* Secret: models make up keys, and repeat those of their training; none is worth showing. */
#include "context/filter.h"
#include "context/secret.h"

const char *filter_secret(candidate *c) {
    size_t start, end;
    /* With what stands before it on the line, because a name there may tell what the value is. */
    str line = str_of(arena_printf(c->a, "%.*s%.*s", STR_ARG(c->before), STR_ARG(c->text)));
    for (size_t from = 0; secret_next(line, from, &start, &end); from = MAX(end, from + 1))
        if (end > c->before.len) return "secret";
    return NULL;
}
