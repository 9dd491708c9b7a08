/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Monotonic time; tests replace the source. */
#include "engine/base/base.h"

uint64_t clock_us(void);  /* microseconds since an arbitrary start; never goes back */
double clock_ms(void);    /* the same in milliseconds */
void clock_set_source(uint64_t (*us)(void)); /* NULL restores the real clock */
