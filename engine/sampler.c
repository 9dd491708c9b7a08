/* SPDX-License-Identifier: Apache-2.0 */
/* Sampling from candidates in this order: repetition penalty, top-k, top-p, min-p, temperature.
 * Temperature comes last, so that top-p and min-p cut the model's own distribution and mean the
 * same at every temperature.
 *
 * Candidates are popped off a heap, best first, and only as many as the cuts let through: with
 * usual settings a few dozen of a vocabulary of 150,000.
 *
 * Source: xoshiro256** and splitmix64 by Blackman and Vigna (public domain), as algorithms.
 */
#include "engine/sampler.h"

#include <math.h>

static uint64_t splitmix(uint64_t *x) {
    uint64_t z = (*x += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void sampler_init(sampler *s, const sampling *opt) {
    *s = (sampler){.opt = *opt};
    if (s->opt.repeat_penalty == 0.0f) s->opt.repeat_penalty = 1.0f; /* a zeroed struct means off */
    if (s->opt.top_p == 0.0f) s->opt.top_p = 1.0f;
    uint64_t x = opt->seed;
    for (int i = 0; i < 4; i++)
        s->rng[i] = splitmix(&x);
}

static uint64_t rotl(uint64_t x, int k) {
    return (x << k) | (x >> (64 - k));
}

float sampler_random(sampler *s) {
    uint64_t *r = s->rng, out = rotl(r[1] * 5, 7) * 9, t = r[1] << 17;
    r[2] ^= r[0];
    r[3] ^= r[1];
    r[1] ^= r[2];
    r[0] ^= r[3];
    r[2] ^= t;
    r[3] = rotl(r[3], 45);
    return (float)(out >> 40) * 0x1p-24f;
}

bool sampler_is_greedy(const sampler *s) {
    return s->opt.temperature <= 0.0f && s->opt.repeat_penalty == 1.0f;
}

/* Best first: higher logit, then smaller id, so that ties are settled the same way everywhere. */
static bool is_better(const candidate *a, const candidate *b) {
    return a->logit > b->logit || (a->logit == b->logit && a->id < b->id);
}

static void sift_down(candidate *c, int n, int i) {
    candidate moved = c[i];
    for (;;) {
        int child = 2 * i + 1;
        if (child >= n) break;
        if (child + 1 < n && is_better(&c[child + 1], &c[child])) child++;
        if (!is_better(&c[child], &moved)) break;
        c[i] = c[child];
        i = child;
    }
    c[i] = moved;
}

static candidate pop(candidate *c, int *n) {
    candidate best = c[0];
    c[0] = c[--*n];
    if (*n > 0) sift_down(c, *n, 0);
    return best;
}

static double log_sum(const candidate *c, int n) {
    float top = -INFINITY;
    for (int i = 0; i < n; i++)
        top = fmaxf(top, c[i].logit);
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += exp((double)(c[i].logit - top));
    return log(sum) + (double)top;
}

static void penalise(candidate *c, int n, const int32_t *recent, int n_recent, float penalty) {
    for (int i = 0; i < n; i++) {
        bool seen = false;
        for (int j = 0; j < n_recent && !seen; j++)
            seen = recent[j] == c[i].id;
        if (seen) c[i].logit = c[i].logit > 0 ? c[i].logit / penalty : c[i].logit * penalty;
    }
}

/* Moves the survivors of top-k, top-p and min-p to the end of the array, worst of them first, and
 * returns how many they are (at least one).  `c` is a heap. */
static int cut(const sampling *o, candidate *c, int n) {
    double total = log_sum(c, n), kept = 0;
    int count = 0, all = n, most = o->top_k > 0 ? MIN(o->top_k, n) : n;
    float best = c[0].logit;
    while (count < most) {
        double p = exp((double)c[0].logit - total);
        bool too_small = o->min_p > 0 && exp((double)(c[0].logit - best)) < (double)o->min_p;
        if (count > 0 && (kept >= (double)o->top_p || too_small)) break;
        candidate chosen = pop(c, &n);
        c[all - ++count] = chosen; /* the heap has just left this place */
        kept += p;
    }
    return count;
}

static int draw(sampler *s, const candidate *c, int n) {
    float top = -INFINITY;
    for (int i = 0; i < n; i++)
        top = fmaxf(top, c[i].logit);
    double sum = 0, t = (double)s->opt.temperature;
    for (int i = 0; i < n; i++)
        sum += exp((double)(c[i].logit - top) / t);
    double left = (double)sampler_random(s) * sum;
    for (int i = n - 1; i > 0; i--) {
        left -= exp((double)(c[i].logit - top) / t);
        if (left < 0) return i;
    }
    return 0;
}

int32_t sampler_choose(sampler *s, candidate *c, int n, const int32_t *recent, int n_recent,
                       float *logprob) {
    ASSERT(n > 0);
    const sampling *o = &s->opt;
    double total = log_sum(c, n);
    float given = 0; /* logit of the chosen one before the penalty */
    bool penalty = o->repeat_penalty != 1.0f && n_recent > 0;
    candidate chosen;
    if (penalty) penalise(c, n, recent, n_recent, o->repeat_penalty);
    if (o->temperature <= 0.0f) {
        int best = 0;
        for (int i = 1; i < n; i++)
            if (is_better(&c[i], &c[best])) best = i;
        chosen = c[best];
    } else if (o->top_k == 0 && o->top_p >= 1.0f && o->min_p <= 0.0f) {
        chosen = c[draw(s, c, n)];
    } else {
        for (int i = n / 2 - 1; i >= 0; i--)
            sift_down(c, n, i);
        int count = cut(o, c, n);
        chosen = c[n - count + draw(s, c + n - count, count)];
    }
    given = chosen.logit;
    for (int i = 0; penalty && i < n_recent; i++) {
        if (recent[i] != chosen.id) continue;
        given = given > 0 ? given * o->repeat_penalty : given / o->repeat_penalty;
        break;
    }
    *logprob = (float)((double)given - total);
    return chosen.id;
}
