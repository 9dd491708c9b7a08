/* SPDX-License-Identifier: Apache-2.0 */
/* Confidence: the mean log-probability per token, of what is left of the answer, against a
 * threshold.
 *
 * The number means something (the surest quarter of answers is right two or three times as often as
 * the average one), but thresholds do not carry over between models: engine/confidence.c has those
 * that were measured.  A mean that is unknown is 0 and passes.
 */
#include "context/filter.h"

const char *filter_confidence(candidate *c) {
    return c->logprob_mean < c->logprob_mean_min ? "confidence" : NULL;
}
