/* SPDX-License-Identifier: Apache-2.0 */
/* The least confidence worth showing, by the name in the model's file.
 *
 * Probabilities mean different things in different models, so a threshold holds for one model only.
 * The figures come from tests/bench/quality; docs/benchmarks has the tables behind them.
 */
#include "engine/confidence.h"

/* First match wins. */
static const struct {
    const char *name; /* part of general.name */
    model_confidence least;
} measured[] = {
    {"inlined-fim-135m", {.show = 85, .cut = 60}},
    {"smollm2 135m", {.show = 60, .cut = 60}},
};

model_confidence confidence_find(const gguf *g) {
    str name = {0};
    if (!gguf_find_str(g, "general.name", &name)) return (model_confidence){0};
    for (size_t i = 0; i < COUNTOF(measured); i++)
        if (str_contains_ignore_case(name, str_of(measured[i].name))) return measured[i].least;
    return (model_confidence){0};
}
