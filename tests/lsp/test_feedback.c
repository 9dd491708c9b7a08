/* SPDX-License-Identifier: Apache-2.0 */
/* lsp/feedback with a scripted engine: acceptance from the text, from the command, and from
 * notifications; each suggestion counts once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/mem.h"
#include "tests/lsp/lsp_peer.h"

#define URI "file:///w/a.txt"

static int setup(void **state) {
    static lsp_peer p; /* one at a time */
    lsp_peer_open(&p);
    lsp_peer_initialize(&p);
    lsp_peer_model_ready(&p);
    lsp_peer_open_document(&p, URI, "let x = \nend\n");
    lsp_peer_forget(&p);
    *state = &p;
    return 0;
}

static int teardown(void **state) {
    lsp_peer_close(*state);
    return 0;
}

/* "shown accepted partly typed left" as the status request has them. */
static void expect_counts(lsp_peer *p, const char *want) {
    static const char *const names[] = {"shown", "accepted", "acceptedPartly", "typed", "left"};
    lsp_peer_send(p, "{\"id\":900,\"method\":\"inlined/status\"}");
    cJSON *a = lsp_peer_answer(p, 900);
    char got[64] = "";
    for (size_t i = 0; i < COUNTOF(names); i++) {
        char path[64];
        size_t n = strlen(got);
        snprintf(path, sizeof path, "result.counts.%s", names[i]);
        snprintf(got + n, sizeof got - n, "%s%d", i ? " " : "", lsp_peer_at(a, path)->valueint);
    }
    assert_string_equal(got, want);
    cJSON_Delete(a);
}

/* Asks, answers, and gives the first item's id (which the next call overwrites). */
static const char *show(lsp_peer *p, int id, int character, const char *text) {
    static char item[64];
    lsp_peer_ask(p, id, URI, 0, character);
    lsp_peer_tick(p);
    if (text) assert_true(lsp_peer_end_job(p, text, OK));
    cJSON *a = lsp_peer_answer(p, id);
    assert_non_null(a);
    const cJSON *argument = lsp_peer_at(a, "result.items.0.command.arguments.0");
    assert_non_null(argument);
    snprintf(item, sizeof item, "%s", argument->valuestring);
    cJSON_Delete(a);
    return item;
}

static void tell(lsp_peer *p, const char *method, const char *id) {
    char json[512];
    snprintf(json, sizeof json,
             "{\"method\":\"textDocument/%s\",\"params\":{\"item\":{\"insertText\":\"x\","
             "\"command\":{\"title\":\"\",\"command\":\"c\",\"arguments\":[\"%s\"]}},"
             "\"acceptedLength\":3}}",
             method, id);
    lsp_peer_send(p, json);
}

static void tell_accepted(lsp_peer *p, const char *id) {
    char json[256];
    snprintf(json, sizeof json,
             "{\"id\":901,\"method\":\"workspace/executeCommand\",\"params\":{\"command\":"
             "\"inlined.didAcceptCompletionItem\",\"arguments\":[\"%s\"]}}",
             id);
    lsp_peer_send(p, json);
    cJSON_Delete(lsp_peer_answer(p, 901));
}

static void test_from_the_text(void **state) {
    lsp_peer *p = *state;
    show(p, 1, 8, "one(two);");
    expect_counts(p, "1 0 0 0 0");
    lsp_peer_edit(p, URI, 0, 8, 0, 8, "one");
    expect_counts(p, "1 0 1 0 0");
    show(p, 2, 11, NULL); /* from the cache: the same suggestion */
    lsp_peer_edit(p, URI, 0, 11, 0, 11, "(two);");
    expect_counts(p, "1 1 1 0 0");
    lsp_peer_edit(p, URI, 0, 17, 0, 17, "3");
    show(p, 3, 18, "4");
    lsp_peer_edit(p, URI, 0, 18, 0, 18, "4");
    expect_counts(p, "2 1 1 1 0");
    show(p, 4, 19, "56");
    lsp_peer_edit(p, URI, 0, 19, 0, 19, "x");
    expect_counts(p, "3 1 1 1 1");
}

static void test_each_counts_once(void **state) {
    lsp_peer *p = *state;
    char id[64];
    snprintf(id, sizeof id, "%s", show(p, 1, 8, "one(two);"));
    tell(p, "didShowCompletion", id);
    lsp_peer_edit(p, URI, 0, 8, 0, 8, "one");
    tell(p, "didPartiallyAcceptCompletion", id);
    assert_string_equal(show(p, 2, 11, NULL), id); /* ids stand for suggestions */
    tell(p, "didPartiallyAcceptCompletion", id);
    expect_counts(p, "1 0 1 0 0");
    lsp_peer_edit(p, URI, 0, 11, 0, 11, "(two);");
    tell_accepted(p, id);
    tell_accepted(p, id);
    tell_accepted(p, "nobody's");
    expect_counts(p, "1 1 1 0 0");
    lsp_peer_edit(p, URI, 0, 17, 0, 17, "3");
    snprintf(id, sizeof id, "%s", show(p, 3, 18, "4 + 4;"));
    tell_accepted(p, id); /* the command first, as some do */
    lsp_peer_edit(p, URI, 0, 18, 0, 18, "4 + 4;");
    expect_counts(p, "2 2 1 0 0");
    lsp_peer_send(p, "{\"method\":\"textDocument/didShowCompletion\",\"params\":{}}");
    lsp_peer_send(p, "{\"method\":\"textDocument/didShowCompletion\",\"params\":{\"item\":5}}");
    lsp_peer_send(p, "{\"method\":\"textDocument/didPartiallyAcceptCompletion\"}");
    expect_counts(p, "2 2 1 0 0");
}

static void test_looks_ahead_from_what_is_seen(void **state) {
    lsp_peer *p = *state;
    lsp_peer_invoke(p, 1, URI, 0, 8);
    lsp_peer_tick(p);
    lsp_peer_end_job(p, "one;", OK);
    lsp_peer_end_job(p, "two;", OK);
    lsp_peer_end_job(p, "three;", OK);
    cJSON *a = lsp_peer_answer(p, 1);
    lsp_peer_tick(p);
    assert_true(str_ends_with(fake_engine_prefix(p->engine), STR("one;")));
    tell(p, "didShowCompletion", lsp_peer_at(a, "result.items.1.command.arguments.0")->valuestring);
    lsp_peer_tick(p);
    assert_true(str_ends_with(fake_engine_prefix(p->engine), STR("two;")));
    assert_int_equal(fake_engine_waiting(p->engine), 1);
    cJSON_Delete(a);
    lsp_peer_edit(p, URI, 0, 8, 0, 8, "x"); /* another way: nothing to look ahead to */
    assert_int_equal(fake_engine_waiting(p->engine), 0);
}

static void test_copilot_status(void **state) {
    UNUSED(state);
    lsp_peer p;
    lsp_peer_open(&p);
    lsp_peer_send(&p, "{\"id\":0,\"method\":\"initialize\",\"params\":{\"capabilities\":{},"
                      "\"initializationOptions\":{\"editorInfo\":{\"name\":\"e\"},"
                      "\"editorPluginInfo\":{\"name\":\"p\"}}}}");
    lsp_peer_send(&p, "{\"method\":\"initialized\",\"params\":{}}");
    p.model.state = MODEL_READY;
    server_model_changed(p.server, &p.model);
    cJSON *n = lsp_peer_notification(&p, "didChangeStatus");
    assert_non_null(n);
    assert_string_equal(lsp_peer_at(n, "params.kind")->valuestring, "Normal");
    assert_true(cJSON_IsFalse(lsp_peer_at(n, "params.busy")));
    assert_non_null(strstr(lsp_peer_at(n, "params.message")->valuestring, "ready"));
    cJSON_Delete(n);
    assert_null(lsp_peer_notification(&p, "inlined/status")); /* it did not ask for that */
    lsp_peer_close(&p);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(test_from_the_text),
        CASE(test_each_counts_once),
        CASE(test_looks_ahead_from_what_is_seen),
        cmocka_unit_test(test_copilot_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
