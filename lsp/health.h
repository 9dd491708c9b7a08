/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the daemon's status (admin_status, the answer to inlined/daemon) means: is it well?  And the
 * same numbers for Prometheus.  Pure.  Thread: any. */
#include <cjson/cJSON.h>

#include "mcp/http_pages.h"

/* [{name, ok, detail}] for daemon, device, models, queue, mcp; `detail` is a sentence. */
cJSON *health_checks(const cJSON *now);
bool health_is_ok(const cJSON *checks);
/* Prometheus' text format, version 0.0.4. */
void health_metrics(const cJSON *now, strbuf *out);
/* Parts of it: what a metric is (nothing where `kind` is "": it has been told), and a label's
 * value, in which backslash, quote and newline are escaped. */
void health_add_head(strbuf *out, const char *name, const char *kind, const char *help);
void health_add_quoted(strbuf *out, const char *value);
/* /healthz (200 or 503), /metrics, /status; false: no such page. */
bool health_page(const cJSON *now, str path, http_page *out);
