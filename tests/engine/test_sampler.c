/* SPDX-License-Identifier: Apache-2.0 */
/* Sampling: greedy, seeds, cuts, penalty; frequencies against the exact distribution. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "engine/sampler.h"

#define N 8
static const float logits[N] = {0.0f, 2.0f, 1.0f, -3.0f, 1.5f, 2.0f, -1.0f, 0.5f};

static int fill(candidate *c) {
    for (int i = 0; i < N; i++)
        c[i] = (candidate){i, logits[i]};
    return N;
}

static double exact(int id) {
    double sum = 0;
    for (int i = 0; i < N; i++)
        sum += exp((double)logits[i]);
    return exp((double)logits[id]) / sum;
}

static int32_t choose(sampler *s, float *logprob) {
    candidate c[N];
    return sampler_choose(s, c, fill(c), NULL, 0, logprob);
}

static void greedy_takes_the_best_and_settles_ties(void **state) {
    UNUSED(state);
    sampler s;
    float lp;
    sampler_init(&s, &(sampling){0});
    assert_true(sampler_is_greedy(&s));
    assert_int_equal(choose(&s, &lp), 1); /* 1 and 5 are equal: the smaller id */
    assert_true(fabs((double)lp - log(exact(1))) < 1e-5);
}

static void a_seed_gives_one_sequence(void **state) {
    UNUSED(state);
    sampling opt = {.temperature = 1.0f, .seed = 7};
    int32_t first[64], other = 0;
    float lp;
    for (int round = 0; round < 3; round++) {
        sampler s;
        opt.seed = round == 2 ? 8 : 7;
        sampler_init(&s, &opt);
        for (int i = 0; i < 64; i++) {
            int32_t id = choose(&s, &lp);
            if (round == 0) first[i] = id;
            if (round == 1) assert_int_equal(id, first[i]);
            if (round == 2) other += id != first[i];
        }
    }
    assert_true(other > 0);
}

static void frequencies_follow_the_distribution(void **state) {
    UNUSED(state);
    enum { DRAWS = 200000 };
    int count[N] = {0};
    sampler s;
    float lp;
    sampler_init(&s, &(sampling){.temperature = 1.0f, .seed = 1});
    for (int i = 0; i < DRAWS; i++)
        count[choose(&s, &lp)]++;
    for (int i = 0; i < N; i++) {
        double p = exact(i), sigma = sqrt(p * (1 - p) * DRAWS);
        assert_true(fabs(count[i] - p * DRAWS) < 5 * sigma + 1);
    }
}

/* Which ids survive a cut, as a bit mask. */
static unsigned survivors(sampling opt) {
    sampler s;
    unsigned seen = 0;
    float lp;
    opt.temperature = 1.0f;
    sampler_init(&s, &opt);
    for (int i = 0; i < 20000; i++)
        seen |= 1u << choose(&s, &lp);
    return seen;
}

static void cuts_keep_exactly_what_they_say(void **state) {
    UNUSED(state);
    assert_int_equal(survivors((sampling){.top_k = 1}), 1u << 1);
    assert_int_equal(survivors((sampling){.top_k = 3}), 1u << 1 | 1u << 5 | 1u << 4);
    /* exact: 1 and 5 have 0.29 each, 4 has 0.18, 2 has 0.11 */
    assert_int_equal(survivors((sampling){.top_p = 0.5f}), 1u << 1 | 1u << 5);
    assert_int_equal(survivors((sampling){.top_p = 0.6f}), 1u << 1 | 1u << 5 | 1u << 4);
    assert_int_equal(survivors((sampling){.top_p = 1e-6f}), 1u << 1);
    /* exp(1.5 - 2) = 0.61, exp(1 - 2) = 0.37 */
    assert_int_equal(survivors((sampling){.min_p = 0.5f}), 1u << 1 | 1u << 5 | 1u << 4);
    assert_int_equal(survivors((sampling){.min_p = 1.0f}), 1u << 1 | 1u << 5);
}

static void penalty_moves_repeated_tokens_down(void **state) {
    UNUSED(state);
    const int32_t recent[] = {1, 5, 1, 3};
    sampler s;
    candidate c[N];
    float lp;
    sampler_init(&s, &(sampling){.repeat_penalty = 2.0f});
    assert_false(sampler_is_greedy(&s));
    assert_int_equal(sampler_choose(&s, c, fill(c), recent, 4, &lp), 4);
    assert_true(fabs((double)lp - log(exact(4))) < 1e-5); /* of the model, not of the penalty */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(greedy_takes_the_best_and_settles_ties),
        cmocka_unit_test(a_seed_gives_one_sequence),
        cmocka_unit_test(frequencies_follow_the_distribution),
        cmocka_unit_test(cuts_keep_exactly_what_they_say),
        cmocka_unit_test(penalty_moves_repeated_tokens_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
