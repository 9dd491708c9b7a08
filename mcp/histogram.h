/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Times of calls: log-linear buckets (8 per doubling, so within 13 %), the last minutes only. */
#include "engine/base/base.h"

#define HISTOGRAM_BUCKETS 240 /* 1 us to about 1,000 s */

typedef struct {
    uint32_t counts[2][HISTOGRAM_BUCKETS]; /* the current slice and the one before */
    uint64_t max_us[2];
    double turn_ms; /* when the current slice ends */
} histogram;

void histogram_add(histogram *h, uint64_t us, double now_ms);
/* The time that `part` (0 to 1) of the calls did not exceed; 0 without calls. */
uint64_t histogram_quantile(const histogram *h, double part);
uint64_t histogram_max(const histogram *h);
