/* SPDX-License-Identifier: Apache-2.0 */
/* The authorization machine between a hostile server and a hostile issuer: each line of the input
 * is a refusal (h: its header), an answer (digit: its status, then the body), a redirect (r: its
 * query, @ stands for the state that was sent) or an end.  It never sends anything in the clear to
 * another machine, never twice at once, and says at most once how an attempt ended. */
#include "engine/base/mem.h"
#include "mcp/challenge.h"
#include "mcp/oauth.h"
#include "mcp/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct {
    bool asked, waits; /* a request is under way; `done` is due */
    char state[128];
} world;

static void on_fetch(void *ud, const oauth_request *r) {
    world *w = ud;
    ASSERT(!w->asked && url_is_safe(r->url, false));
    w->asked = true;
}

static uint16_t on_listen(void *ud, uint16_t wanted) {
    UNUSED(ud);
    return wanted ? wanted : 4711;
}

static void on_login(void *ud, const char *url) {
    world *w = ud;
    ASSERT(url_is_safe(url, false));
    const char *state = strstr(url, "&state=");
    if (state) snprintf(w->state, sizeof w->state, "%.32s", state + 7);
}

static void on_done(void *ud, bool good, const char *why) {
    world *w = ud;
    ASSERT(w->waits && (good || *why));
    w->waits = w->asked = false;
}

static void redirected(world *w, oauth *o, str query) {
    strbuf text;
    strbuf_init(&text, 1u << 20);
    for (size_t i = 0; i < query.len; i++)
        if (query.ptr[i] == '@')
            strbuf_addf(&text, "%s", w->state);
        else
            strbuf_add_char(&text, query.ptr[i]);
    (void)oauth_redirected(o, strbuf_str(&text));
    strbuf_deinit(&text);
}

static void one_line(world *w, oauth *o, str line) {
    if (!line.len) return;
    err why;
    str rest = str_sub(line, 1, line.len);
    char header[4096];
    snprintf(header, sizeof header, "%.*s", (int)MIN(rest.len, sizeof header - 1), rest.ptr);
    strbuf a, d;
    strbuf_init(&a, 1u << 17);
    strbuf_init(&d, 1u << 17);
    switch (line.ptr[0]) {
    case 'h':
    case 'f': {
        uint64_t token = oauth_headers(o, "POST", "https://mcp.example/mcp", &a, &d);
        ASSERT(!strpbrk(a.ptr ? a.ptr : "", "\r\n"));
        if (oauth_refused(o, line.ptr[0] == 'h' ? 401 : 403, header, token, &why) == OAUTH_WAIT)
            w->waits = w->waits || w->asked;
        break;
    }
    case 'r': redirected(w, o, rest); break;
    case 'x': oauth_stop(o, "enough"); break;
    case 'k': oauth_accepted(o); break;
    default:
        if (!w->asked) break;
        w->asked = false;
        oauth_fetched(o, line.ptr[0] >= '0' && line.ptr[0] <= '9' ? (line.ptr[0] - '0') * 100 : 0,
                      rest, "n");
    }
    strbuf_deinit(&a);
    strbuf_deinit(&d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!size) return 0;
    world w = {0};
    mcp_definition *definition = mcp_definition_new("site");
    definition->url = "https://mcp.example/mcp";
    mcp_oauth *config = &definition->oauth;
    config->grant = (mcp_grant)(data[0] & 3);
    config->client_id = data[0] & 4 ? "me" : NULL;
    config->client_secret = data[0] & 8 ? "secret" : NULL;
    config->client_document = data[0] & 16 ? "https://me.example/me.json" : NULL;
    config->assertion = "statement";
    config->idp_token_url = "https://idp.example/token";
    config->idp_token = "id";
    tokens *store = tokens_open(NULL);
    oauth *o =
        oauth_new(definition, store, &(oauth_hooks){&w, on_fetch, on_listen, on_login, on_done});
    str text = {(const char *)data + 1, size - 1}, line;
    w.waits = true; /* until it is clear whether anything began */
    while (str_split(&text, '\n', &line)) {
        w.waits = true;
        one_line(&w, o, line);
    }
    oauth_free(o);
    tokens_free(store);
    mcp_definition_free(definition);
    return 0;
}
