/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* docs/settings.schema.json as bytes; made by embed.cmake. */
#include "engine/base/base.h"

extern const unsigned char settings_schema_json[];
extern const size_t settings_schema_bytes;
