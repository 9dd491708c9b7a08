/* SPDX-License-Identifier: Apache-2.0 */
/* Confidence: the model's own mean log-probability per token against a threshold.
 *
 * Measured on the default model: the quarter of answers with the highest mean is right twice as
 * often as the average one, so the number means something; but thresholds do not carry over between
 * models, so it is off until a setting says otherwise (context_set_confidence).  A mean that is
 * unknown is 0 and passes.
 */
#include "context/filter.h"

const char *filter_confidence(candidate *c) {
    return c->answer->logprob_mean < c->logprob_mean_min ? "confidence" : NULL;
}
