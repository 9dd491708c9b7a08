/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* How sure a model must be before its suggestion is worth showing.  Thread: any. */
#include "engine/engine.h"
#include "engine/gguf.h"

model_confidence confidence_find(const gguf *g);
