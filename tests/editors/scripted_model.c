/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon, whole, with its real models, but for what a script foresees: a question that holds
 * one of the script's words is answered by the script, a few bytes at a time.  So a test of an
 * editor knows which findings, edits and explanations come, and sees them arrive.
 *
 * The script is the file that INLINED_TEST_SCRIPT names: [{"when": WORDS, "say": TEXT}, ...].  With
 * "until": PATH the second half of a text waits until that file exists.
 * It is linked with --wrap, so that everything but these five functions is what users run.
 * Thread: the loop's, but for the ticker, which only wakes the loop.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "engine/base/clock.h"
#include "engine/base/file.h"
#include "engine/base/log.h"
#include "engine/base/utf8.h"
#include "engine/base/vec.h"
#include "engine/engine.h"

#define PIECE_BYTES 8 /* in both: so slow that it is seen to arrive */
#define PIECE_MS 20
#define FIRST_ID ((job_id)1 << 62) /* the real engine's are below */

typedef struct {
    job_id id;
    const char *say, *until; /* until: NULL, or a path */
    size_t told;
    int slot, tokens;
    bool stream, grammar, cancelled;
    double next_ms;
} played;

static struct {
    cJSON *lines;
    VEC(played) jobs;
    job_id last;
    engine_options options;
    pthread_t ticker;
    atomic_bool stop;
} script;

status __real_engine_start(engine **out, const engine_options *opt, err *e);
void __real_engine_stop(engine *g);
status __real_engine_submit(engine *g, const engine_job *job, job_id *id, err *e);
void __real_engine_cancel(engine *g, job_id id);
void __real_engine_drain(engine *g, void (*fn)(void *ud, const engine_event *ev), void *ud);
status __wrap_engine_start(engine **out, const engine_options *opt, err *e);
void __wrap_engine_stop(engine *g);
status __wrap_engine_submit(engine *g, const engine_job *job, job_id *id, err *e);
void __wrap_engine_cancel(engine *g, job_id id);
void __wrap_engine_drain(engine *g, void (*fn)(void *ud, const engine_event *ev), void *ud);

static void *tick(void *unused) {
    UNUSED(unused);
    while (!atomic_load(&script.stop)) {
        usleep(PIECE_MS * 1000);
        script.options.wake(script.options.wake_ud);
    }
    return NULL;
}

status __wrap_engine_start(engine **out, const engine_options *opt, err *e) {
    const char *path = getenv("INLINED_TEST_SCRIPT");
    strbuf text;
    strbuf_init(&text, 1u << 20);
    status s = path ? file_read(path, 1u << 20, &text, e)
                    : err_set(e, ERR_USAGE, "INLINED_TEST_SCRIPT names no script");
    if (!s) script.lines = cJSON_ParseWithLength(text.ptr, text.len);
    strbuf_deinit(&text);
    if (!s && !cJSON_IsArray(script.lines)) s = err_set(e, ERR_FORMAT, "%s: not a list", path);
    if (!s) s = __real_engine_start(out, opt, e);
    if (s) return s;
    script.options = *opt;
    script.last = FIRST_ID;
    if (pthread_create(&script.ticker, NULL, tick, NULL) == 0) return OK;
    __real_engine_stop(*out);
    return err_set(e, ERR_IO, "no thread for the script");
}

void __wrap_engine_stop(engine *g) {
    atomic_store(&script.stop, true);
    pthread_join(script.ticker, NULL);
    vec_free(&script.jobs);
    cJSON_Delete(script.lines);
    __real_engine_stop(g);
}

static bool holds(str text, const char *words) {
    return str_find(text, str_of(words)) >= 0;
}

/* The script's line for a conversation; NULL: none. */
static const cJSON *answer_to(chat_value chat) {
    chat_value messages = chat_get(chat, STR("messages"));
    cJSON *line;
    cJSON_ArrayForEach(line, script.lines) {
        const char *when = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(line, "when"));
        for (size_t i = 0; when && i < chat_count(messages); i++) {
            chat_value m = chat_at(messages, i, NULL);
            if (holds(chat_get(m, STR("content")).text, when)) return line;
        }
    }
    return NULL;
}

status __wrap_engine_submit(engine *g, const engine_job *job, job_id *id, err *e) {
    const cJSON *line = job->prompt.kind == PROMPT_CHAT ? answer_to(job->prompt.chat) : NULL;
    const char *say = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(line, "say"));
    const char *until = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(line, "until"));
    if (!say) return __real_engine_submit(g, job, id, e);
    *id = ++script.last;
    vec_push(&script.jobs, ((played){.id = *id,
                                     .say = say,
                                     .until = until,
                                     .slot = job->slot,
                                     .stream = job->stream,
                                     .grammar = job->grammar != NULL,
                                     .next_ms = clock_ms() + PIECE_MS}));
    return OK;
}

void __wrap_engine_cancel(engine *g, job_id id) {
    for (size_t i = 0; i < script.jobs.count; i++)
        if (script.jobs.at[i].id == id) script.jobs.at[i].cancelled = true;
    if (id < FIRST_ID) __real_engine_cancel(g, id);
}

static bool waits(const played *p) {
    return p->until && p->told >= strlen(p->say) / 2 && access(p->until, F_OK);
}

static void say_more(played *p, void (*fn)(void *ud, const engine_event *ev), void *ud) {
    str rest = str_of(p->say + p->told);
    str piece = str_sub(rest, 0, MIN(rest.len, PIECE_BYTES));
    piece.len = utf8_complete_prefix(piece);
    p->told += piece.len;
    p->tokens++;
    p->next_ms = clock_ms() + PIECE_MS;
    engine_event more = {
        .kind = EV_TEXT, .slot = p->slot, .job = p->id, .tokens = p->tokens, .text = piece};
    if (p->stream) fn(ud, &more);
}

static void end(const played *p, void (*fn)(void *ud, const engine_event *ev), void *ud) {
    engine_result r = {.finish = p->grammar ? FINISH_GRAMMAR : FINISH_EOG, .text = str_of(p->say)};
    if (p->cancelled) {
        r = (engine_result){.status = ERR_CANCELLED, .finish = FINISH_FAILED};
        (void)err_set(&r.error, ERR_CANCELLED, "cancelled");
    }
    fn(ud, &(engine_event){.kind = EV_DONE, .slot = p->slot, .job = p->id, .result = &r});
}

void __wrap_engine_drain(engine *g, void (*fn)(void *ud, const engine_event *ev), void *ud) {
    __real_engine_drain(g, fn, ud);
    for (size_t i = 0; i < script.jobs.count;) {
        played *p = &script.jobs.at[i];
        if (p->cancelled || !p->say[p->told]) {
            played ended = *p; /* its end may submit the next */
            vec_remove(&script.jobs, i);
            end(&ended, fn, ud);
            continue;
        }
        if (clock_ms() >= p->next_ms && !waits(p)) say_more(p, fn, ud);
        i++;
    }
}
