/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of the simulation: an editor that types, accepts, deletes, asks, cancels, opens and
 * closes in random order, while timers fire, the engine answers or fails, the clock jumps, settings
 * change, models come and go, and connections end.  Every choice comes from the seed. */
#include "tests/lsp/sim.h"

#include <time.h>

#include "engine/base/clock.h"
#include "engine/base/hash.h"
#include "engine/base/log.h"
#include "engine/base/utf8.h"

#define CONNECTION_STEPS 5000 /* then a new connection begins */

static uint64_t now_us = 1000000;

static uint64_t fake_clock(void) {
    return now_us;
}

uint64_t sim_roll(sim *s, uint64_t below) {
    s->random ^= s->random << 13;
    s->random ^= s->random >> 7;
    s->random ^= s->random << 17;
    return (s->random >> 11) % below;
}

void sim_text(str prefix, uint64_t variant, char out[static 32]) {
    char tail[24]; /* backwards, and without \r, because prompts have \n alone */
    size_t n = 0;
    for (size_t i = prefix.len; i-- > 0 && n < sizeof tail;) {
        if (prefix.ptr[i] != '\r') tail[n++] = prefix.ptr[i];
    }
    uint64_t h = hash64(variant, tail, n);
    snprintf(out, 32, "%c%06llx %04llx", (int)('g' + h % 20), (unsigned long long)(h >> 40),
             (unsigned long long)(h & 0xFFFF));
}

lsp_position sim_position(const sim *s, const sim_document *d, size_t offset) {
    str text = {d->text, offset};
    uint32_t line = 0;
    size_t start = 0;
    for (size_t i = 0; i < offset; i++) {
        bool cr = text.ptr[i] == '\r' && !(i + 1 < d->len && d->text[i + 1] == '\n');
        if (text.ptr[i] != '\n' && !cr) continue;
        line++;
        start = i + 1;
    }
    str before = str_sub(text, start, offset);
    size_t units = s->encoding == ENCODING_UTF8    ? before.len
                   : s->encoding == ENCODING_UTF16 ? utf8_count_utf16(before)
                                                   : utf8_count(before);
    return (lsp_position){line, (uint32_t)units};
}

/* ---- edits ----------------------------------------------------------------------------------- */

/* An offset between two characters and not inside \r\n; mostly the end of a line, where people
 * type. */
static size_t random_offset(sim *s, const sim_document *d) {
    size_t at = sim_roll(s, d->len + 1);
    if (sim_roll(s, 4)) {
        while (at < d->len && d->text[at] != '\n' && d->text[at] != '\r')
            at++;
    }
    while (at > 0 && at < d->len && ((unsigned char)d->text[at] & 0xC0) == 0x80)
        at--;
    if (at > 0 && at < d->len && d->text[at] == '\n' && d->text[at - 1] == '\r') at--;
    return at;
}

static void send_edit(sim *s, sim_document *d, size_t from, size_t to, str with) {
    lsp_position a = sim_position(s, d, from), b = sim_position(s, d, to);
    char text[6 * 256 + 1]; /* as JSON text; a real model may write anything */
    size_t n = 0;
    for (size_t i = 0; i < with.len && n + 7 < sizeof text; i++) {
        unsigned char c = (unsigned char)with.ptr[i];
        if (c < ' ' || c == '"' || c == '\\')
            n += (size_t)snprintf(text + n, 7, "\\u%04x", c);
        else
            text[n++] = (char)c;
    }
    text[n] = '\0';
    memmove(d->text + from + with.len, d->text + to, d->len - to);
    if (with.len) memcpy(d->text + from, with.ptr, with.len);
    d->len = d->len - (to - from) + with.len;
    d->cursor = from + with.len;
    d->edits++;
    lsp_peer_edit(&s->peer, d->uri, (int)a.line, (int)a.character, (int)b.line, (int)b.character,
                  text);
}

static void edit_somewhere(sim *s, sim_document *d) {
    static const char *const pieces[] = {"a",
                                         "x1",
                                         " ",
                                         "\n",
                                         "\r\n",
                                         "\t",
                                         "return ",
                                         ".",
                                         "= ",
                                         "\xC3\xA9",
                                         "\xF0\x9F\x98\x80",
                                         "def f():\n    ",
                                         ""};
    str with = str_of(pieces[sim_roll(s, COUNTOF(pieces))]);
    size_t from = random_offset(s, d), to = from;
    if (sim_roll(s, 4) == 0) to = random_offset(s, d);
    if (from > to) {
        size_t swap = from;
        from = to;
        to = swap;
    }
    if (d->len - (to - from) + with.len > SIM_TEXT_BYTES) with.len = 0;
    bool joins = with.len && with.ptr[0] == '\n' && from && d->text[from - 1] == '\r';
    bool parts = to < d->len && d->text[to] == '\n' && from && d->text[from - 1] == '\r';
    if (joins || parts) return; /* line ends are whole in editors */
    d->hint[0] = '\0';
    send_edit(s, d, from, to, with);
}

/* Goes along the hint by a character, a word or to its end. */
static void follow_hint(sim *s, sim_document *d) {
    size_t n = strlen(d->hint), take = sim_roll(s, 3);
    if (!n || d->len + n > SIM_TEXT_BYTES) {
        edit_somewhere(s, d);
        return;
    }
    size_t end = take == 0 ? 1 : take == 1 ? strcspn(d->hint, " ") + 1 : n;
    end = MIN(end, n);
    while (end < n && ((unsigned char)d->hint[end] & 0xC0) == 0x80)
        end++;
    char rest[256], part[256];
    snprintf(part, sizeof part, "%.*s", (int)end, d->hint);
    snprintf(rest, sizeof rest, "%s", d->hint + end);
    send_edit(s, d, d->cursor, d->cursor, str_of(part));
    snprintf(d->hint, sizeof d->hint, "%s", rest);
}

static void delete_back(sim *s, sim_document *d) {
    size_t from = d->cursor;
    if (!from || d->cursor > d->len) return;
    do
        from--;
    while (from && ((unsigned char)d->text[from] & 0xC0) == 0x80);
    if (d->text[from] == '\n' || d->text[from] == '\r') return;
    d->hint[0] = '\0';
    send_edit(s, d, from, d->cursor, (str){0});
}

static void open_or_close(sim *s, sim_document *d) {
    if (d->open && sim_roll(s, 20)) return;
    d->hint[0] = '\0';
    d->edits++;
    char json[256];
    if (d->open) {
        snprintf(json, sizeof json,
                 "{\"method\":\"textDocument/didClose\",\"params\":{\"textDocument\":{\"uri\":"
                 "\"%s\"}}}",
                 d->uri);
    } else {
        d->len = (size_t)snprintf(d->text, sizeof d->text, "x = 1\ny = ");
        d->cursor = d->len;
        snprintf(
            json, sizeof json,
            "{\"method\":\"textDocument/didOpen\",\"params\":{\"textDocument\":{\"uri\":\"%s\","
            "\"languageId\":\"%s\",\"version\":0,\"text\":\"x = 1\\ny = \"}}}",
            d->uri, d->language);
    }
    d->open = !d->open;
    lsp_peer_send(&s->peer, json);
}

/* ---- requests -------------------------------------------------------------------------------- */

static void ask(sim *s, int index) {
    sim_document *d = &s->documents[index];
    sim_request *q = NULL;
    for (size_t i = 0; i < SIM_OPEN_REQUESTS; i++) {
        if (!s->open[i].id) q = &s->open[i];
    }
    if (!q) return;
    size_t offset = sim_roll(s, 6) || !d->len ? MIN(d->cursor, d->len) : random_offset(s, d);
    *q = (sim_request){.id = ++s->last_id,
                       .menu = sim_roll(s, 12) == 0,
                       .document = index,
                       .edits = d->edits,
                       .offset = offset};
    lsp_position at = sim_position(s, d, offset);
    char selected[200] = "";
    bool ascii = offset >= 2 && d->text[offset - 1] >= 'a' && d->text[offset - 2] >= 'a';
    if (!q->menu && ascii && sim_roll(s, 10) == 0) {
        q->has_selected = true;
        q->selected = 2;
        snprintf(selected, sizeof selected,
                 ",\"selectedCompletionInfo\":{\"range\":{\"start\":{\"line\":%u,\"character\":%u},"
                 "\"end\":{\"line\":%u,\"character\":%u}},\"text\":\"%.2sz\"}",
                 at.line, at.character - 2, at.line, at.character, d->text + offset - 2);
    }
    char json[640];
    snprintf(
        json, sizeof json,
        "{\"id\":%d,\"method\":\"textDocument/%s\",\"params\":{\"textDocument\":{\"uri\":\"%s\""
        "},\"position\":{\"line\":%u,\"character\":%u},\"context\":{\"triggerKind\":%d%s}}}",
        q->id, q->menu ? "completion" : "inlineCompletion", d->uri, at.line, at.character,
        sim_roll(s, 5) ? 2 : 1, selected);
    lsp_peer_send(&s->peer, json);
}

static void cancel(sim *s) {
    char json[128];
    int id = s->last_id - (int)sim_roll(s, 6);
    snprintf(json, sizeof json, "{\"method\":\"$/cancelRequest\",\"params\":{\"id\":%d}}", id);
    lsp_peer_send(&s->peer, json);
}

/* ---- what else happens ----------------------------------------------------------------------- */

static void jump_clock(sim *s) {
    uint64_t hour = 3600u * 1000000u;
    switch (sim_roll(s, 3)) {
    case 0: now_us += hour; break;
    case 1: now_us -= MIN(now_us, hour / 2); break; /* no clock should, some do */
    case 2: now_us += 30000; break;
    }
    server_tick(s->peer.server);
}

static void change_settings(sim *s) {
    static const char *const sections[] = {
        "{}",
        "{\"completion\":{\"menu\":true}}",
        "{\"completion\":{\"menu\":true,\"candidates\":2}}",
        "{\"enable\":false}",
        "{\"completion\":{\"menu\":true,\"speculate\":false}}",
        "{\"completion\":{\"cacheEntries\":3,\"debounceMs\":5,\"multiline\":\"never\"}}",
        "{\"completion\":{\"auto\":false}}"};
    char json[256];
    snprintf(json, sizeof json,
             "{\"method\":\"workspace/didChangeConfiguration\",\"params\":{\"settings\":%s}}",
             sections[sim_roll(s, 3) ? sim_roll(s, 3) : sim_roll(s, COUNTOF(sections))]);
    lsp_peer_send(&s->peer, json);
}

static void change_model(sim *s) {
    model *m = &s->peer.model;
    if (!s->scripted) return; /* a real one is there or not by itself */
    m->state = sim_roll(s, 4) ? MODEL_READY : (model_state)sim_roll(s, 4);
    if (m->state == MODEL_READY) m->generation++;
    if (m->state == MODEL_FAILED) (void)err_set(&m->error, ERR_IO, "the model was taken away");
    server_model_changed(s->peer.server, m);
}

static void tell_something(sim *s) {
    char json[300];
    int id = (int)s->peer.server->inlines.items - (int)sim_roll(s, 5);
    switch (sim_roll(s, 4)) {
    case 0: snprintf(json, sizeof json, "{\"id\":-1,\"method\":\"inlined/status\"}"); break;
    case 1:
        snprintf(json, sizeof json,
                 "{\"id\":-2,\"method\":\"workspace/executeCommand\",\"params\":{\"command\":"
                 "\"inlined.didAcceptCompletionItem\",\"arguments\":[\"1-%d\"]}}",
                 id);
        break;
    case 2:
        snprintf(json, sizeof json,
                 "{\"method\":\"textDocument/didShowCompletion\",\"params\":{\"item\":{"
                 "\"insertText\":\"\",\"command\":{\"title\":\"\",\"command\":\"\",\"arguments\":["
                 "\"1-%d\"]}}}}",
                 id);
        break;
    default:
        snprintf(json, sizeof json,
                 "{\"method\":\"textDocument/didSave\",\"params\":{\"textDocument\":{\"uri\":"
                 "\"sim:0\"}}}");
        break;
    }
    lsp_peer_send(&s->peer, json);
}

/* ---- connections ----------------------------------------------------------------------------- */

static void begin(sim *s, const sim_engine *ops) {
    static const char *const names[] = {"utf-8", "utf-16", "utf-32"};
    static const char *const uris[] = {"sim:0", "sim:1", "sim:2", "sim:3"};
    lsp_peer_open(&s->peer);
    s->encoding = (position_encoding)sim_roll(s, 3);
    char json[256];
    snprintf(json, sizeof json,
             "{\"id\":-3,\"method\":\"initialize\",\"params\":{\"capabilities\":{\"general\":{"
             "\"positionEncodings\":[\"%s\"]}}}}",
             names[s->encoding]);
    lsp_peer_send(&s->peer, json);
    lsp_peer_send(&s->peer, "{\"method\":\"initialized\",\"params\":{}}");
    memset(s->open, 0, sizeof s->open);
    for (size_t i = 0; i < SIM_DOCUMENTS; i++)
        s->documents[i] =
            (sim_document){.uri = uris[i], .language = i == 3 ? "python" : "plaintext"};
    ops->begin(s);
    sim_take_answers(s);
}

/* Half of them end in order, half of them in the middle of everything. */
static void end(sim *s, const sim_engine *ops) {
    if (sim_roll(s, 2)) {
        lsp_peer_send(&s->peer, "{\"id\":-4,\"method\":\"shutdown\"}");
        sim_take_answers(s);
        SIM_CHECK(s, s->peer.server->unanswered == 0);
        ops->settle(s);
        lsp_peer_send(&s->peer, "{\"method\":\"exit\"}");
        SIM_CHECK(s, s->peer.exit_code == 0);
    }
    lsp_peer_close(&s->peer);
}

/* What is off or gone comes back after a while. */
static void recover(sim *s) {
    lsp_peer *p = &s->peer;
    if (!s->scripted || sim_roll(s, 50)) return;
    if (p->model.state != MODEL_READY) {
        p->model.state = MODEL_READY;
        p->model.generation++;
        server_model_changed(p->server, &p->model);
    }
    if (!p->server->settings.enable || !p->server->settings.completion.automatic)
        lsp_peer_send(p,
                      "{\"method\":\"workspace/didChangeConfiguration\",\"params\":{\"settings\":"
                      "{}}}");
}

static void step(sim *s, const sim_engine *ops) {
    recover(s);
    int index = (int)sim_roll(s, SIM_DOCUMENTS);
    if (sim_roll(s, 2)) index = 0; /* one is the one that is worked on */
    sim_document *d = &s->documents[index];
    uint64_t what = sim_roll(s, 100);
    now_us += sim_roll(s, 3000);
    if (!d->open || what == 0)
        open_or_close(s, d);
    else if (what < 10)
        edit_somewhere(s, d);
    else if (what < 25)
        follow_hint(s, d);
    else if (what < 29)
        delete_back(s, d);
    else if (what < 52)
        ask(s, index);
    else if (what < 55)
        cancel(s);
    else if (what < 75)
        lsp_peer_tick(&s->peer);
    else if (what < 97)
        ops->engine_step(s);
    else if (what < 98)
        tell_something(s);
    else if (sim_roll(s, 4) == 0)
        jump_clock(s);
    else if (sim_roll(s, 8) == 0)
        change_settings(s);
    else if (sim_roll(s, 8) == 0)
        change_model(s);
}

static void run(uint64_t seed, uint64_t steps, bool scripted, const sim_engine *ops) {
    sim *s = xcalloc(1, sizeof *s);
    s->seed = seed;
    s->random = seed * 0x9E3779B97F4A7C15u | 1;
    s->scripted = scripted;
    if (scripted) clock_set_source(fake_clock);
    begin(s, ops);
    for (s->step = 1; s->step <= steps; s->step++) {
        step(s, ops);
        sim_take_answers(s);
        if (s->step % 64 == 0) sim_check_documents(s);
        if (s->step % CONNECTION_STEPS) continue;
        end(s, ops);
        begin(s, ops);
    }
    ops->settle(s);
    sim_take_answers(s);
    end(s, ops);
    printf("seed %llu: %llu steps, %llu requests answered, %llu with suggestions, %llu cancelled\n",
           (unsigned long long)seed, (unsigned long long)steps, (unsigned long long)s->answers,
           (unsigned long long)s->shown, (unsigned long long)s->errors);
    if (scripted && steps >= 1000)
        SIM_CHECK(s, s->shown > steps / 100 && s->errors > steps / 100); /* it did something */
    clock_set_source(NULL);
    xfree(s);
}

int sim_main(int argc, char **argv, bool scripted, const sim_engine *ops) {
    int64_t steps = 10000, seed = (int64_t)(time(NULL) / 86400);
    if ((argc > 1 && !str_to_i64(str_of(argv[1]), &steps)) ||
        (argc > 2 && !str_to_i64(str_of(argv[2]), &seed))) {
        fprintf(stderr, "usage: %s STEPS [SEED]\n", argv[0]);
        return 2;
    }
    log_set_level(LOG_ERROR);
    run((uint64_t)seed, (uint64_t)steps, scripted, ops);
    return 0;
}
