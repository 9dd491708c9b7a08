/* SPDX-License-Identifier: Apache-2.0 */
/* A scripted engine: see fake_engine.h.  Cancelled jobs end with ERR_CANCELLED at the next drain,
 * as the real ones do.  Thread: the test's. */
#include "tests/lsp/fake_engine.h"

#include "engine/base/vec.h"

typedef struct {
    job_id id;
    bool ended;
    status status;
    char *text, *prefix, *written;
    engine_job spec; /* without its borrowed parts, but for prompt.prefix and sizes */
} fake_job;

struct engine {
    VEC(fake_job) jobs;
    VEC(fake_load) loads;
    int unloads;
    bool busy;
    engine_device device;
    job_id last;
    size_t submitted, cancelled;
    bool refuse;
    finish_reason finish;
    job_priority priority;
    strbuf prefix, chat;
    char saved[256], restored[256];
};

const fake_load *fake_engine_load(const engine *g, size_t n) {
    return n < g->loads.count ? &g->loads.at[n] : NULL;
}

size_t fake_engine_loads(const engine *g) {
    return g->loads.count;
}

int fake_engine_unloads(const engine *g) {
    return g->unloads;
}

void fake_engine_set_busy(engine *g, bool busy) {
    g->busy = busy;
}

void fake_engine_set_device(engine *g, uint64_t free_bytes) {
    g->device.is_device = free_bytes > 0;
    g->device.free_bytes = g->device.all_bytes = free_bytes;
}

size_t fake_engine_waiting(const engine *g) {
    size_t n = 0;
    for (size_t i = 0; i < g->jobs.count; i++)
        n += !g->jobs.at[i].ended;
    return n;
}

size_t fake_engine_submitted(const engine *g) {
    return g->submitted;
}

void fake_engine_set_finish(engine *g, finish_reason finish) {
    g->finish = finish;
}

size_t fake_engine_cancelled(const engine *g) {
    return g->cancelled;
}

void fake_engine_refuse(engine *g, bool refuse) {
    g->refuse = refuse;
}

job_priority fake_engine_priority(const engine *g) {
    return g->priority;
}

str fake_engine_chat(const engine *g) {
    return strbuf_str(&g->chat);
}

str fake_engine_prefix(const engine *g) {
    return strbuf_str(&g->prefix);
}

static fake_job *waiting(const engine *g, size_t n) {
    for (size_t i = 0; i < g->jobs.count; i++) {
        if (!g->jobs.at[i].ended && n-- == 0) return &g->jobs.at[i];
    }
    return NULL;
}

const engine_job *fake_engine_job(const engine *g, size_t n) {
    const fake_job *job = waiting(g, n);
    return job ? &job->spec : NULL;
}

bool fake_engine_end_nth(engine *g, size_t n, const char *text, status s) {
    fake_job *job = waiting(g, n);
    if (!job) return false;
    job->ended = true;
    job->status = text ? OK : s;
    job->text = text ? xstrdup(text) : NULL;
    return true;
}

bool fake_engine_end(engine *g, const char *text, status s) {
    return fake_engine_end_nth(g, 0, text, s);
}

void fake_engine_write(engine *g, const char *text) {
    fake_job *job = waiting(g, 0);
    if (job) job->written = xstrdup(text);
}

/* ---- engine.h -------------------------------------------------------------------------------- */

status engine_start(engine **out, const engine_options *opt, err *e) {
    UNUSED(opt);
    UNUSED(e);
    *out = xcalloc(1, sizeof **out);
    (*out)->finish = FINISH_LINE;
    (*out)->device = (engine_device){.name = "fake", .why = "a test"};
    strbuf_init(&(*out)->prefix, 1u << 26);
    strbuf_init(&(*out)->chat, 1u << 26);
    return OK;
}

void engine_stop(engine *g) {
    for (size_t i = 0; i < g->jobs.count; i++) {
        xfree(g->jobs.at[i].text);
        xfree(g->jobs.at[i].prefix);
        xfree(g->jobs.at[i].written);
    }
    vec_free(&g->jobs);
    vec_free(&g->loads);
    strbuf_deinit(&g->prefix);
    strbuf_deinit(&g->chat);
    xfree(g);
}

uint64_t engine_load(engine *g, int slot, const engine_model_options *opt) {
    fake_load l = {.slot = slot, .options = *opt};
    snprintf(l.path, sizeof l.path, "%s", opt->path);
    vec_push(&g->loads, l);
    return g->loads.count;
}

void engine_save(engine *g, int slot, const char *path) {
    UNUSED(slot);
    snprintf(g->saved, sizeof g->saved, "%s", path);
}

void engine_restore(engine *g, int slot, const char *path) {
    UNUSED(slot);
    snprintf(g->restored, sizeof g->restored, "%s", path);
}

const char *fake_engine_saved(const engine *g) {
    return g->saved;
}

const char *fake_engine_restored(const engine *g) {
    return g->restored;
}

void engine_unload(engine *g, int slot) {
    UNUSED(slot);
    g->unloads++;
}

static void keep_chat(engine *g, chat_value chat) {
    chat_value messages = chat_get(chat, STR("messages"));
    strbuf_clear(&g->chat);
    for (size_t i = 0; i < chat_count(messages); i++) {
        chat_value m = chat_at(messages, i, NULL);
        str role = chat_get(m, STR("role")).text, text = chat_get(m, STR("content")).text;
        strbuf_addf(&g->chat, "%.*s: %.*s\n", STR_ARG(role), STR_ARG(text));
    }
}

status engine_submit(engine *g, const engine_job *job, job_id *id, err *e) {
    if (g->refuse) return err_set(e, ERR_LIMIT, "the fake engine refuses");
    g->submitted++;
    strbuf_clear(&g->prefix);
    strbuf_add_str(&g->prefix, job->prompt.prefix);
    keep_chat(g, job->prompt.chat);
    g->priority = job->priority;
    *id = ++g->last;
    fake_job kept = {.id = *id,
                     .spec = {.priority = job->priority,
                              .deadline_ms = job->deadline_ms,
                              .sampling = job->sampling,
                              .grammar = job->grammar, /* only whether there is one */
                              .tokens_max = job->tokens_max}};
    kept.prefix = xstrndup(job->prompt.prefix.ptr, job->prompt.prefix.len);
    kept.spec.prompt = (engine_prompt){.prefix = {kept.prefix, job->prompt.prefix.len},
                                       .prefix_tokens_max = job->prompt.prefix_tokens_max,
                                       .suffix_tokens_max = job->prompt.suffix_tokens_max,
                                       .context_tokens_max = job->prompt.context_tokens_max};
    vec_push(&g->jobs, kept);
    return OK;
}

void engine_cancel(engine *g, job_id id) {
    for (size_t i = 0; i < g->jobs.count; i++) {
        if (g->jobs.at[i].id != id || g->jobs.at[i].ended) continue;
        g->jobs.at[i].ended = true;
        g->jobs.at[i].status = ERR_CANCELLED;
        g->cancelled++;
    }
}

void engine_drain(engine *g, void (*fn)(void *ud, const engine_event *ev), void *ud) {
    for (size_t i = 0; i < g->jobs.count;) {
        fake_job job = g->jobs.at[i];
        if (job.written) {
            g->jobs.at[i].written = NULL;
            fn(ud, &(engine_event){
                       .kind = EV_TEXT, .job = job.id, .tokens = 1, .text = str_of(job.written)});
            xfree(job.written);
            continue;
        }
        if (!job.ended) {
            i++;
            continue;
        }
        vec_remove(&g->jobs, i);
        engine_result r = {.status = job.status,
                           .finish = job.status ? FINISH_FAILED : g->finish,
                           .text = str_of(job.text)};
        if (job.status) (void)err_set(&r.error, job.status, "the fake engine ended the job");
        fn(ud, &(engine_event){.kind = EV_DONE, .job = job.id, .result = &r});
        xfree(job.text);
        xfree(job.prefix);
    }
}

const engine_device *engine_get_device(const engine *g) {
    return &g->device;
}

uint64_t engine_host_memory(void) {
    return (uint64_t)8 << 30;
}

int engine_count_jobs(engine *g, int slot) {
    UNUSED(slot);
    return g->busy;
}

const tokenizer *engine_tokenizer(const engine *g, int slot) {
    UNUSED(g);
    UNUSED(slot);
    return NULL;
}
