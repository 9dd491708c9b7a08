/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The one growable typed array:   VEC(int32_t) ids = {0};  vec_push(&ids, 7);  vec_free(&ids);
 * Elements live in `ids.at[0 .. ids.count)`.  The caller bounds the count before pushing. */
#include "engine/base/mem.h"

#define VEC(T)                                                                                     \
    struct {                                                                                       \
        T *at;                                                                                     \
        size_t count, cap;                                                                         \
    }
#define vec_reserve(v, n)                                                                          \
    ((v)->cap >= (n) ? (void)0                                                                     \
                     : (void)((v)->at = xrealloc((v)->at, (n) * sizeof *(v)->at), (v)->cap = (n)))
#define vec_push(v, x)                                                                             \
    do {                                                                                           \
        if ((v)->count == (v)->cap) vec_reserve((v), (v)->cap ? (v)->cap * 2 : 8);                 \
        (v)->at[(v)->count++] = (x);                                                               \
    } while (0)
#define vec_remove(v, i)                                                                           \
    (memmove((v)->at + (i), (v)->at + (i) + 1, ((v)->count - (i)-1) * sizeof *(v)->at),            \
     (void)(v)->count--)
#define vec_clear(v) ((void)((v)->count = 0))
#define vec_free(v) (xfree((v)->at), (v)->at = NULL, (void)((v)->count = (v)->cap = 0))
