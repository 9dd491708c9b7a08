/* SPDX-License-Identifier: Apache-2.0 */
/* A server's definition: its life, its hash, and how it is shown to a person. */
#include "engine/base/hash.h"
#include "engine/base/mem.h"
#include "mcp/config_private.h"
#include "mcp/own_tools_json.h"

mcp_definition *mcp_definition_new(const char *name) {
    mcp_definition *d = xcalloc(1, sizeof *d);
    arena_init(&d->memory);
    d->name = arena_str(&d->memory, str_of(name)).ptr;
    return d;
}

/* Its hash is another in another version: nothing that is remembered of it counts then. */
void definition_make_built_in(mcp_definition *d) {
    sha256 h;
    char *hash = arena_alloc(&d->memory, 65);
    sha256_init(&h);
    sha256_add(&h, own_tools_json, own_tools_bytes);
    sha256_hex(&h, hash);
    d->transport = MCP_BUILT_IN;
    vec_push(&d->args, (const char *)hash);
}

mcp_definition *mcp_definition_new_built_in(void) {
    mcp_definition *d = mcp_definition_new(MCP_BUILT_IN_NAME);
    definition_make_built_in(d);
    d->scope = MCP_USER;
    return d;
}

void mcp_definition_free(mcp_definition *d) {
    if (!d) return;
    mcp_texts *texts[] = {&d->args, &d->env_passthrough, &d->included, &d->allow, &d->deny,
                          &d->ask};
    for (size_t i = 0; i < COUNTOF(texts); i++)
        vec_free(texts[i]);
    vec_free(&d->env);
    vec_free(&d->headers);
    vec_free(&d->cache);
    arena_deinit(&d->memory);
    xfree(d);
}

static void add(sha256 *h, const char *text) {
    if (text) sha256_add(h, text, strlen(text));
    sha256_add(h, text ? "\0" : "\1", 1); /* an empty text is not a missing one */
}

void mcp_definition_hash(const mcp_definition *d, char out[static 65]) {
    static const char *const kinds[] = {
        [MCP_STDIO] = "stdio", [MCP_HTTP] = "http", [MCP_SSE] = "sse", [MCP_BUILT_IN] = "own"};
    sha256 h;
    sha256_init(&h);
    add(&h, kinds[d->transport]);
    add(&h, d->command);
    for (size_t i = 0; i < d->args.count; i++)
        add(&h, d->args.at[i]);
    add(&h, "cwd");
    add(&h, d->cwd);
    add(&h, d->url);
    for (size_t i = 0; i < d->env.count; i++)
        add(&h, d->env.at[i].name);
    add(&h, "headers");
    for (size_t i = 0; i < d->headers.count; i++)
        add(&h, d->headers.at[i].name);
    const mcp_oauth *o = &d->oauth;
    if (o->client_id || o->idp_token_url) { /* whom secrets may be shown to */
        add(&h, "oauth");
        add(&h, o->client_id);
        add(&h, o->issuer);
        add(&h, o->idp_token_url);
    }
    sha256_hex(&h, out);
}

/* As one would type it: quoted where a shell would need it. */
static void add_word(strbuf *out, const char *word) {
    bool plain = *word && strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                       "0123456789_-+=./:@,%") == strlen(word);
    if (out->len) strbuf_add_char(out, ' ');
    if (plain) {
        strbuf_addf(out, "%s", word);
        return;
    }
    strbuf_add_char(out, '\'');
    for (const char *p = word; *p; p++) {
        if (*p == '\'')
            strbuf_addf(out, "'\\''");
        else
            strbuf_add_char(out, *p);
    }
    strbuf_add_char(out, '\'');
}

void mcp_definition_show(const mcp_definition *d, strbuf *out) {
    if (d->transport != MCP_STDIO) {
        bool own = d->transport == MCP_BUILT_IN;
        strbuf_addf(out, "%s", own ? "(built in)" : d->url ? d->url : "");
        return;
    }
    for (size_t i = 0; i < d->env.count; i++) { /* names only: values may be secrets */
        char pair[300];
        snprintf(pair, sizeof pair, "%.280s=...", d->env.at[i].name);
        add_word(out, pair);
    }
    add_word(out, d->command ? d->command : "");
    for (size_t i = 0; i < d->args.count; i++)
        add_word(out, d->args.at[i]);
}
