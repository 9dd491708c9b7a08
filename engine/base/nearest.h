/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* "Did you mean ...?": which of a few known names looks most like what somebody typed. */
#include "engine/base/str.h"

/* Number of single-character insertions, deletions, replacements and swaps of neighbours that turn
 * one into the other.  Names of more than 63 bytes are simply far away. */
size_t name_distance(str a, str b);
/* True when `distance` is small enough for two names to be a slip of each other. */
bool name_is_near(str typed, size_t distance);
