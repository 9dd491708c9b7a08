/* SPDX-License-Identifier: Apache-2.0 */
/* lsp/text_sync: thousands of random didChange events, in each encoding, against a reference that
 * keeps the text as code points and knows nothing of ours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/mem.h"
#include "engine/base/utf8.h"
#include "tests/lsp/lsp_peer.h"

#define URI "file:///w/a.txt"
#define POINTS_MAX 4096
#define EDITS 1500

static const uint32_t alphabet[] = {'a', 'b', ' ', '\n', 0xE9, 0x20AC, 0x1F600, '\t', '"', '\\'};

typedef struct {
    uint32_t at[POINTS_MAX];
    size_t count;
} points;

static uint64_t random_below(uint64_t *seed, uint64_t n) {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed % n;
}

static uint32_t units(uint32_t cp, position_encoding enc) {
    if (enc == ENCODING_UTF32) return 1;
    if (enc == ENCODING_UTF16) return cp > 0xFFFF ? 2 : 1;
    char bytes[4];
    return (uint32_t)utf8_encode(cp, bytes);
}

static lsp_position position_at(const points *p, size_t index, position_encoding enc) {
    lsp_position at = {0, 0};
    for (size_t i = 0; i < index; i++) {
        if (p->at[i] == '\n')
            at = (lsp_position){at.line + 1, 0};
        else
            at.character += units(p->at[i], enc);
    }
    return at;
}

static void replace(points *p, size_t from, size_t to, const points *with) {
    memmove(p->at + from + with->count, p->at + to, (p->count - to) * sizeof p->at[0]);
    memcpy(p->at + from, with->at, with->count * sizeof p->at[0]);
    p->count = p->count - (to - from) + with->count;
}

static char *text_of(const points *p) {
    strbuf b;
    strbuf_init(&b, POINTS_MAX * 4 + 1);
    for (size_t i = 0; i < p->count; i++) {
        char bytes[4];
        strbuf_add(&b, bytes, (size_t)utf8_encode(p->at[i], bytes));
    }
    return strbuf_take(&b);
}

static cJSON *range_json(lsp_position from, lsp_position to) {
    char json[160];
    snprintf(json, sizeof json,
             "{\"start\":{\"line\":%u,\"character\":%u},\"end\":{\"line\":%u,\"character\":%u}}",
             from.line, from.character, to.line, to.character);
    return cJSON_Parse(json);
}

static void send_change(lsp_peer *peer, int version, cJSON *changes) {
    cJSON *m = cJSON_Parse("{\"method\":\"textDocument/didChange\",\"params\":{\"textDocument\":{"
                           "\"uri\":\"" URI "\"}}}");
    cJSON *params = cJSON_GetObjectItemCaseSensitive(m, "params");
    cJSON_AddNumberToObject(cJSON_GetObjectItemCaseSensitive(params, "textDocument"), "version",
                            version);
    cJSON_AddItemToObject(params, "contentChanges", changes);
    char *json = cJSON_PrintUnformatted(m);
    lsp_peer_send(peer, json);
    cJSON_free(json);
    cJSON_Delete(m);
}

/* One or two changes in one message: the second is relative to the text after the first. */
static void random_edit(lsp_peer *peer, points *p, int version, uint64_t *seed) {
    position_encoding enc = peer->server->encoding;
    cJSON *changes = cJSON_CreateArray();
    for (uint64_t n = 1 + random_below(seed, 2); n; n--) {
        points with = {.count = 0};
        size_t most = p->count > POINTS_MAX / 2 ? 2 : 12;
        with.count = (size_t)random_below(seed, most);
        for (size_t i = 0; i < with.count; i++)
            with.at[i] = alphabet[random_below(seed, COUNTOF(alphabet))];
        size_t from = (size_t)random_below(seed, p->count + 1);
        size_t to = from + (size_t)random_below(seed, 10); /* not in MIN, which reads it twice */
        to = MIN(to, p->count);
        cJSON *change = cJSON_CreateObject();
        cJSON_AddItemToObject(change, "range",
                              range_json(position_at(p, from, enc), position_at(p, to, enc)));
        char *text = text_of(&with);
        cJSON_AddStringToObject(change, "text", text);
        xfree(text);
        cJSON_AddItemToArray(changes, change);
        replace(p, from, to, &with);
    }
    send_change(peer, version, changes);
}

static void run(const char *encoding, position_encoding expected) {
    lsp_peer peer;
    lsp_peer_open(&peer);
    char json[256];
    snprintf(json, sizeof json,
             "{\"id\":0,\"method\":\"initialize\",\"params\":{\"capabilities\":{\"general\":{"
             "\"positionEncodings\":[\"%s\"]}}}}",
             encoding);
    lsp_peer_send(&peer, json);
    lsp_peer_send(&peer, "{\"method\":\"initialized\",\"params\":{}}");
    assert_int_equal(peer.server->encoding, expected);
    lsp_peer_open_document(&peer, URI, "");
    points *p = xcalloc(1, sizeof *p);
    uint64_t seed = 0x9E3779B97F4A7C15u + (uint64_t)expected;
    for (int i = 0; i < EDITS; i++) {
        random_edit(&peer, p, i + 2, &seed);
        document *d = context_find(peer.server->context, STR(URI));
        char *want = text_of(p);
        str got = document_text(d);
        if (got.len != strlen(want) || (got.len && memcmp(got.ptr, want, got.len)))
            fail_msg("edit %d (%s): the texts differ", i, encoding);
        assert_int_equal(document_version(d), i + 2);
        xfree(want);
    }
    xfree(p);
    lsp_peer_close(&peer);
}

static void test_utf8(void **state) {
    UNUSED(state);
    run("utf-8", ENCODING_UTF8);
}

static void test_utf16(void **state) {
    UNUSED(state);
    run("utf-16", ENCODING_UTF16);
}

static void test_utf32(void **state) {
    UNUSED(state);
    run("utf-32", ENCODING_UTF32);
}

static void expect_cell(lsp_peer *p, const char *uri, const char *text) {
    document *d = context_find(p->server->context, str_of(uri));
    if (!text) {
        assert_null(d);
        return;
    }
    assert_non_null(d);
    if (!str_eq(document_text(d), str_of(text))) fail_msg("%s is not \"%s\"", uri, text);
}

static void test_notebook(void **state) {
    UNUSED(state);
    lsp_peer peer, *p = &peer;
    lsp_peer_open(p);
    lsp_peer_send(p, "{\"id\":0,\"method\":\"initialize\",\"params\":{\"capabilities\":{"
                     "\"notebookDocument\":{\"synchronization\":{}}}}}");
    cJSON *a = lsp_peer_answer(p, 0);
    assert_non_null(lsp_peer_at(a, "result.capabilities.notebookDocumentSync.notebookSelector.0"));
    cJSON_Delete(a);
    lsp_peer_send(p, "{\"method\":\"initialized\",\"params\":{}}");
    lsp_peer_send(
        p, "{\"method\":\"notebookDocument/didOpen\",\"params\":{\"notebookDocument\":{\"uri\":"
           "\"file:///n.ipynb\",\"notebookType\":\"jupyter\",\"version\":0,\"cells\":[]},"
           "\"cellTextDocuments\":[{\"uri\":\"cell:1\",\"languageId\":\"python\",\"version\":1,"
           "\"text\":\"import os\"},{\"uri\":\"cell:2\",\"languageId\":\"python\",\"version\":1,"
           "\"text\":\"\"},{\"uri\":5}]}}");
    expect_cell(p, "cell:1", "import os");
    expect_cell(p, "cell:2", "");
    lsp_peer_send(
        p,
        "{\"method\":\"notebookDocument/"
        "didChange\",\"params\":{\"notebookDocument\":{\"version\":1,"
        "\"uri\":\"file:///n.ipynb\"},\"change\":{\"cells\":{\"structure\":{\"array\":{\"start\":1,"
        "\"deleteCount\":1},\"didOpen\":[{\"uri\":\"cell:3\",\"languageId\":\"markdown\","
        "\"version\":1,\"text\":\"# "
        "T\"},{\"uri\":\"cell:2\",\"languageId\":\"markdown\",\"version\":1,"
        "\"text\":\"again\"}],\"didClose\":[{\"uri\":\"cell:2\"}]},\"textContent\":[{\"document\":{"
        "\"uri\":\"cell:1\",\"version\":2},\"changes\":[{\"range\":{\"start\":{\"line\":0,"
        "\"character\":7},\"end\":{\"line\":0,\"character\":9}},\"text\":\"sys\"}]}]}}}}");
    expect_cell(p, "cell:1", "import sys");
    expect_cell(p, "cell:2", "again");
    expect_cell(p, "cell:3", "# T");
    static const char *const odd[] = {
        "5", "{\"cells\":7}",
        "{\"cells\":{\"structure\":[],\"textContent\":[{\"document\":3},null,[]]}}"};
    for (size_t i = 0; i < COUNTOF(odd); i++) {
        char json[512];
        snprintf(json, sizeof json,
                 "{\"method\":\"notebookDocument/didChange\",\"params\":{\"change\":%s}}", odd[i]);
        lsp_peer_send(p, json);
    }
    lsp_peer_send(p, "{\"method\":\"notebookDocument/didClose\",\"params\":{\"cellTextDocuments\":["
                     "{\"uri\":\"cell:1\"},{\"uri\":\"cell:2\"},{\"uri\":\"cell:3\"},{}]}}");
    expect_cell(p, "cell:1", NULL);
    expect_cell(p, "cell:2", NULL);
    assert_int_equal(context_document_count(p->server->context), 0);
    lsp_peer_close(p);
}

static void expect_path(lsp_peer *p, const char *uri, const char *path) {
    lsp_peer_open_document(p, uri, "x");
    document *d = context_find(p->server->context, str_of(uri));
    assert_non_null(d);
    if (!str_eq(document_path(d), str_of(path)))
        fail_msg("%s: %.*s", uri, STR_ARG(document_path(d)));
}

static void test_folders(void **state) {
    UNUSED(state);
    lsp_peer peer, *p = &peer;
    lsp_peer_open(p);
    lsp_peer_send(p, "{\"id\":0,\"method\":\"initialize\",\"params\":{\"capabilities\":{},"
                     "\"rootUri\":\"file:///elsewhere\",\"workspaceFolders\":[{\"uri\":"
                     "\"file:///w/one\",\"name\":\"one\"},{\"uri\":\"file:///w/tw%20o\",\"name\":"
                     "\"two\"}]}}");
    lsp_peer_send(p, "{\"method\":\"initialized\",\"params\":{}}");
    expect_path(p, "file:///w/one/a/b.txt", "a/b.txt");
    expect_path(p, "file:///w/tw%20o/c.txt", "c.txt");
    expect_path(p, "file:///w/three/d.txt", "d.txt"); /* in no folder: the name alone */
    expect_path(p, "untitled:Untitled-1", "Untitled-1");
    expect_path(p, "vscode-notebook-cell:/w/one/n/x.ipynb#W0", "n/x.ipynb");
    lsp_peer_send(p, "{\"method\":\"workspace/didChangeWorkspaceFolders\",\"params\":{\"event\":{"
                     "\"added\":[{\"uri\":\"file:///w/three\",\"name\":\"3\"}],\"removed\":[{"
                     "\"uri\":\"file:///w/one\",\"name\":\"one\"}]}}}");
    expect_path(p, "file:///w/three/e/f.txt", "e/f.txt");
    expect_path(p, "file:///w/one/a/g.txt", "g.txt");
    lsp_peer_close(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utf8),    cmocka_unit_test(test_utf16),
        cmocka_unit_test(test_utf32),   cmocka_unit_test(test_notebook),
        cmocka_unit_test(test_folders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
