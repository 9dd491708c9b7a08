/* SPDX-License-Identifier: Apache-2.0 */
/* lsp/inline_completion with a scripted engine: looking ahead, candidates, the menu. */
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

/* The texts of the answer's items, each followed by a bar. */
static void expect_items(lsp_peer *p, int id, const char *want) {
    cJSON *a = lsp_peer_answer(p, id);
    assert_non_null(a);
    const cJSON *item, *items = lsp_peer_at(a, "result.items");
    assert_true(cJSON_IsArray(items));
    char got[512] = "";
    cJSON_ArrayForEach(item, items) {
        size_t n = strlen(got);
        snprintf(got + n, sizeof got - n, "%s|", lsp_peer_at(item, "insertText")->valuestring);
    }
    assert_string_equal(got, want);
    cJSON_Delete(a);
}

/* Waits for the only completion of a request and ends it. */
static void answer(lsp_peer *p, const char *text) {
    lsp_peer_tick(p);
    assert_int_equal(fake_engine_waiting(p->engine), 1);
    assert_true(lsp_peer_end_job(p, text, OK));
    lsp_peer_tick(p); /* keys rest: looking ahead begins */
}

/* ---- looking ahead --------------------------------------------------------------------------- */

static void test_accepted_is_known(void **state) {
    lsp_peer *p = *state;
    lsp_peer_ask(p, 1, URI, 0, 8);
    answer(p, "one;");
    expect_items(p, 1, "one;|");
    assert_int_equal(fake_engine_waiting(p->engine), 1); /* what comes after it */
    assert_int_equal(fake_engine_priority(p->engine), PRIO_SPEC);
    assert_true(fake_engine_job(p->engine, 0)->deadline_ms <= 0); /* nobody waits for it yet */
    assert_true(str_ends_with(fake_engine_prefix(p->engine), STR("let x = one;")));
    lsp_peer_edit(p, URI, 0, 8, 0, 8, "o"); /* typing along does not disturb it */
    lsp_peer_ask(p, 2, URI, 0, 9);
    expect_items(p, 2, "ne;|");
    assert_int_equal(fake_engine_waiting(p->engine), 1);
    assert_int_equal(fake_engine_submitted(p->engine), 2);
    assert_true(lsp_peer_end_job(p, "  // two", OK));
    lsp_peer_edit(p, URI, 0, 9, 0, 9, "ne;"); /* accepted */
    lsp_peer_ask(p, 3, URI, 0, 12);
    lsp_peer_tick(p);
    assert_int_equal(fake_engine_submitted(p->engine), 3); /* only the next look ahead */
    assert_int_equal(fake_engine_priority(p->engine), PRIO_SPEC);
    expect_items(p, 3, "  // two|");
    lsp_peer_edit(p, URI, 0, 9, 0, 12, ""); /* taken back */
    lsp_peer_ask(p, 4, URI, 0, 9);
    expect_items(p, 4, "ne;|");
}

static void test_request_goes_first(void **state) {
    lsp_peer *p = *state;
    lsp_peer_ask(p, 1, URI, 0, 8);
    answer(p, "one;");
    expect_items(p, 1, "one;|");
    lsp_peer_edit(p, URI, 0, 8, 0, 8, "2"); /* another way */
    lsp_peer_ask(p, 2, URI, 0, 9);
    assert_int_equal(fake_engine_cancelled(p->engine), 1);
    lsp_peer_end_job(p, NULL, OK); /* the cancelled one's end comes late */
    answer(p, "3;");
    expect_items(p, 2, "3;|");
}

static void test_taken_over(void **state) {
    lsp_peer *p = *state;
    lsp_peer_ask(p, 1, URI, 0, 8);
    answer(p, "one;");
    expect_items(p, 1, "one;|");
    lsp_peer_edit(p, URI, 0, 8, 0, 8, "one;"); /* accepted before the look ahead is done */
    lsp_peer_ask(p, 2, URI, 0, 12);
    lsp_peer_tick(p);
    assert_int_equal(fake_engine_submitted(p->engine), 2);
    assert_int_equal(fake_engine_cancelled(p->engine), 0);
    assert_true(lsp_peer_end_job(p, " // two", OK));
    expect_items(p, 2, " // two|");
    lsp_peer_edit(p, URI, 0, 12, 0, 12, " // two");
    lsp_peer_ask(p, 3, URI, 0, 19);
    lsp_peer_tick(p);
    lsp_peer_edit(p, URI, 0, 0, 0, 0, " "); /* a taken one is cancelled like any other */
    assert_int_equal(fake_engine_cancelled(p->engine), 1);
    cJSON *a = lsp_peer_answer(p, 3);
    assert_int_equal(lsp_peer_at(a, "error.code")->valueint, LSP_REQUEST_CANCELLED);
    cJSON_Delete(a);
}

/* To copy and parse the document takes the loop's time, so it waits until keys rest. */
static void test_no_key_waits_for_looking_ahead(void **state) {
    lsp_peer *p = *state;
    lsp_peer_ask(p, 1, URI, 0, 8);
    lsp_peer_tick(p);
    assert_true(lsp_peer_end_job(p, "\"\xc3\xa9\";", OK));
    expect_items(p, 1, "\"\xc3\xa9\";|");
    assert_true(p->timer_ms > 0);
    lsp_peer_edit(p, URI, 0, 8, 0, 8, "\\\"");
    lsp_peer_ask(p, 2, URI, 0, 9);
    expect_items(p, 2, "\xc3\xa9\";|");
    assert_int_equal(fake_engine_submitted(p->engine), 1); /* nothing yet */
    lsp_peer_tick(p);                                      /* the text has moved on meanwhile */
    assert_int_equal(fake_engine_submitted(p->engine), 2);
    assert_true(str_ends_with(fake_engine_prefix(p->engine), STR("let x = \"\xc3\xa9\";")));
    lsp_peer_edit(p, URI, 0, 9, 0, 9, "\xc3\xa8"); /* another way: the look ahead is given up */
    lsp_peer_ask(p, 3, URI, 0, 11);
    lsp_peer_tick(p);
    assert_int_equal(fake_engine_cancelled(p->engine), 1);
    assert_true(lsp_peer_end_job(p, "\";", OK));
    lsp_peer_edit(p, URI, 0, 11, 0, 11, "x"); /* it never began */
    lsp_peer_ask(p, 4, URI, 0, 12);
    lsp_peer_tick(p);
    assert_int_equal(fake_engine_priority(p->engine), PRIO_TYPE);
    assert_int_equal(fake_engine_submitted(p->engine), 4);
}

/* The model had nothing: asked again at the same place it is not asked. */
static void test_nothing_is_remembered(void **state) {
    lsp_peer *p = *state;
    lsp_peer_ask(p, 1, URI, 0, 8);
    answer(p, "");
    expect_items(p, 1, "");
    lsp_peer_ask(p, 2, URI, 0, 8);
    expect_items(p, 2, "");
    assert_int_equal(fake_engine_submitted(p->engine), 1);
    lsp_peer_edit(p, URI, 0, 8, 0, 8, "x");
    lsp_peer_edit(p, URI, 0, 8, 0, 9, ""); /* as if again */
    lsp_peer_ask(p, 3, URI, 0, 8);
    expect_items(p, 3, "");
    assert_int_equal(fake_engine_submitted(p->engine), 1);
    lsp_peer_invoke(p, 4, URI, 0, 8); /* by hand the model is asked all the same */
    lsp_peer_tick(p);
    assert_true(fake_engine_submitted(p->engine) > 1);
    lsp_peer_edit(p, URI, 0, 8, 0, 8, "y");
    lsp_peer_ask(p, 5, URI, 0, 9);
    lsp_peer_tick(p);
    assert_true(lsp_peer_end_job(p, NULL, ERR_DEVICE)); /* a failure is not remembered */
    size_t before = fake_engine_submitted(p->engine);
    lsp_peer_ask(p, 6, URI, 0, 9);
    lsp_peer_tick(p);
    assert_int_equal(fake_engine_submitted(p->engine), before + 1);
}

static void test_done_between_request_and_timer(void **state) {
    lsp_peer *p = *state;
    lsp_peer_ask(p, 1, URI, 0, 8);
    answer(p, "one;");
    expect_items(p, 1, "one;|");
    lsp_peer_edit(p, URI, 0, 8, 0, 8, "one;");
    lsp_peer_ask(p, 2, URI, 0, 12);
    assert_true(lsp_peer_end_job(p, " // two", OK));
    lsp_peer_tick(p);
    expect_items(p, 2, " // two|");
}

static void test_look_ahead_ends_with_its_reason(void **state) {
    lsp_peer *p = *state;
    lsp_peer_send(p, "{\"method\":\"workspace/didChangeConfiguration\",\"params\":{\"settings\":{"
                     "\"inlined\":{\"completion\":{\"speculate\":false}}}}}");
    lsp_peer_ask(p, 1, URI, 0, 8);
    answer(p, "one;");
    assert_int_equal(fake_engine_waiting(p->engine), 0); /* switched off */
    lsp_peer_send(p, "{\"method\":\"workspace/didChangeConfiguration\",\"params\":{\"settings\":{"
                     "\"inlined\":{\"completion\":{\"speculate\":true}}}}}");
    lsp_peer_ask(p, 2, URI, 0, 8);
    answer(p, "one;");
    assert_int_equal(fake_engine_waiting(p->engine), 1);
    lsp_peer_send(p, "{\"method\":\"textDocument/didClose\",\"params\":{\"textDocument\":{\"uri\":"
                     "\"" URI "\"}}}");
    assert_int_equal(fake_engine_waiting(p->engine), 0); /* closed */
}

static void test_crlf_and_swallowed(void **state) {
    lsp_peer *p = *state;
    lsp_peer_open_document(p, "file:///w/b.txt", "f()\r\nend\r\n");
    lsp_peer_ask(p, 1, "file:///w/b.txt", 0, 2);
    answer(p, "a)\n");
    cJSON *a = lsp_peer_answer(p, 1);
    assert_non_null(a);
    cJSON_Delete(a);
    assert_int_equal(fake_engine_priority(p->engine), PRIO_SPEC);
    str prefix = fake_engine_prefix(p->engine);
    assert_true(str_eq(prefix, STR("f(a")) || str_eq(prefix, STR("f(a)\r\n")));
}

/* ---- candidates ------------------------------------------------------------------------------ */

static void test_candidates(void **state) {
    lsp_peer *p = *state;
    lsp_peer_invoke(p, 1, URI, 0, 8);
    lsp_peer_tick(p);
    assert_int_equal(fake_engine_waiting(p->engine), 3);
    lsp_peer_end_job(p, "one;", OK);
    assert_null(lsp_peer_answer(p, 1));
    lsp_peer_end_job(p, "two;", OK);
    lsp_peer_end_job(p, "one;", OK); /* the same again is no candidate */
    expect_items(p, 1, "one;|two;|");
    lsp_peer_edit(p, URI, 0, 8, 0, 8, "tw"); /* along the second one */
    lsp_peer_ask(p, 2, URI, 0, 10);
    expect_items(p, 2, "o;|");
    lsp_peer_edit(p, URI, 0, 8, 0, 10, "");
    lsp_peer_invoke(p, 3, URI, 0, 8);
    expect_items(p, 3, "one;|two;|"); /* remembered */
    lsp_peer_ask(p, 4, URI, 0, 8);
    expect_items(p, 4, "one;|");
}

static void test_candidates_fail_apart(void **state) {
    lsp_peer *p = *state;
    lsp_peer_invoke(p, 1, URI, 0, 8);
    lsp_peer_tick(p);
    lsp_peer_end_job(p, NULL, ERR_DEVICE);
    lsp_peer_end_job(p, "two;", OK);
    lsp_peer_end_job(p, "", OK);
    expect_items(p, 1, "two;|");
    lsp_peer_edit(p, URI, 0, 0, 0, 0, " ");
    lsp_peer_invoke(p, 2, URI, 0, 9);
    lsp_peer_tick(p);
    lsp_peer_end_job(p, "x;", OK);
    lsp_peer_send(p, "{\"method\":\"$/cancelRequest\",\"params\":{\"id\":2}}");
    assert_int_equal(fake_engine_waiting(p->engine), 0);
    cJSON *a = lsp_peer_answer(p, 2);
    assert_int_equal(lsp_peer_at(a, "error.code")->valueint, LSP_REQUEST_CANCELLED);
    cJSON_Delete(a);
}

/* ---- the menu -------------------------------------------------------------------------------- */

#define MENU_ASK                                                                                   \
 "{\"id\":%d,\"method\":\"textDocument/completion\",\"params\":{\"textDocument\":{\"uri\":"        \
 "\"" URI "\"},\"position\":{\"line\":0,\"character\":%d},\"context\":{\"triggerKind\":1}}}"

static void ask_menu(lsp_peer *p, int id, int character) {
    char json[512];
    snprintf(json, sizeof json, MENU_ASK, id, character);
    lsp_peer_send(p, json);
}

static void test_menu(void **state) {
    lsp_peer *p = *state;
    ask_menu(p, 1, 8);
    cJSON *a = lsp_peer_answer(p, 1);
    assert_int_equal(cJSON_GetArraySize(lsp_peer_at(a, "result.items")), 0); /* off */
    cJSON_Delete(a);
    lsp_peer_send(p, "{\"method\":\"workspace/didChangeConfiguration\",\"params\":{\"settings\":{"
                     "\"inlined\":{\"completion\":{\"menu\":true}}}}}");
    lsp_peer_edit(p, URI, 0, 8, 0, 8, "pri");
    lsp_peer_ask(p, 2, URI, 0, 11); /* both at once do not overtake each other */
    ask_menu(p, 3, 11);
    lsp_peer_tick(p);
    assert_int_equal(fake_engine_waiting(p->engine), 2);
    lsp_peer_end_job(p, "nt(1)", OK);
    lsp_peer_end_job(p, "nt(1)", OK);
    expect_items(p, 2, "nt(1)|");
    a = lsp_peer_answer(p, 3);
    assert_true(cJSON_IsTrue(lsp_peer_at(a, "result.isIncomplete")));
    const cJSON *item = lsp_peer_at(a, "result.items.0");
    assert_string_equal(lsp_peer_at(item, "label")->valuestring, "print(1)");
    assert_string_equal(lsp_peer_at(item, "filterText")->valuestring, "print(1)");
    assert_string_equal(lsp_peer_at(item, "textEdit.newText")->valuestring, "print(1)");
    assert_int_equal(lsp_peer_at(item, "textEdit.range.start.character")->valueint, 8);
    assert_int_equal(lsp_peer_at(item, "textEdit.range.end.character")->valueint, 11);
    cJSON_Delete(a);
    ask_menu(p, 4, 11);
    ask_menu(p, 5, 0); /* newest wins */
    a = lsp_peer_answer(p, 4);
    assert_non_null(a);
    cJSON_Delete(a);
}

static void test_menu_registration(void **state) {
    UNUSED(state);
    lsp_peer p;
    lsp_peer_open(&p);
    lsp_peer_send(&p, "{\"id\":0,\"method\":\"initialize\",\"params\":{\"capabilities\":{"
                      "\"textDocument\":{\"completion\":{\"dynamicRegistration\":true}}},"
                      "\"initializationOptions\":{\"completion\":{\"menu\":true}}}}");
    cJSON *a = lsp_peer_answer(&p, 0);
    assert_null(lsp_peer_at(a, "result.capabilities.completionProvider"));
    cJSON_Delete(a);
    lsp_peer_send(&p, "{\"method\":\"initialized\",\"params\":{}}");
    cJSON *r = lsp_peer_notification(&p, "client/registerCapability");
    assert_string_equal(lsp_peer_at(r, "params.registrations.0.method")->valuestring,
                        "textDocument/completion");
    cJSON_Delete(r);
    lsp_peer_send(&p, "{\"method\":\"workspace/didChangeConfiguration\",\"params\":{\"settings\":{"
                      "\"completion\":{\"menu\":false}}}}");
    r = lsp_peer_notification(&p, "client/unregisterCapability");
    assert_string_equal(lsp_peer_at(r, "params.unregisterations.0.method")->valuestring,
                        "textDocument/completion");
    cJSON_Delete(r);
    lsp_peer_close(&p);
    lsp_peer_open(&p);
    lsp_peer_send(&p, "{\"id\":0,\"method\":\"initialize\",\"params\":{\"capabilities\":{},"
                      "\"initializationOptions\":{\"completion\":{\"menu\":true}}}}");
    a = lsp_peer_answer(&p, 0);
    assert_non_null(lsp_peer_at(a, "result.capabilities.completionProvider"));
    cJSON_Delete(a);
    lsp_peer_close(&p);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(test_accepted_is_known),
        CASE(test_request_goes_first),
        CASE(test_taken_over),
        CASE(test_done_between_request_and_timer),
        CASE(test_no_key_waits_for_looking_ahead),
        CASE(test_nothing_is_remembered),
        CASE(test_look_ahead_ends_with_its_reason),
        CASE(test_crlf_and_swallowed),
        CASE(test_candidates),
        CASE(test_candidates_fail_apart),
        CASE(test_menu),
        cmocka_unit_test(test_menu_registration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
