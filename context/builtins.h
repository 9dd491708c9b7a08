/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What may be called in a language without being defined or imported anywhere. */
#include "context/language.h"

/* NULL: this language is not listed, because its names come from too many places (headers,
 * inheritance, one namespace for all files) to say of one that it is unknown. */
const char *builtins_of(const language *l);
bool builtins_have(const char *names, str word);
