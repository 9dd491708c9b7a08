/* SPDX-License-Identifier: Apache-2.0 */
/* Log-linear histogram over two alternating slices of five minutes.  Pure. */
#include "mcp/histogram.h"

#define SLICE_MS 300000.0
#define PER_OCTAVE 8

static size_t bucket_of(uint64_t us) {
    if (us < PER_OCTAVE) return (size_t)us;
    size_t octave = 63 - (size_t)__builtin_clzll(us); /* at least 3 */
    size_t within = (size_t)(us >> (octave - 3)) - PER_OCTAVE;
    return MIN((octave - 2) * PER_OCTAVE + within, (size_t)HISTOGRAM_BUCKETS - 1);
}

/* The largest time of a bucket. */
static uint64_t bucket_top(size_t bucket) {
    if (bucket < PER_OCTAVE) return bucket;
    size_t octave = bucket / PER_OCTAVE + 2, within = bucket % PER_OCTAVE;
    return ((uint64_t)(PER_OCTAVE + within + 1) << (octave - 3)) - 1;
}

void histogram_add(histogram *h, uint64_t us, double now_ms) {
    if (now_ms >= h->turn_ms) {
        bool recent = now_ms < h->turn_ms + SLICE_MS;
        if (recent)
            memcpy(h->counts[1], h->counts[0], sizeof h->counts[0]);
        else
            memset(h->counts[1], 0, sizeof h->counts[1]);
        h->max_us[1] = recent ? h->max_us[0] : 0;
        memset(h->counts[0], 0, sizeof h->counts[0]);
        h->max_us[0] = 0;
        h->turn_ms = now_ms + SLICE_MS;
    }
    h->counts[0][bucket_of(us)]++;
    h->max_us[0] = MAX(h->max_us[0], us);
}

uint64_t histogram_quantile(const histogram *h, double part) {
    uint64_t all = 0, seen = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        all += h->counts[0][i] + h->counts[1][i];
    for (size_t i = 0; i < HISTOGRAM_BUCKETS && all; i++) {
        seen += h->counts[0][i] + h->counts[1][i];
        if ((double)seen >= part * (double)all && seen)
            return MIN(bucket_top(i), histogram_max(h));
    }
    return 0;
}

uint64_t histogram_max(const histogram *h) {
    return MAX(h->max_us[0], h->max_us[1]);
}
