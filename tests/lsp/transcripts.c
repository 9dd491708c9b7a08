/* SPDX-License-Identifier: Apache-2.0 */
/* Recorded conversations between an editor and the server, with a scripted engine and scripted
 * tools.
 *
 *     transcripts FILE...            plays each and compares what the server says, word for word
 *     transcripts --record FILE...   writes what it says into the files
 *
 * A line of a transcript:
 *
 *     # ...                      a remark
 *     client NAME                a connection of such an editor, with a model that is ready
 *     open LANGUAGE "TEXT"       its document, file:///w/a
 *     --> {...}, <-- {...}       what the editor sends; what comes back, in this order
 *     engine writes "TEXT"       more of the answer; `engine writes N "TEXT"`: N times
 *     engine ends "TEXT"         the whole answer; `cuts`: it was cut there; `fails`: it broke
 *     engine hears "TEXT"        the newest question to the model has this; `misses`: it has not
 *     model ready|loading|failed
 *     tool answers|fails "TEXT"  what came of the oldest call that was allowed
 *     text "TEXT"                what the server holds of the document
 *
 * Beyond the words it is judged that each request is answered once, that each error is one line,
 * and that nothing runs at the end.  Reports of tokens per second are left out: they depend on the
 * clock.  Thread: the test's.
 */
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/file.h"
#include "engine/base/mem.h"
#include "tests/lsp/fake_tools.h"
#include "tests/lsp/lsp_peer.h"

#define URI "file:///w/a"
#define EDITS                                                                                      \
 "\"workspace\":{\"applyEdit\":true,\"workspaceEdit\":{\"documentChanges\":true,"                  \
 "\"changeAnnotationSupport\":{},\"resourceOperations\":[\"create\"]},\"textDocumentContent\":{}}"
#define LITERALS "\"codeActionLiteralSupport\":{\"codeActionKind\":{\"valueSet\":[]}}"
#define RESOLVE ",\"dataSupport\":true,\"resolveSupport\":{\"properties\":[\"edit\"]}"

/* Editors, by what they take. */
static const struct {
    const char *name, *capabilities;
} clients[] = {
    {"full", EDITS ",\"textDocument\":{\"codeAction\":{" LITERALS RESOLVE "},\"hover\":{"
                   "\"contentFormat\":[\"markdown\"]}},\"window\":{\"showDocument\":{\"support\":"
                   "true}}"},
    {"status", EDITS ",\"textDocument\":{\"codeAction\":{" LITERALS RESOLVE "}},\"experimental\":{"
                     "\"inlined\":{\"status\":true}}"},
    {"progress", EDITS ",\"textDocument\":{\"codeAction\":{" LITERALS RESOLVE "}},\"window\":{"
                       "\"workDoneProgress\":true}"},
    {"no-resolve", EDITS ",\"textDocument\":{\"codeAction\":{" LITERALS "}}"},
    {"disabled",
     EDITS ",\"textDocument\":{\"codeAction\":{" LITERALS RESOLVE ",\"disabledSupport\":true}}"},
    {"no-annotations",
     "\"workspace\":{\"applyEdit\":true,\"workspaceEdit\":{\"documentChanges\":true}},"
     "\"textDocument\":{\"codeAction\":{" LITERALS "}}"},
    {"pull", "\"workspace\":{\"diagnostics\":{\"refreshSupport\":true}},\"textDocument\":{"
             "\"diagnostic\":{},\"codeAction\":{" LITERALS RESOLVE "}}"},
    {"old", "\"workspace\":{\"applyEdit\":true}"},
    {"bare", "\"textDocument\":{}"},
};

typedef struct {
    const char *path;
    int line;
    bool recording, open, good;
    lsp_peer peer;
    tools *tools;
    VEC(int) unanswered; /* ids of the editor's requests */
    strbuf written;      /* the transcript as it is now */
} play;

static void complain(play *p, const char *what, str about) {
    fprintf(stderr, "%s:%d: %s%.*s\n", p->path, p->line, what, STR_ARG(about));
    p->good = false;
}

static char *printed(const cJSON *message) {
    char *json = cJSON_PrintUnformatted(message), *copy = xstrdup(json);
    cJSON_free(json);
    return copy;
}

/* ---- what the server has said ---------------------------------------------------------------- */

static bool depends_on_clock(const cJSON *m) {
    const cJSON *text = lsp_peer_at(m, "params.value.message");
    return cJSON_IsString(text) && strstr(text->valuestring, " per second");
}

static void note_answer(play *p, const cJSON *m) {
    const cJSON *id = lsp_peer_at(m, "id"), *error = lsp_peer_at(m, "error.message");
    if (!id || lsp_peer_at(m, "method")) return;
    size_t i = 0;
    while (i < p->unanswered.count && p->unanswered.at[i] != id->valueint)
        i++;
    if (i == p->unanswered.count)
        complain(p, "answered twice, or never asked: ", STR(""));
    else
        vec_remove(&p->unanswered, i);
    if (!error) return;
    str text = str_of(error->valuestring);
    if (text.len < 8 || str_find(text, STR("\n")) >= 0) complain(p, "no sentence: ", text);
}

/* The next message, or NULL. */
static char *take(play *p) {
    while (p->peer.received.count) {
        cJSON *m = p->peer.received.at[0];
        vec_remove(&p->peer.received, 0);
        cJSON_DeleteItemFromObjectCaseSensitive(m, "jsonrpc");
        char *text = depends_on_clock(m) ? NULL : printed(m);
        if (text) note_answer(p, m);
        cJSON_Delete(m);
        if (text) return text;
    }
    return NULL;
}

/* All that was said must be in the transcript before the next line happens. */
static void settle(play *p) {
    char *text;
    while (p->open && (text = take(p)) != NULL) {
        if (p->recording)
            strbuf_addf(&p->written, "<-- %s\n", text);
        else
            complain(p, "the server says more: ", str_of(text));
        xfree(text);
    }
}

static void expect(play *p, str want) {
    if (p->recording) return;
    char *got = p->open ? take(p) : NULL;
    if (!got)
        complain(p, "the server says nothing, but should: ", want);
    else if (!str_eq(str_of(got), want))
        complain(p, "the server says: ", str_of(got));
    xfree(got);
}

/* ---- connections ----------------------------------------------------------------------------- */

static void close_peer(play *p) {
    if (!p->open) return;
    settle(p);
    if (p->unanswered.count) complain(p, "a request has no answer", STR(""));
    if (p->peer.server->works.count) complain(p, "work is left over", STR(""));
    lsp_peer_close(&p->peer);
    tools_close(p->tools, NULL, NULL);
    vec_clear(&p->unanswered);
    p->open = false;
}

static void open_peer(play *p, str name) {
    char json[1600];
    const char *capabilities = NULL;
    close_peer(p);
    for (size_t i = 0; i < COUNTOF(clients); i++)
        if (str_eq(name, str_of(clients[i].name))) capabilities = clients[i].capabilities;
    if (!capabilities) {
        complain(p, "no such client: ", name);
        return;
    }
    lsp_peer_open(&p->peer);
    p->tools = tools_new(NULL, NULL);
    fake_tools_connect(p->tools, p->peer.server);
    p->peer.server->options.tools = p->tools;
    p->peer.model.info.context_tokens = 8192;
    p->open = true;
    snprintf(json, sizeof json,
             "{\"id\":0,\"method\":\"initialize\",\"params\":{\"processId\":null,\"capabilities\":{"
             "\"general\":{\"positionEncodings\":[\"utf-8\"]},%s}}}",
             capabilities);
    lsp_peer_send(&p->peer, json);
    lsp_peer_send(&p->peer, "{\"method\":\"initialized\",\"params\":{}}");
    lsp_peer_model_ready(&p->peer); /* forgets what came */
}

static void open_document(play *p, str language, const char *text) {
    cJSON *m = cJSON_CreateObject();
    char name[32];
    snprintf(name, sizeof name, "%.*s", STR_ARG(language));
    cJSON_AddStringToObject(m, "method", "textDocument/didOpen");
    cJSON *d = cJSON_AddObjectToObject(cJSON_AddObjectToObject(m, "params"), "textDocument");
    cJSON_AddStringToObject(d, "uri", URI);
    cJSON_AddStringToObject(d, "languageId", name);
    cJSON_AddNumberToObject(d, "version", 1);
    cJSON_AddStringToObject(d, "text", text);
    char *json = printed(m);
    lsp_peer_send(&p->peer, json);
    xfree(json);
    cJSON_Delete(m);
}

/* ---- the lines ------------------------------------------------------------------------------- */

static void send_line(play *p, str json) {
    char *text = xstrndup(json.ptr, json.len);
    cJSON *m = cJSON_Parse(text);
    const cJSON *id = lsp_peer_at(m, "id");
    if (!m) {
        complain(p, "no JSON: ", json);
    } else {
        if (id && lsp_peer_at(m, "method")) vec_push(&p->unanswered, id->valueint);
        lsp_peer_send(&p->peer, text);
    }
    cJSON_Delete(m);
    xfree(text);
}

/* A JSON string at the end of a line, with a number of times before it; free it. */
static char *read_text(play *p, str rest) {
    int64_t times = 1;
    ptrdiff_t quote = str_find(rest, STR("\""));
    str number = quote > 0 ? str_trim(str_sub(rest, 0, (size_t)quote)) : (str){0};
    bool counts = !number.len || str_to_i64(number, &times);
    cJSON *json =
        quote < 0 ? NULL : cJSON_ParseWithLength(rest.ptr + quote, rest.len - (size_t)quote);
    strbuf text;
    strbuf_init(&text, 1u << 20);
    if (!cJSON_IsString(json) || !counts) complain(p, "no text: ", rest);
    for (int64_t i = 0; cJSON_IsString(json) && counts && i < times; i++)
        strbuf_add_str(&text, str_of(json->valuestring));
    cJSON_Delete(json);
    char *out = xstrdup(text.ptr ? text.ptr : "");
    strbuf_deinit(&text);
    return out;
}

static void engine_line(play *p, str verb, str rest) {
    engine *g = p->peer.engine;
    char *text = str_eq(verb, STR("fails")) ? NULL : read_text(p, rest);
    bool hears = str_eq(verb, STR("hears")), waits = fake_engine_waiting(g) > 0;
    if (hears || str_eq(verb, STR("misses"))) {
        bool found = text && str_find(fake_engine_chat(g), str_of(text)) >= 0;
        if (found != hears) complain(p, "the question reads: ", fake_engine_chat(g));
    } else if (!waits) {
        complain(p, "the model is not asked anything", STR(""));
    } else if (str_eq(verb, STR("writes"))) {
        fake_engine_write(g, text);
    } else {
        fake_engine_set_finish(g, str_eq(verb, STR("cuts")) ? FINISH_TOKENS : FINISH_LINE);
        (void)fake_engine_end(g, text, ERR_IO);
    }
    lsp_peer_drain(&p->peer); /* what is cancelled in it ends in the next one */
    lsp_peer_drain(&p->peer);
    xfree(text);
}

static void model_line(play *p, str state) {
    model *m = &p->peer.model;
    m->state = str_eq(state, STR("ready"))     ? MODEL_READY
               : str_eq(state, STR("loading")) ? MODEL_LOADING
                                               : MODEL_FAILED;
    snprintf(m->error.text, sizeof m->error.text, "there is no such model file");
    server_model_changed(p->peer.server, m);
}

static void tool_line(play *p, str verb, str rest) {
    char *text = read_text(p, rest);
    if (fake_tools_waiting(p->tools) == 0) complain(p, "no tool runs", STR(""));
    fake_tools_answer(p->tools, str_eq(verb, STR("answers")) ? MCP_OK : MCP_TOOL_ERROR, text);
    xfree(text);
}

static void text_line(play *p, str rest) {
    char *want = read_text(p, rest);
    document *d = context_find(p->peer.server->context, STR(URI));
    str got = d ? document_text(d) : STR("(not open)");
    if (!str_eq(got, str_of(want))) complain(p, "the document reads: ", got);
    xfree(want);
}

static void do_line(play *p, str line) {
    str rest = line, word = {0}, next = {0};
    (void)str_split(&rest, ' ', &word);
    if (str_eq(word, STR("client"))) {
        open_peer(p, rest);
    } else if (!p->open) {
        complain(p, "no client yet: ", line);
    } else if (str_eq(word, STR("-->"))) {
        send_line(p, rest);
    } else if (str_eq(word, STR("text"))) {
        text_line(p, rest);
    } else if (str_eq(word, STR("model"))) {
        model_line(p, rest);
    } else {
        (void)str_split(&rest, ' ', &next);
        if (str_eq(word, STR("engine"))) {
            engine_line(p, next, rest);
        } else if (str_eq(word, STR("tool"))) {
            tool_line(p, next, rest);
        } else if (str_eq(word, STR("open"))) {
            char *text = read_text(p, rest);
            open_document(p, next, text);
            xfree(text);
        } else {
            complain(p, "what is this? ", line);
        }
    }
}

static void play_line(play *p, str line) {
    bool said = str_starts_with(line, STR("<-- "));
    if (said) {
        expect(p, str_sub(line, 4, line.len));
        return;
    }
    settle(p);
    strbuf_addf(&p->written, "%.*s\n", STR_ARG(line));
    if (line.len && line.ptr[0] != '#') do_line(p, line);
    if (p->recording) settle(p);
}

static bool play_file(const char *path, bool recording) {
    play p = {.path = path, .recording = recording, .good = true};
    strbuf text;
    err e = {{0}};
    strbuf_init(&text, 4u << 20);
    strbuf_init(&p.written, 16u << 20);
    if (file_read(path, 4u << 20, &text, &e)) {
        fprintf(stderr, "%s\n", e.text);
        p.good = false;
    }
    str rest = strbuf_str(&text), line;
    while (str_split(&rest, '\n', &line)) {
        p.line++;
        if (!rest.len && !line.len) break; /* behind the last line feed */
        play_line(&p, line);
    }
    close_peer(&p);
    FILE *f = recording && p.good ? fopen(path, "wb") : NULL;
    if (f) {
        size_t n = fwrite(p.written.ptr, 1, p.written.len, f);
        p.good = n == p.written.len && fclose(f) == 0;
    }
    vec_free(&p.unanswered);
    strbuf_deinit(&text);
    strbuf_deinit(&p.written);
    return p.good;
}

int main(int argc, char **argv) {
    bool recording = argc > 1 && !strcmp(argv[1], "--record"), good = argc > 1 + recording;
    for (int i = 1 + recording; i < argc; i++)
        good = play_file(argv[i], recording) && good;
    printf("%d transcripts: %s\n", argc - 1 - recording, good ? "as recorded" : "WRONG");
    return good ? 0 : 1;
}
