/* SPDX-License-Identifier: Apache-2.0 */
/* What an answer of the hub means, and the sentence for people when it means the end.  Pure. */
#include "engine/base/str.h"
#include "engine/registry/hub.h"

static bool is_worth_another_try(const http_reply *r) {
    if (r->end == HTTP_BROKEN || r->end == HTTP_STALLED || r->end == HTTP_UNREACHABLE) return true;
    if (r->end != HTTP_ANSWERED) return false;
    return r->code == 408 || r->code == 429 || r->code == 500 || (r->code >= 502 && r->code <= 504);
}

static status not_connected(const http_reply *r, const hub_access *a, err *e) {
    switch (r->end) {
    case HTTP_STALLED:
        return err_set(e, ERR_IO,
                       "the server sent nothing for %d seconds: check the network, then run the "
                       "command again; it goes on where it stopped",
                       a->stall_s);
    case HTTP_UNTRUSTED:
        return err_set(e, ERR_IO,
                       "the server could not be trusted (%s): check the clock, the proxy and the "
                       "package ca-certificates",
                       r->why);
    case HTTP_UNREACHABLE:
        return err_set(e, ERR_IO,
                       "%s was not reached (%s): check the network and HF_ENDPOINT, then run the "
                       "command again",
                       a->endpoint, r->why);
    case HTTP_SENSELESS:
        return err_set(e, ERR_IO, "%s gives an answer that cannot be followed (%s)", a->endpoint,
                       r->why);
    case HTTP_ANSWERED:
    case HTTP_STOPPED:
    case HTTP_BROKEN: break;
    }
    return err_set(e, ERR_IO,
                   "the connection broke again and again (%s): run the command again; it goes on "
                   "where it stopped",
                   r->why);
}

static status not_allowed(const http_reply *r, const hub_access *a, const model_source *src,
                          err *e) {
    if (!a->token)
        return err_set(e, ERR_IO,
                       "%s wants to know who asks for %s: accept its licence at %s/%s, and put a "
                       "token of your account into HF_TOKEN (or the repository does not exist)",
                       a->endpoint, src->repo, a->endpoint, src->repo);
    if (str_eq_ignore_case(str_of(r->error_code), STR("GatedRepo")) || r->code == 403)
        return err_set(e, ERR_IO,
                       "the account of HF_TOKEN may not have %s: accept its licence at %s/%s, then "
                       "run the command again",
                       src->repo, a->endpoint, src->repo);
    return err_set(e, ERR_IO,
                   "%s does not take HF_TOKEN for %s: make a new token there (or the repository "
                   "does not exist)",
                   a->endpoint, src->repo);
}

static status not_given(const http_reply *r, const hub_access *a, const model_source *src, err *e) {
    if (r->end != HTTP_ANSWERED) return not_connected(r, a, e);
    if (r->code == 401 || r->code == 403) return not_allowed(r, a, src, e);
    if (r->code == 404 || r->code == 410)
        return err_set(e, ERR_NOT_FOUND, "%s has no file %s in %s: it was moved or renamed",
                       a->endpoint, src->file, src->repo);
    if (r->code == 429 && r->retry_after_s > 0)
        return err_set(
            e, ERR_IO, "%s is asked too often from here: run the command again in %d seconds%s",
            a->endpoint, r->retry_after_s, a->token ? "" : ", or with a token in HF_TOKEN");
    return err_set(e, ERR_IO, "%s answered with the error %d for %s: try again later", a->endpoint,
                   r->code, src->repo);
}

hub_next hub_judge(const http_reply *r, int tries, const hub_access *a, const model_source *src,
                   int *wait_ms, status *code, err *e) {
    *wait_ms = 0;
    *code = OK;
    if (r->end == HTTP_ANSWERED && (r->code == 200 || r->code == 206)) return HUB_GOOD;
    if (is_worth_another_try(r) && tries < LIMIT_FETCH_TRIES &&
        r->retry_after_s <= LIMIT_FETCH_WAIT_S) {
        /* 1, 2, 4, 8, 16 s: about as long again as a peer may be silent. */
        *wait_ms = MAX((a->stall_s * 1000 / 30) << tries, r->retry_after_s * 1000);
        return HUB_AGAIN;
    }
    if (r->end == HTTP_ANSWERED && r->code == 416 && tries < LIMIT_FETCH_TRIES)
        return HUB_FROM_START; /* our part is longer than the file */
    *code = not_given(r, a, src, e);
    return HUB_FAILED;
}
