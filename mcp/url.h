/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Questions about URLs, and texts in them.  Pure.  What is no URL is never equal, safe or covered.
 * Texts that are returned are on the heap (xfree), NULL when the URL cannot be read. */
#include "engine/base/str.h"

bool url_same_origin(const char *a, const char *b); /* scheme, host and port */
bool url_is_loopback(const char *url);
/* https; or http to this machine, when `loopback` says that this is fine. */
bool url_is_safe(const char *url, bool loopback);
/* Whether `url` is `resource` itself or lies below it on the same origin. */
bool url_covers(const char *resource, const char *url);

char *url_origin(const char *url);
char *url_bare(const char *url); /* without query and fragment */
/* Where a document about `url` may be: behind the origin with the path after it (RFC 8414, 9728),
 * behind the origin alone, or behind the whole path (OpenID).  NULL when that is the same as
 * WELL_KNOWN_ROOT, for the two others. */
typedef enum { WELL_KNOWN_INSERTED, WELL_KNOWN_ROOT, WELL_KNOWN_APPENDED } well_known_place;
char *url_well_known(const char *url, const char *name, well_known_place place);

/* Appends name=value, percent-encoded, with & before all but the first. */
void form_add(strbuf *out, const char *name, const char *value);
void form_encode(strbuf *out, str value);
/* The decoded value of the first parameter of that name; false: there is none. */
bool form_get(str form, const char *name, strbuf *out);
