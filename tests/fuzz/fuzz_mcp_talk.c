/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever a command of a project says (mcp/own_talk.c), in whatever pieces, and whatever a host
 * answers: what it has made is valid, bounded and clean, questions are only asked of who can be
 * asked, and what it is told are whole lines.  The process and its end are this file's.
 *
 * The input: one byte for the kind and the host, then pieces: a byte that says what the host does
 * after the piece, a byte for its length, and the bytes. */
#include <stdint.h>
#include <string.h>

#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "mcp/own_private.h"
#include "mcp/rpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ASKABLE = 4, TELLABLE = 8, PARKS = 16, STUFFED = 32 };
typedef enum { HOST_WAITS, HOST_ANSWERS, HOST_REFUSES, HOST_IS_LATE, HOST_ERRS, HOST_ACTS } act;

typedef struct {
    own_tools tools;
    own_call call;
    own_entry entry;
    bool parks, stuffed, ended;
    size_t asked, written;
    char token[OWN_TOKEN_BYTES];
} world;

static world *the_world; /* for the functions that stand for own_call.c's and process.c's */

/* ---- instead of a process -------------------------------------------------------------------- */

bool process_write(process *p, str bytes) {
    cJSON *message = NULL;
    err e;
    ASSERT(!p && bytes.len && bytes.ptr[bytes.len - 1] == '\n');
    ASSERT(memchr(bytes.ptr, '\n', bytes.len) == bytes.ptr + bytes.len - 1);
    char *copy = xstrndup(bytes.ptr, bytes.len - 1);
    ASSERT(rpc_parse(copy, bytes.len - 1, &message, &e) == OK && cJSON_IsObject(message));
    cJSON_Delete(message);
    xfree(copy);
    the_world->written++;
    return !the_world->stuffed || the_world->written < 2;
}

void own_call_arm(own_call *c, double ms) {
    ASSERT(c == &the_world->call && ms <= MAX(LIMIT_MCP_ASK_MS, LIMIT_OWN_TIMEOUT_MS));
}

void own_call_fail(own_call *c, const char *sentence) {
    ASSERT(c == &the_world->call && sentence[0]);
    c->outcome = OWN_FAILED;
    the_world->ended = true;
}

/* ---- the host -------------------------------------------------------------------------------- */

static void on_done(void *ud, const own_answer *a) {
    UNUSED(ud);
    UNUSED(a);
}

static void on_tell(void *ud, const char *what, const cJSON *params) {
    bool progress = !strcmp(what, "progress");
    ASSERT(!((world *)ud)->ended && (progress || !strcmp(what, "log")));
    ASSERT(cJSON_GetObjectItemCaseSensitive(params, progress ? "progress" : "level"));
}

static void on_ask(void *ud, const cJSON *requests) {
    world *w = ud;
    if (!requests) return;
    ASSERT(requests->child && cJSON_GetArraySize(requests) <= LIMIT_OWN_ASKS);
    w->asked++;
    if (w->parks) own_tools_park(&w->tools, w->call.id, w->token);
}

static own_hooks hooks_of(world *w, uint8_t flags) {
    return (own_hooks){.ud = w,
                       .done = on_done,
                       .tell = flags & TELLABLE ? on_tell : NULL,
                       .ask = flags & ASKABLE ? on_ask : NULL};
}

/* An accepted form for each open question, or, to `err`, something else. */
static cJSON *answers_to(const cJSON *asks, bool errs) {
    cJSON *all = cJSON_CreateObject();
    const cJSON *one;
    cJSON_ArrayForEach(one, asks) {
        cJSON *answer = cJSON_AddObjectToObject(all, one->string);
        cJSON_AddStringToObject(answer, "action", errs ? "wonder" : "accept");
        cJSON_AddStringToObject(cJSON_AddObjectToObject(answer, "content"), "a", "b");
    }
    return all;
}

static void host_acts(world *w, act what, uint8_t flags) {
    own_call *c = &w->call;
    err e = {{0}};
    if (!c->asks || w->ended || what == HOST_WAITS) return;
    cJSON *answers = answers_to(c->asks, what == HOST_ERRS);
    if (what == HOST_IS_LATE) {
        own_talk_timer(c);
    } else if (what == HOST_REFUSES && !c->token[0]) {
        own_tools_refuse(&w->tools, c->id, "no");
    } else if (!c->token[0]) {
        status s = own_tools_reply(&w->tools, c->id, answers, &e);
        ASSERT(s == OK || e.text[0]);
    } else {
        own_hooks hooks = hooks_of(w, flags);
        cJSON *client = cJSON_Duplicate(c->client, true);
        own_request same = {w->entry.offer.kind, c->name, c->arguments, client, answers};
        uint64_t id = own_tools_resume(&w->tools, w->token, &same, &hooks, &e);
        ASSERT(id == c->id || (!id && e.text[0]));
        cJSON_Delete(client);
    }
    cJSON_Delete(answers);
}

/* ---- one conversation ------------------------------------------------------------------------ */

static void begin(world *w, uint8_t flags) {
    static const own_kind kinds[] = {OWN_TOOL, OWN_PROMPT, OWN_RESOURCE, OWN_TEMPLATE};
    w->parks = flags & PARKS;
    w->stuffed = flags & STUFFED;
    w->entry = (own_entry){.offer = {.kind = kinds[flags % 4], .name = "n"}, .speaks = true};
    w->tools.place.workspace = (char[]){"/nonexistent"};
    w->call = (own_call){.owner = &w->tools,
                         .id = 1,
                         .entry = &w->entry,
                         .name = xstrdup("n"),
                         .arguments = cJSON_CreateObject(),
                         .client = cJSON_Parse("{\"elicitation\":{},\"roots\":{}}"),
                         .hooks = hooks_of(w, flags)};
    vec_push(&w->tools.calls, &w->call);
    own_talk_start(&w->call);
}

static void check(const world *w) {
    const own_call *c = &w->call;
    const cJSON *block;
    ASSERT(c->content_bytes <= LIMIT_OWN_CONTENT_BYTES || w->ended);
    ASSERT(c->hooks.done || c->token[0]);
    ASSERT(!w->asked || c->entry->offer.name[0]);
    cJSON_ArrayForEach(block, c->content) {
        bool holds = c->entry->offer.kind == OWN_PROMPT;
        ASSERT(cJSON_IsObject(block));
        ASSERT(!holds || cJSON_GetObjectItemCaseSensitive(block, "content"));
    }
}

static void end(world *w) {
    own_call *c = &w->call;
    cJSON *const owned[] = {c->arguments, c->content, c->structured, c->client, c->asks, c->got};
    for (size_t i = 0; i < COUNTOF(owned); i++)
        cJSON_Delete(owned[i]);
    frame_reader_deinit(&c->lines);
    xfree(c->name);
    vec_free(&w->tools.calls);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1 || size > 60000) return 0;
    world *w = the_world = xcalloc(1, sizeof *w);
    begin(w, data[0]);
    for (size_t at = 1; at + 2 <= size && !w->ended;) {
        act then = data[at] % HOST_ACTS;
        size_t n = MIN((size_t)data[at + 1], size - at - 2);
        own_talk_bytes(&w->call, (str){(const char *)data + at + 2, n});
        check(w);
        host_acts(w, then, data[0]);
        at += 2 + n;
    }
    end(w);
    xfree(w);
    return 0;
}
