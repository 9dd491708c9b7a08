/* SPDX-License-Identifier: Apache-2.0 */
/* Nothing in a value is believed before its hash is right, and then it is still a server's answer:
 * data that may say anything. */
#include "mcp/shared.h"

#include <math.h>
#include <unistd.h>

#include "engine/base/hash.h"
#include "engine/base/limits.h"
#include "mcp/json_check.h"

/* Clocks of several machines differ a little. */
enum { SKEW_MS = 2000 };

static void add_text(sha256 *h, const char *text) {
    sha256_add(h, text ? text : "", text ? strlen(text) + 1 : 1);
}

static void add_pairs(sha256 *h, const mcp_pairs *pairs) {
    for (size_t i = 0; i < pairs->count; i++) {
        add_text(h, pairs->at[i].name);
        add_text(h, pairs->at[i].value);
    }
    add_text(h, NULL);
}

void shared_key(const mcp_definition *d, const char *call, const char *place, char out[static 80]) {
    char definition[65], all[65];
    sha256 h;
    mcp_definition_hash(d, definition);
    sha256_init(&h);
    add_text(&h, definition);
    add_pairs(&h, &d->env);
    add_pairs(&h, &d->headers);
    add_text(&h, place);
    add_text(&h, call);
    sha256_hex(&h, all);
    snprintf(out, 80, "inlined:1:%s", all);
}

void shared_place(const char *workspace, char out[static 65]) {
    char host[256] = "", user[32], folder[4096];
    sha256 h;
    if (gethostname(host, sizeof host - 1)) host[0] = '\0';
    snprintf(user, sizeof user, "%u", (unsigned)getuid());
    if (!workspace) workspace = getcwd(folder, sizeof folder) ? folder : "";
    sha256_init(&h);
    add_text(&h, host);
    add_text(&h, user);
    add_text(&h, workspace);
    sha256_hex(&h, out);
}

static void hash_of(str json, char out[static 65]) {
    sha256 h;
    sha256_init(&h);
    sha256_add(&h, json.ptr, json.len);
    sha256_hex(&h, out);
}

void shared_seal(strbuf *out, const cJSON *result, double made_ms, double life_ms) {
    char hash[65], *json = cJSON_PrintUnformatted(result);
    if (!json) return;
    hash_of(str_of(json), hash);
    strbuf_addf(out, "1 %.0f %.0f %s %s", made_ms, life_ms, hash, json);
    cJSON_free(json);
}

static cJSON *parse(str json) {
    char *text = xmalloc(json.len + 1);
    memcpy(text, json.ptr, json.len);
    text[json.len] = '\0';
    cJSON *result =
        json_check(text, json.len, NULL) == OK ? cJSON_ParseWithLength(text, json.len) : NULL;
    xfree(text);
    if (cJSON_IsObject(result)) return result;
    cJSON_Delete(result);
    return NULL;
}

cJSON *shared_open(str value, double now_ms, double since_ms, double most_ms, double *left_ms) {
    str version, made, life, hash;
    int64_t made_ms, life_ms;
    char own[65];
    if (!str_split(&value, ' ', &version) || !str_eq(version, STR("1")) ||
        !str_split(&value, ' ', &made) || !str_to_i64(made, &made_ms) ||
        !str_split(&value, ' ', &life) || !str_to_i64(life, &life_ms) ||
        !str_split(&value, ' ', &hash) || value.len == 0 ||
        value.len > 2 * (size_t)LIMIT_MCP_CACHE_ENTRY)
        return NULL;
    if ((double)made_ms > now_ms + SKEW_MS || (double)made_ms <= since_ms) return NULL;
    double left = fmin((double)made_ms + (double)life_ms - now_ms, most_ms);
    if (left < 1) return NULL;
    hash_of(value, own);
    if (!str_eq(hash, str_of(own))) return NULL;
    *left_ms = left;
    return parse(value);
}
