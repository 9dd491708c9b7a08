/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The JSON texts that a JSON Schema allows, as a grammar for the engine: arguments of tools and
 * findings of a review are then valid by construction.
 *
 * Enforced: type, properties (in the schema's order), required, items, enum, const, anyOf, oneOf
 * (as anyOf), local $ref, minItems, maxItems, minLength, maxLength, whole numbers in ranges of up
 * to JSON_GRAMMAR_RANGE, and patterns of the kind ^[a-z_][a-z0-9_]{0,30}$, which say the length,
 * too.  Properties that the schema does not name are never written unless it names none.  What else
 * a schema says is noted as loose and left to whoever receives the value.
 * Thread: any.
 */
#include "engine/base/str.h"
#include "engine/grammar.h"

struct cJSON;

#define JSON_GRAMMAR_RANGE 1000
#define JSON_GRAMMAR_ITEMS 64 /* of an array whose schema has no maxItems */

/* One value of `schema` (NULL, true or {}: any value).  `loose` (may be NULL) gets the names of the
 * keywords that are not enforced, each once, separated by ", ".  GSYM_NONE: the schema is too large
 * or allows nothing. */
gsym json_grammar_value(grammar *g, const struct cJSON *schema, strbuf *loose);
