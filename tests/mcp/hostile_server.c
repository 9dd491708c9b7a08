/* SPDX-License-Identifier: Apache-2.0 */
/* An MCP server over stdio that errs in one way: hostile_server MODE.  Without a mode of its own a
 * method is answered well, so that what a test sees is the error and nothing else. */
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "engine/base/base.h"
#include "engine/base/str.h"

static const char *mode;
static int calls, lists;

static bool is(const char *name) {
    return strcmp(mode, name) == 0;
}

static void pause_ms(long ms) {
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static void put(const char *bytes, size_t n) {
    while (n) {
        ssize_t done = write(1, bytes, is("bytewise") ? 1 : n);
        if (done <= 0) _exit(1);
        bytes += done;
        n -= (size_t)done;
    }
}

static void line(const char *text) {
    put(text, strlen(text));
    put(is("crlf") ? "\r\n" : "\n", is("crlf") ? 2 : 1);
}

/* An answer with an id as this mode writes it. */
static void answer(int id, const char *body) {
    strbuf out;
    strbuf_init(&out, SIZE_MAX / 2);
    if (is("id-text"))
        strbuf_addf(&out, "{\"jsonrpc\":\"2.0\",\"id\":\"%d\",%s}", id, body);
    else if (is("id-float"))
        strbuf_addf(&out, "{\"jsonrpc\":\"2.0\",\"id\":%d.0,%s}", id, body);
    else
        strbuf_addf(&out, "{%s,\"jsonrpc\":\"2.0\",\"id\":%d}", body, id);
    line(out.ptr);
    strbuf_deinit(&out);
}

#define TEXT(t) "\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"" t "\"}]}"
#define CHANGED "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}"

static void flood_stderr(size_t bytes) {
    static char fill[1000];
    memset(fill, 'e', sizeof fill - 1);
    fill[sizeof fill - 1] = '\n';
    for (size_t n = 0; n < bytes; n += sizeof fill)
        if (write(2, fill, sizeof fill) < 0) return;
}

static void on_initialize(int id) {
    if (is("silent")) return;
    if (is("refuses")) {
        answer(id, "\"error\":{\"code\":-32000,\"message\":\"not today\"}");
        return;
    }
    if (is("modern-only")) {
        answer(id, "\"error\":{\"code\":-32022,\"message\":\"no\",\"data\":{\"supported\":"
                   "[\"2026-07-28\"],\"requested\":\"2025-11-25\"}}");
        return;
    }
    if (is("banner")) line("Server starting on stdio...");
    if (is("stderr-300k")) flood_stderr(300000);
    answer(id, is("null-capabilities")
                   ? "\"result\":{\"protocolVersion\":\"2024-11-05\",\"capabilities\":{"
                     "\"tools\":{},\"prompts\":null,\"zap\":{}},\"serverInfo\":{\"name\":\"x\"}}"
               : is("snake-case")
                   ? "\"result\":{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{\"tools\":"
                     "{\"list_changed\":true}},\"serverInfo\":{\"name\":\"x\",\"version\":\"1\"}}"
                   : "\"result\":{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"tools\":"
                     "{\"listChanged\":true}},\"serverInfo\":{\"name\":\"hostile\","
                     "\"version\":\"1\"}}");
    if (is("exit-idle")) {
        pause_ms(100);
        _exit(0);
    }
}

static void on_discover(int id) {
    if (is("discover-silent")) return;
    if (is("discover-exit")) _exit(4);
    if (is("modern-only")) {
        answer(id, "\"result\":{\"resultType\":\"complete\",\"supportedVersions\":[\"2026-07-28\"],"
                   "\"capabilities\":{\"tools\":{}}}");
        return;
    }
    answer(id, is("discover-32602")   ? "\"error\":{\"code\":-32602,\"message\":\"bad\"}"
               : is("discover-32000") ? "\"error\":{\"code\":-32000,\"message\":\"bad\"}"
                                      : "\"error\":{\"code\":-32601,\"message\":\"bad\"}");
}

static void on_list(int id) {
    lists++;
    if (is("changing")) {
        char body[100];
        snprintf(body, sizeof body,
                 "\"result\":{\"tools\":[{\"name\":\"echo\",\"description\":\"%s\"}]}",
                 lists == 1 ? "one" : "two");
        answer(id, body);
        if (lists == 1) line(CHANGED);
        return;
    }
    strbuf body;
    strbuf_init(&body, 1u << 24);
    strbuf_addf(&body,
                "\"result\":{\"tools\":[{\"name\":\"echo\",\"annotations\":"
                "{\"readOnlyHint\":false}},{\"name\":\"look\",\"annotations\":"
                "{\"readOnlyHint\":true,\"openWorldHint\":%s}}",
                is("open") ? "true" : "false");
    for (int i = 0; is("many-tools") && i < 10001; i++)
        strbuf_addf(&body, ",{\"name\":\"t%d\"}", i);
    if (is("twins")) strbuf_addf(&body, ",{\"name\":\"echo\"}");
    strbuf_addf(&body, "]%s}", is("cursor") ? ",\"nextCursor\":\"again\"" : "");
    answer(id, body.ptr);
    strbuf_deinit(&body);
    if (lists == 1 && is("snake-case")) line(CHANGED);
    if (lists == 1 && is("no-read")) pause();
    for (int i = 0; is("storm") && lists == 1 && i < 500; i++) {
        line(CHANGED);
        if (i % 10 == 9) pause_ms(10);
    }
}

static void big(int id, size_t megabytes) {
    char *fill = calloc(1, (1u << 20) + 1);
    memset(fill, 'b', 1u << 20);
    put("{\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"", 45);
    for (size_t i = 0; i < megabytes; i++)
        put(fill, 1u << 20);
    char end[64];
    snprintf(end, sizeof end, "\"}]},\"jsonrpc\":\"2.0\",\"id\":%d}", id);
    line(end);
    free(fill);
}

static void many_items(int id) {
    strbuf body;
    strbuf_init(&body, 1u << 24);
    strbuf_addf(&body, "\"result\":{\"content\":[{\"type\":\"hologram\"}");
    for (int i = 0; i < 1000; i++)
        strbuf_addf(&body, ",{\"type\":\"text\",\"text\":\"item %d\"}", i);
    strbuf_addf(&body, "]}");
    answer(id, body.ptr);
    strbuf_deinit(&body);
}

static void deep(int id) {
    strbuf body;
    strbuf_init(&body, 1u << 20);
    strbuf_addf(&body, "\"result\":");
    for (int i = 0; i < 1000; i++)
        strbuf_add_char(&body, '[');
    for (int i = 0; i < 1000; i++)
        strbuf_add_char(&body, ']');
    answer(id, body.ptr);
    strbuf_deinit(&body);
}

static void progress(int id) {
    for (int i = 0; i < 28; i++) {
        char text[160];
        snprintf(text, sizeof text,
                 "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":"
                 "{\"progressToken\":%d,\"progress\":%d}}",
                 id, i);
        line(text);
        pause_ms(50);
    }
}

/* Modes that answer calls with something of their own. */
static bool strange_call(int id) {
    static int held;
    if (is("crash")) _exit(7);
    if (is("stop")) raise(SIGSTOP);
    if (is("asks"))
        line("{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"elicitation/create\",\"params\":{"
             "\"message\":\"who?\",\"requestedSchema\":{\"type\":\"object\",\"properties\":"
             "{\"name\":{\"type\":\"string\"}}}}}");
    if (is("late") && calls == 1) pause_ms(300);
    if (is("stderr-flood")) flood_stderr(10000000);
    if (is("never")) return true;
    if (is("progress")) progress(id);
    if (is("banner")) line("one more line of noise");
    if (strncmp(mode, "big-", 4) == 0) {
        big(id, calls == 1 ? strtoul(mode + 4, NULL, 10) : 1);
        return true;
    }
    if (is("items")) many_items(id);
    if (is("deep") && calls == 1) deep(id);
    if (is("nul") && calls == 1) put("{\"jsonrpc\":\"2.0\",\"id\":\0}\n", 25);
    if (is("reorder") && calls == 1) {
        held = id;
        return true;
    }
    if (is("reorder") && calls == 2) {
        answer(id, TEXT("second"));
        answer(held, TEXT("first"));
        answer(held, TEXT("first again"));
        answer(4711, TEXT("nobody asked"));
        return true;
    }
    if (is("between")) {
        line("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"data\":{}}}");
        line("{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"ping\"}");
        line("{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"what/ever\",\"params\":[1]}");
        line("{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"roots/list\"}");
    }
    return is("items") || (is("deep") && calls == 1);
}

static void answer_lists(int id) {
    char body[100];
    snprintf(body, sizeof body, TEXT("%d lists"), lists);
    answer(id, body);
}

static void on_call(int id) {
    calls++;
    if (strange_call(id)) return;
    if (is("fails"))
        answer(id,
               "\"result\":{\"isError\":true,\"content\":[{\"type\":\"text\",\"text\":\"no\"}]}");
    else if (is("no-store"))
        answer(id, "\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"echo\"}],"
                   "\"_meta\":{\"example.org/no-store\":true}}");
    else if (is("bad-utf8"))
        answer(id, TEXT("a\xFF\xC0z"));
    else if (is("surrogate"))
        answer(id, TEXT("a\\ud800z"));
    else if (is("storm") || is("snake-case"))
        answer_lists(id);
    else
        answer(id, TEXT("echo"));
}

static void on_message(const cJSON *m) {
    const cJSON *method = cJSON_GetObjectItemCaseSensitive(m, "method");
    const cJSON *id_item = cJSON_GetObjectItemCaseSensitive(m, "id");
    if (!cJSON_IsString(method) || !id_item) return;
    int id = id_item->valueint;
    if (strcmp(method->valuestring, "initialize") == 0)
        on_initialize(id);
    else if (strcmp(method->valuestring, "server/discover") == 0)
        on_discover(id);
    else if (strcmp(method->valuestring, "tools/list") == 0)
        on_list(id);
    else if (strcmp(method->valuestring, "tools/call") == 0)
        on_call(id);
    else
        answer(id, "\"error\":{\"code\":-32601,\"message\":\"what?\"}");
}

int main(int argc, char **argv) {
    mode = argc > 1 ? argv[1] : "";
    if (is("banner")) line("Welcome!");
    if (is("ignore-term") || is("grandchild")) signal(SIGTERM, SIG_IGN);
    if ((is("grandchild") || is("escapes")) && fork() == 0) {
        if (is("escapes")) setsid(); /* out of the group that will be ended */
        for (;;)
            pause();
    }
    char *text = NULL;
    size_t room = 0;
    while (getline(&text, &room, stdin) > 0) {
        cJSON *m = cJSON_Parse(text);
        if (m) on_message(m);
        cJSON_Delete(m);
    }
    free(text);
    while (is("ignore-eof") || is("ignore-term"))
        pause_ms(1000);
    return 0;
}
