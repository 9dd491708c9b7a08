/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* libcurl's multi interface on a libuv loop: transfers run beside everything else and nothing
 * blocks.  libcurl says which sockets to watch and when to come back; we tell it what happened and
 * report what has ended.
 *
 * Owns the multi handle, its watches and a timer, never a transfer.  Thread: loop. */
#include <curl/curl.h>

#include <uv.h>

typedef struct web web;

/* `ended` is never called from inside a callback of libcurl: it may add, remove and close. */
web *web_open(uv_loop_t *loop, void (*ended)(void *ud, CURL *easy, CURLcode rc), void *ud);
/* Starts a transfer; not from inside a callback of libcurl. */
void web_add(web *w, CURL *easy);
/* Ends it without a word.  A transfer that has ended must be removed, too. */
void web_remove(web *w, CURL *easy);
/* After every transfer was removed.  `closed` comes later; then `w` is gone. */
void web_close(web *w, void (*closed)(void *ud), void *ud);
