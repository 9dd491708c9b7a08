/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A graph of what a person wants kept, in the official memory server's own file: one JSON object a
 * line, entities and relations.  Both programs may use one file in turn.
 * Thread: any; blocks for one small file (LIMIT_OWN_MEMORY_BYTES) and others that use it. */
#include <cjson/cJSON.h>

#include "engine/base/status.h"

/* The names and arguments are those of the official server's tools: read_graph, search_nodes,
 * open_nodes, create_entities, create_relations, add_observations, delete_entities,
 * delete_observations, delete_relations.  *result is the caller's. */
status memory_call(const char *file, const char *tool, const cJSON *arguments, cJSON **result,
                   err *e) MUST_USE;
