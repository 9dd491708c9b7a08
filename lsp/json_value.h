/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* JSON as a value for chat templates.  Thread: any. */
#include "engine/chat.h"

struct cJSON;

/* A copy in the arena.  Nesting is that of the parser, which is bounded. */
chat_value json_chat_value(const struct cJSON *v, arena *a);
