/* SPDX-License-Identifier: Apache-2.0 */
/* libcurl, for one request at a time.  The multi interface is used for its poll alone: a request
 * must be stoppable ten times a second even while nothing comes.
 *
 * Everything that a peer sends is bounded: libcurl bounds a header line, the fields that are kept
 * have their own bounds, and a body goes to the sink in pieces.  Only http and https are spoken. */
#include "engine/registry/http.h"

#include <curl/curl.h>

#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "engine/base/str.h"

#define POLL_MS 100
#define CONNECT_MS 20000L

typedef struct {
    const http_question *q;
    http_reply *r;
    CURL *curl;
    double heard_ms; /* when the last byte came */
    bool stopped;
} transfer;

/* ---- headers --------------------------------------------------------------------------------- */

static void keep(char *out, size_t size, str value) {
    value = str_trim(value);
    if (str_starts_with(value, STR("W/"))) value = str_sub(value, 2, value.len);
    if (value.len >= 2 && value.ptr[0] == '"' && value.ptr[value.len - 1] == '"')
        value = str_sub(value, 1, value.len - 1);
    if (value.len >= size) value.len = 0; /* no field that we use is that long */
    snprintf(out, size, "%.*s", STR_ARG(value));
}

static uint64_t count_of(str value) {
    int64_t n = 0;
    return str_to_i64(str_trim(value), &n) && n > 0 ? (uint64_t)n : 0;
}

/* "bytes 100-999/1000" */
static void read_range(http_reply *r, str value) {
    value = str_trim(value);
    ptrdiff_t dash = str_find(value, STR("-")), slash = str_find(value, STR("/"));
    if (!str_starts_with(value, STR("bytes ")) || dash < 0 || slash < dash) return;
    int64_t first, all;
    if (!str_to_i64(str_sub(value, 6, (size_t)dash), &first) || first < 0) return;
    if (!str_to_i64(str_sub(value, (size_t)slash + 1, value.len), &all) || all < 0) return;
    r->has_range = true;
    r->range_first = (uint64_t)first;
    r->range_all = (uint64_t)all;
}

void http_read_header(http_reply *r, str line) {
    ptrdiff_t colon = str_find(line, STR(":"));
    if (colon < 0) return;
    str name = str_sub(line, 0, (size_t)colon), value = str_sub(line, (size_t)colon + 1, line.len);
    if (str_eq_ignore_case(name, STR("etag"))) keep(r->etag, sizeof r->etag, value);
    if (str_eq_ignore_case(name, STR("x-linked-etag")))
        keep(r->linked_etag, sizeof r->linked_etag, value);
    if (str_eq_ignore_case(name, STR("x-repo-commit"))) keep(r->commit, sizeof r->commit, value);
    if (str_eq_ignore_case(name, STR("x-error-code")))
        keep(r->error_code, sizeof r->error_code, value);
    if (str_eq_ignore_case(name, STR("x-linked-size"))) r->linked_size = count_of(value);
    if (str_eq_ignore_case(name, STR("retry-after")))
        r->retry_after_s = (int)MIN(count_of(value), (uint64_t)INT32_MAX);
    if (str_eq_ignore_case(name, STR("content-length"))) {
        r->has_length = true;
        r->length = count_of(value);
    }
    if (str_eq_ignore_case(name, STR("content-range"))) read_range(r, value);
}

static size_t on_header(char *bytes, size_t one, size_t n, void *ud) {
    transfer *t = ud;
    t->heard_ms = clock_ms();
    http_read_header(t->r, (str){bytes, one * n});
    return one * n;
}

/* ---- body ------------------------------------------------------------------------------------ */

static size_t on_body(char *bytes, size_t one, size_t n, void *ud) {
    transfer *t = ud;
    long code = 0;
    t->heard_ms = clock_ms();
    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &code);
    t->r->code = (int)code;
    if (code != 200 && code != 206) return one * n; /* an error's page: nobody reads it */
    if (t->q->sink && !t->q->sink(t->q->ud, t->r, bytes, one * n)) {
        t->stopped = true;
        return CURL_WRITEFUNC_ERROR;
    }
    return one * n;
}

/* ---- the request ----------------------------------------------------------------------------- */

static http_end end_of(CURLcode c) {
    switch ((int)c) {
    case CURLE_OK: return HTTP_ANSWERED;
    case CURLE_OPERATION_TIMEDOUT: return HTTP_STALLED;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL: return HTTP_UNREACHABLE;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE: return HTTP_UNTRUSTED;
    default: return HTTP_BROKEN;
    }
}

static struct curl_slist *set_up(CURL *c, const http_question *q, transfer *t) {
    struct curl_slist *headers = NULL;
    char text[LIMIT_HTTP_URL_BYTES];
    curl_easy_setopt(c, CURLOPT_URL, q->url);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "inlined/" INLINED_VERSION);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
    if (q->head) curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
    if (q->from > 0) {
        snprintf(text, sizeof text, "%llu-", (unsigned long long)q->from);
        curl_easy_setopt(c, CURLOPT_RANGE, text);
    }
    if (q->token) {
        snprintf(text, sizeof text, "Authorization: Bearer %s", q->token);
        headers = curl_slist_append(headers, text);
    }
    /* A model does not compress; a proxy that did would break offsets and lengths. */
    headers = curl_slist_append(headers, "Accept-Encoding: identity");
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
    return headers;
}

static CURLcode run(CURLM *multi, CURL *c, const http_question *q, transfer *t) {
    int running = 1;
    curl_multi_add_handle(multi, c);
    while (running && !t->stopped) {
        CURLMcode m = curl_multi_perform(multi, &running);
        if (m == CURLM_OK && running) m = curl_multi_poll(multi, NULL, 0, POLL_MS, NULL);
        if (m != CURLM_OK) return CURLE_FAILED_INIT;
        if (q->keep_on && !q->keep_on(q->ud)) t->stopped = true;
        /* libcurl's own limit looks at a mean over some seconds, and not at headers. */
        if (running && clock_ms() - t->heard_ms > 1000.0 * q->stall_s)
            return CURLE_OPERATION_TIMEDOUT;
    }
    int left;
    CURLMsg *msg = curl_multi_info_read(multi, &left);
    return msg && msg->msg == CURLMSG_DONE ? msg->data.result : CURLE_ABORTED_BY_CALLBACK;
}

static void take_answer(CURL *c, http_reply *r) {
    long code = 0;
    const char *url = NULL;
    curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &code);
    r->code = (int)code;
    curl_easy_getinfo(c, CURLINFO_REDIRECT_URL, &url);
    if (url && strlen(url) < sizeof r->location)
        snprintf(r->location, sizeof r->location, "%s", url);
}

void http_ask(const http_question *q, http_reply *r) {
    *r = (http_reply){.end = HTTP_BROKEN};
    CURL *c = curl_easy_init();
    CURLM *multi = curl_multi_init();
    if (!c || !multi) {
        snprintf(r->why, sizeof r->why, "libcurl did not start");
        curl_easy_cleanup(c);
        curl_multi_cleanup(multi);
        return;
    }
    transfer t = {.q = q, .r = r, .curl = c, .heard_ms = clock_ms()};
    struct curl_slist *headers = set_up(c, q, &t);
    CURLcode done = run(multi, c, q, &t);
    take_answer(c, r);
    r->end = t.stopped ? HTTP_STOPPED : end_of(done);
    if (r->end != HTTP_ANSWERED) snprintf(r->why, sizeof r->why, "%s", curl_easy_strerror(done));
    curl_multi_remove_handle(multi, c);
    curl_multi_cleanup(multi);
    curl_easy_cleanup(c);
    curl_slist_free_all(headers);
}

/* ---- questions about URLs -------------------------------------------------------------------- */

/* A part of a URL as libcurl reads it (the reader that connects is the one that judges); caller
 * frees with curl_free.  NULL: it is no URL. */
static char *part_of(const char *url, CURLUPart part) {
    CURLU *u = curl_url();
    char *text = NULL;
    if (curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK)
        curl_url_get(u, part, &text, CURLU_DEFAULT_PORT);
    curl_url_cleanup(u);
    return text;
}

bool http_same_origin(const char *a, const char *b) {
    static const CURLUPart parts[] = {CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT};
    bool same = true;
    for (size_t i = 0; i < COUNTOF(parts) && same; i++) {
        char *x = part_of(a, parts[i]), *y = part_of(b, parts[i]);
        same = x && y && str_eq_ignore_case(str_of(x), str_of(y));
        curl_free(x);
        curl_free(y);
    }
    return same;
}

static bool part_is(const char *url, CURLUPart part, const char *want) {
    char *text = part_of(url, part);
    bool is = text && str_eq_ignore_case(str_of(text), str_of(want));
    curl_free(text);
    return is;
}

bool http_is_secure(const char *url) {
    return part_is(url, CURLUPART_SCHEME, "https");
}

bool http_is_loopback(const char *url) {
    return part_is(url, CURLUPART_HOST, "localhost") || part_is(url, CURLUPART_HOST, "127.0.0.1") ||
           part_is(url, CURLUPART_HOST, "[::1]");
}
