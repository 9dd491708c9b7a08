/* SPDX-License-Identifier: Apache-2.0 */
/* The proxy between an editor that is played here and real servers that die at any moment, between
 * two messages and in the middle of one: in the end the last server has the editor's text, byte for
 * byte, and every request was answered once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/limits.h"
#include "lsp/proxy.h"
#include "lsp/server.h"
#include "tests/lsp/fake_engine.h"

#define DOCUMENTS 3
#define TEXT_MAX 600
#define MESSAGES 10000

typedef struct {
    proxy *p;
    engine *g;
    completer *completer;
    model model;
    tiers *tiers;
    settings settings;
    server *daemon; /* NULL: dead */
    strbuf to_daemon, to_editor;
    frame_reader editor;
    uint32_t seed;
    char text[DOCUMENTS][TEXT_MAX * 4 + 64];
    bool open[DOCUMENTS];
    int version[DOCUMENTS];
    int last_id, registrations, ended_progress;
    uint8_t answers[MESSAGES + 10]; /* by id of the request */
    bool asked[MESSAGES + 10];
    VEC(cJSON *) requests; /* of the daemon, not yet answered */
    int tellings;          /* window/showMessage */
    char told[400];        /* the last of them */
} fixture;

static uint32_t roll(fixture *f, uint32_t n) {
    f->seed = f->seed * 1664525u + 1013904223u;
    return (f->seed >> 8) % n;
}

/* ---- a daemon -------------------------------------------------------------------------------- */

static void daemon_write(void *ud, str bytes) {
    fixture *f = ud;
    strbuf_add_str(&f->to_editor, bytes);
}
static void daemon_timer(void *ud, double ms) {
    UNUSED(ud);
    UNUSED(ms);
}
static void daemon_watch(void *ud, int64_t pid) {
    UNUSED(ud);
    UNUSED(pid);
}
static void daemon_exited(void *ud, int code) {
    UNUSED(ud);
    UNUSED(code);
}

static void born(fixture *f) {
    f->daemon = server_new(
        &(server_host){.ud = f,
                       .write = daemon_write,
                       .timer = daemon_timer,
                       .watch = daemon_watch,
                       .exited = daemon_exited},
        &(server_options){
            .completer = f->completer, .tiers = f->tiers, .settings = &f->settings, .client = 1});
    proxy_daemon_here(f->p);
}

/* What it has written and nobody has read is lost, or only a part of it was read. */
static void die(fixture *f) {
    if (!f->daemon) return;
    err e;
    size_t part = f->to_editor.len ? roll(f, (uint32_t)f->to_editor.len + 1) : 0;
    status s = proxy_from_daemon(f->p, str_sub(strbuf_str(&f->to_editor), 0, part), &e);
    assert_int_equal(s, OK);
    server_free(f->daemon);
    f->daemon = NULL;
    strbuf_clear(&f->to_editor);
    strbuf_clear(&f->to_daemon);
    proxy_daemon_gone(f->p);
}

/* ---- the editor ------------------------------------------------------------------------------ */

static void editor_hears(fixture *f, cJSON *json) {
    const cJSON *id = cJSON_GetObjectItemCaseSensitive(json, "id");
    const cJSON *method = cJSON_GetObjectItemCaseSensitive(json, "method");
    if (method && id) {
        f->registrations += !strcmp(method->valuestring, "client/registerCapability");
        vec_push(&f->requests, json);
        return;
    }
    if (method && !strcmp(method->valuestring, "window/showMessage")) {
        f->tellings++;
        snprintf(f->told, sizeof f->told, "%s",
                 protocol_get(protocol_get(json, "params"), "message")->valuestring);
    }
    const cJSON *value = protocol_get(protocol_get(json, "params"), "value");
    const cJSON *kind = protocol_get(value, "kind");
    f->ended_progress += cJSON_IsString(kind) && !strcmp(kind->valuestring, "end");
    if (id && cJSON_IsNumber(id)) {
        assert_true(f->asked[id->valueint]);
        f->answers[id->valueint]++;
        assert_int_equal(f->answers[id->valueint], 1);
    }
    cJSON_Delete(json);
}

static void to_editor(void *ud, str framed) {
    fixture *f = ud;
    frame_feed(&f->editor, framed);
    for (bool got = true; got;) {
        char *text;
        size_t len;
        err e;
        cJSON *json = NULL;
        assert_int_equal(frame_next(&f->editor, &text, &len, &got, &e), OK);
        if (!got) break;
        assert_int_equal(rpc_parse(text, len, &json, &e), OK);
        editor_hears(f, json);
    }
}

static void to_daemon(void *ud, str framed) {
    fixture *f = ud;
    strbuf_add_str(&f->to_daemon, framed);
}

static void say(fixture *f, const char *json) {
    strbuf framed;
    err e;
    strbuf_init(&framed, 1u << 20);
    frame_write(&framed, FRAME_HEADERS, str_of(json));
    size_t cut = roll(f, (uint32_t)framed.len);
    assert_int_equal(proxy_from_editor(f->p, str_sub(strbuf_str(&framed), 0, cut), &e), OK);
    assert_int_equal(proxy_from_editor(f->p, str_sub(strbuf_str(&framed), cut, framed.len), &e),
                     OK);
    strbuf_deinit(&framed);
}

/* Bytes on the way arrive, or some of them. */
static void flow(fixture *f, bool all) {
    for (int i = 0; i < (all ? 50 : 1); i++) {
        err e;
        size_t n = all ? f->to_daemon.len : roll(f, (uint32_t)f->to_daemon.len + 1);
        if (!f->daemon) return;
        strbuf rest = {0};
        strbuf_init(&rest, 1u << 24);
        strbuf_add_str(&rest, str_sub(strbuf_str(&f->to_daemon), n, f->to_daemon.len));
        strbuf first = f->to_daemon;
        f->to_daemon = rest;
        assert_int_equal(server_bytes(f->daemon, str_sub(strbuf_str(&first), 0, n), &e), OK);
        strbuf_deinit(&first);
        strbuf wrote = f->to_editor;
        strbuf_init(&f->to_editor, 1u << 24);
        assert_int_equal(proxy_from_daemon(f->p, strbuf_str(&wrote), &e), OK);
        strbuf_deinit(&wrote);
        if (all && !f->to_daemon.len && !f->to_editor.len) return;
    }
}

static const char *const pieces[] = {"a",     "\\n", "\xC3\xA4", "\xF0\x9F\x98\x80",
                                     "word ", "",    "x\\r\\n"};
static const char *const piece_bytes[] = {"a",     "\n", "\xC3\xA4", "\xF0\x9F\x98\x80",
                                          "word ", "",   "x\r\n"};

/* Units of UTF-16 before byte `at` on its line, and the line; lines end as the protocol says. */
static void position_of(const char *text, size_t at, int *line, int *unit) {
    *line = *unit = 0;
    for (size_t i = 0; i < at; i++) {
        unsigned char c = (unsigned char)text[i];
        bool end = c == '\n' || (c == '\r' && text[i + 1] != '\n');
        if (end) {
            (*line)++;
            *unit = 0;
        } else if ((c & 0xC0) != 0x80) {
            *unit += c >= 0xF0 ? 2 : 1;
        }
    }
}

/* A place between two characters, not inside a line end. */
static size_t some_place(fixture *f, const char *text, size_t from) {
    size_t len = strlen(text), at = from + roll(f, (uint32_t)MIN(len - from, 12) + 1);
    while (at < len &&
           ((text[at] & 0xC0) == 0x80 || (text[at] == '\n' && at && text[at - 1] == '\r')))
        at++;
    return at;
}

static void edit(fixture *f, int d) {
    char *text = f->text[d], json[600], rest[sizeof f->text[0]];
    size_t from = some_place(f, text, strlen(text) > 20 ? roll(f, (uint32_t)strlen(text) - 12) : 0);
    while (from && (text[from] & 0xC0) == 0x80)
        from--;
    if (from && text[from] == '\n' && text[from - 1] == '\r') from--;
    size_t to = strlen(text) > TEXT_MAX ? strlen(text) : some_place(f, text, from);
    uint32_t which = roll(f, COUNTOF(pieces));
    int l0, c0, l1, c1;
    position_of(text, from, &l0, &c0);
    position_of(text, to, &l1, &c1);
    snprintf(
        json, sizeof json,
        "{\"jsonrpc\":\"2.0\",\"method\":\"textDocument/didChange\",\"params\":{\"textDocument"
        "\":{\"uri\":\"file:///%d\",\"version\":%d},\"contentChanges\":[{\"range\":{\"start\":{"
        "\"line\":%d,\"character\":%d},\"end\":{\"line\":%d,\"character\":%d}},\"text\":\"%s\"}]}}",
        d, ++f->version[d], l0, c0, l1, c1, pieces[which]);
    snprintf(rest, sizeof rest, "%s", text + to);
    snprintf(text + from, sizeof f->text[d] - from, "%s%s", piece_bytes[which], rest);
    say(f, json);
}

static void open_or_close(fixture *f, int d) {
    char json[300];
    f->open[d] = !f->open[d];
    if (f->open[d]) {
        f->text[d][0] = '\0';
        f->version[d] = 1;
        snprintf(
            json, sizeof json,
            "{\"jsonrpc\":\"2.0\",\"method\":\"textDocument/didOpen\",\"params\":{\"textDocument\""
            ":{\"uri\":\"file:///%d\",\"languageId\":\"plaintext\",\"version\":1,\"text\":\"\"}}}",
            d);
    } else {
        snprintf(
            json, sizeof json,
            "{\"jsonrpc\":\"2.0\",\"method\":\"textDocument/didClose\",\"params\":{\"textDocument"
            "\":{\"uri\":\"file:///%d\"}}}",
            d);
    }
    say(f, json);
}

static void ask(fixture *f) {
    char json[120];
    f->asked[++f->last_id] = true;
    snprintf(json, sizeof json, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"inlined/status\"}",
             f->last_id);
    say(f, json);
}

static void answer_late(fixture *f) {
    if (!f->requests.count) return;
    cJSON *request = f->requests.at[0];
    vec_remove(&f->requests, 0);
    cJSON *m = cJSON_CreateObject();
    cJSON_AddStringToObject(m, "jsonrpc", "2.0");
    cJSON_AddItemToObject(m, "id",
                          cJSON_Duplicate(cJSON_GetObjectItemCaseSensitive(request, "id"), 1));
    cJSON_AddItemToObject(m, "result", cJSON_CreateArray());
    char *text = cJSON_PrintUnformatted(m);
    say(f, text);
    cJSON_free(text);
    cJSON_Delete(m);
    cJSON_Delete(request);
}

static void daemon_says(fixture *f, const char *json) {
    strbuf framed;
    err e;
    strbuf_init(&framed, 2000);
    frame_write(&framed, FRAME_HEADERS, str_of(json));
    assert_int_equal(proxy_from_daemon(f->p, strbuf_str(&framed), &e), OK);
    strbuf_deinit(&framed);
}

/* ---- tests ----------------------------------------------------------------------------------- */

static int setup(void **state) {
    fixture *f = xcalloc(1, sizeof *f);
    err e;
    *state = f;
    f->seed = 7;
    settings_default(&f->settings);
    assert_int_equal(engine_start(&f->g, &(engine_options){.device = K_REF}, &e), OK);
    f->completer = completer_new(f->g);
    f->tiers = tiers_lend(&f->model, NULL);
    strbuf_init(&f->to_daemon, 1u << 24);
    strbuf_init(&f->to_editor, 1u << 24);
    frame_reader_init(&f->editor, FRAME_HEADERS, LIMIT_MESSAGE_BYTES);
    f->p = proxy_new(&(proxy_hooks){f, to_editor, to_daemon});
    return 0;
}

static int teardown(void **state) {
    fixture *f = *state;
    if (f->daemon) server_free(f->daemon);
    proxy_free(f->p);
    engine_stop(f->g);
    completer_free(f->completer);
    tiers_free(f->tiers);
    for (size_t i = 0; i < f->requests.count; i++)
        cJSON_Delete(f->requests.at[i]);
    vec_free(&f->requests);
    strbuf_deinit(&f->to_daemon);
    strbuf_deinit(&f->to_editor);
    frame_reader_deinit(&f->editor);
    xfree(f);
    return 0;
}

static void initialize(fixture *f) {
    f->asked[++f->last_id] = true;
    say(f, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"capabilities\":{"
           "\"workspace\":{\"configuration\":true,\"didChangeConfiguration\":{"
           "\"dynamicRegistration\":true}},\"textDocument\":{\"inlineCompletion\":{"
           "\"dynamicRegistration\":true}}}}}");
    say(f, "{\"jsonrpc\":\"2.0\",\"method\":\"initialized\",\"params\":{}}");
}

static void check_documents(fixture *f) {
    for (int d = 0; d < DOCUMENTS; d++) {
        char uri[32];
        snprintf(uri, sizeof uri, "file:///%d", d);
        document *there = context_find(f->daemon->context, str_of(uri));
        assert_int_equal(there != NULL, f->open[d]);
        if (!there) continue;
        str text = document_text(there);
        assert_int_equal(text.len, strlen(f->text[d]));
        assert_memory_equal(text.ptr ? text.ptr : "", f->text[d], text.len);
        assert_int_equal(document_version(there), f->version[d]);
    }
}

static void daemons_die_at_any_moment(void **state) {
    fixture *f = *state;
    int deaths = 0;
    initialize(f); /* before there is any daemon */
    for (int i = 0; i < MESSAGES; i++) {
        int d = (int)roll(f, DOCUMENTS);
        uint32_t what = roll(f, 100);
        if (what < 4 || !f->open[d])
            open_or_close(f, d);
        else if (what < 85)
            edit(f, d);
        else if (what < 95)
            ask(f);
        else
            answer_late(f);
        if (roll(f, 60) == 0 && f->daemon) {
            die(f);
            deaths++;
        } else if (!f->daemon && roll(f, 4) == 0) {
            born(f);
        }
        if (roll(f, 3) == 0) flow(f, roll(f, 4) == 0);
        if (i % 500 == 499) {
            if (!f->daemon) born(f);
            flow(f, true);
            check_documents(f);
        }
    }
    if (!f->daemon) born(f);
    flow(f, true);
    check_documents(f);
    assert_true(deaths > 100);
    assert_int_equal(proxy_open_requests(f->p), 0);
    for (int id = 1; id <= f->last_id; id++)
        assert_int_equal(f->answers[id], 1);
    assert_in_range(f->registrations, 1, 3); /* once each, however many daemons there were */
}

static void shutdown_and_exit_need_no_daemon(void **state) {
    fixture *f = *state;
    initialize(f);
    born(f);
    flow(f, true);
    assert_int_equal(f->answers[1], 1);
    f->asked[2] = true;
    say(f, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"shutdown\"}");
    die(f); /* before it heard that, or after */
    assert_int_equal(f->answers[2], 1);
    assert_int_equal(proxy_exit_code(f->p), -1);
    born(f);
    flow(f, true);
    say(f, "{\"jsonrpc\":\"2.0\",\"method\":\"exit\"}");
    assert_int_equal(proxy_exit_code(f->p), 0);
}

static void progress_of_the_dead_is_ended(void **state) {
    fixture *f = *state;
    err e;
    initialize(f);
    born(f);
    flow(f, true);
    daemon_says(f, "{\"jsonrpc\":\"2.0\",\"method\":\"$/progress\",\"params\":{\"token\":\"t\","
                   "\"value\":{\"kind\":\"begin\",\"title\":\"Loading\"}}}");
    die(f);
    assert_int_equal(f->ended_progress, 1);
    born(f);
    assert_int_not_equal(proxy_from_daemon(f->p, STR("no frame\r\n\r\n"), &e), OK);
    server_free(f->daemon); /* its stream is broken, the editor's is not */
    f->daemon = NULL;
    strbuf_clear(&f->to_editor);
    strbuf_clear(&f->to_daemon);
    proxy_daemon_gone(f->p);
    born(f);
    ask(f);
    flow(f, true);
    assert_int_equal(f->answers[f->last_id], 1);
    assert_int_not_equal(proxy_from_editor(f->p, STR("no frame\r\n\r\n"), &e), OK);
}

static void another_version_is_a_sentence(void **state) {
    fixture *f = *state;
    initialize(f);
    born(f);
    flow(f, true);
    assert_int_equal(f->tellings, 0); /* its own version needs no word */
    die(f);
    for (int i = 0; i < 2; i++) { /* a second one of that version: once is enough */
        proxy_daemon_here(f->p);
        daemon_says(f, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"capabilities\":{},"
                       "\"serverInfo\":{\"name\":\"inlined\",\"version\":\"0.0.9\"}}}");
        assert_int_equal(f->tellings, 1);
        proxy_daemon_gone(f->p);
    }
    assert_non_null(strstr(f->told, "inlined " INLINED_VERSION " talks to a daemon of 0.0.9: "));
    assert_non_null(strstr(f->told, "open this one again"));
}

static void strange_versions(void **state) {
    fixture *f = *state;
    initialize(f);
    proxy_daemon_here(f->p);
    daemon_says(f, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"capabilities\":{},\"serverInfo\":{"
                   "\"version\":\"12345678901234567890123456789012345678Ã¤Ã¤\"}}}");
    assert_int_equal(f->tellings, 1); /* cut between two characters */
    assert_non_null(strstr(f->told, "5678: close all editors"));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {CASE(daemons_die_at_any_moment),
                                       CASE(shutdown_and_exit_need_no_daemon),
                                       CASE(progress_of_the_dead_is_ended),
                                       CASE(another_version_is_a_sentence), CASE(strange_versions)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
