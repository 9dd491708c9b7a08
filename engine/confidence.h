/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* How sure a model must be before its suggestion is worth showing.  Thread: any. */
#include "engine/gguf.h"

/* Geometric mean of the tokens' probabilities, in percent; 0: nobody measured this model. */
int confidence_find(const gguf *g);
