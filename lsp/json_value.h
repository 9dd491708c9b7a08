/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* JSON as a value for chat templates, and JSON that was cut.  Thread: any. */
#include "engine/chat.h"

struct cJSON;

/* A copy in the arena.  Nesting is that of the parser, which is bounded. */
chat_value json_chat_value(const struct cJSON *v, arena *a);

/* What is whole of a text that was cut: the elements of its outermost array that are complete, with
 * all that is open closed behind them.  NULL: it does not reach such an array, or it is no JSON.
 * cJSON_Delete. */
struct cJSON *json_of_cut(str text);
