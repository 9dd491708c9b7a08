/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* own_tools.json as it was embedded. */
#include <stddef.h>

extern const unsigned char own_tools_json[];
extern const size_t own_tools_bytes;
