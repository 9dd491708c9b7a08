/* SPDX-License-Identifier: Apache-2.0 */
/* Loading a model.
 *
 *     open:   map the file -> architecture -> tokenizer -> touch every page
 *     build:  plan (every tensor bound and checked) -> memory plan, compared with what is free
 *               -> repack the weights -> sessions -> one warm-up step
 *
 * Nothing large is allocated before the memory plan says that it fits.  When the caller left the
 * length of the context to us, it is halved until it fits.  Any failure leaves nothing behind and
 * is one sentence.  Opening knows no backend and may run beside the engine.
 * Thread: engine, but for model_open.
 */
#include "engine/load.h"

#include <math.h>

#include "engine/base/clock.h"
#include "engine/base/hash.h"
#include "engine/base/log.h"
#include "engine/confidence.h"
#include "engine/memory.h"

#define CONTEXT_DEFAULT 8192
#define CONTEXT_MIN 256
#define CONTEXT_MAX 131072
#define SPARE_TOKENS 2048 /* KV beyond one full sequence: what other sequences keep */
/* A chunk of the prompt is the longest wait for a key: 0.09 s of 128 tokens for 135M parameters on
 * two cores.  Larger models get chunks of 64, which cost 15 % of the speed. */
#define ROWS_CPU 64
#define ROWS_CPU_SMALL 128
#define SMALL_BYTES (256u << 20)
/* On a card a row of a chunk of 2,048 takes a half to a third of one of 256 (H100: 7 us of 17 for
 * 1.5B, 24 of 37 for 7B).  What is given up with a chunk is bounded by its time instead, and by a
 * share of the card's memory. */
#define ROWS_DEVICE K_ROWS_MAX
#define ROWS_DEVICE_MIN 256
#define CHUNK_MS_DEVICE 60.0
#define WORK_SHARE 16
#define ROWS_WARM 512
/* On a CPU three rows cost 1.55 times one (135M, two cores), and third guesses rarely come; on a
 * card eight rows cost about 1.6 times one. */
#define GUESSES_CPU 2
#define GUESSES_CUDA 6

static bool report(const load_order *o, float done, const char *what) {
    return !o->progress || o->progress(o->progress_ud, done, what);
}

/* The kernels' share of the progress is 30 to 95 per cent. */
static bool on_kernel_progress(void *ud, uint64_t done, uint64_t all) {
    float part = all ? (float)((double)done / (double)all) : 1.0f;
    return report(ud, 0.3f + 0.65f * part, "repacking");
}

int load_pages(int context) {
    int tokens = context + MIN(context / 2, SPARE_TOKENS);
    return (tokens + K_PAGE_TOKENS - 1) / K_PAGE_TOKENS + LIMIT_ENGINE_SEQUENCES;
}

int load_context(const arch *a, int asked) {
    int wanted = asked > 0 ? asked : MIN(a->context_trained, CONTEXT_DEFAULT);
    return MIN(MAX(wanted, CONTEXT_MIN), CONTEXT_MAX);
}

static uint64_t total(k_memory m) {
    return m.weight_bytes + m.kv_bytes + m.work_bytes;
}

void load_rows(const gguf *g, const k_backend *b, k_model_options *opt) {
    opt->rows_max = gguf_file_bytes(g) <= SMALL_BYTES ? ROWS_CPU_SMALL : ROWS_CPU;
    if (!k_backend_is_device(b)) return;
    uint64_t left, all;
    k_device_memory(b, &left, &all);
    opt->rows_max = ROWS_DEVICE;
    while (opt->rows_max > ROWS_DEVICE_MIN &&
           k_model_plan_memory(b, opt).work_bytes > all / WORK_SHARE)
        opt->rows_max /= 2;
}

/* What the model may take: of the caller's budget, and of the host's memory.  A device has its own,
 * which k_model_new asks for itself. */
static uint64_t memory_for(const k_backend *backend, const load_order *order) {
    uint64_t available = k_backend_is_device(backend) ? UINT64_MAX : memory_available();
    return order->memory_max ? MIN(available, order->memory_max) : available;
}

static uint64_t mb(uint64_t bytes) {
    return bytes >> 20;
}

/* Sets the context and the number of pages so that the whole model fits into memory. */
static status plan_memory(model *m, k_backend *backend, const load_order *order,
                          k_model_options *opt, uint64_t *missing, err *e) {
    bool chosen = order->context_tokens <= 0;
    m->context = load_context(&m->arch, order->context_tokens);
    uint64_t available = memory_for(backend, order);
    for (;;) {
        opt->kv_pages = load_pages(m->context);
        k_memory need = k_model_plan_memory(backend, opt);
        if (total(need) <= available) return OK;
        if (chosen && m->context / 2 >= CONTEXT_MIN * 2) {
            m->context /= 2;
            continue;
        }
        *missing = total(need) - available;
        return err_set(e, ERR_LIMIT,
                       "%s needs %llu MB (weights %llu, context of %d tokens %llu, work "
                       "%llu), but %llu MB %s; use a smaller model or a shorter context",
                       order->name, (unsigned long long)mb(total(need)),
                       (unsigned long long)mb(need.weight_bytes), m->context,
                       (unsigned long long)mb(need.kv_bytes),
                       (unsigned long long)mb(need.work_bytes), (unsigned long long)mb(available),
                       available == order->memory_max ? "are what the settings leave it"
                                                      : "are available");
    }
}

static status open_file(model *m, const load_order *order, err *e) {
    if (!report(order, 0.0f, "mapping")) return err_set(e, ERR_CANCELLED, "loading was cancelled");
    status s = gguf_open(&m->file, order->path, e);
    if (s != OK) return s;
    s = arch_read(&m->arch, m->file, e);
    if (s != OK) return s;
    if (!report(order, 0.03f, "reading the vocabulary"))
        return err_set(e, ERR_CANCELLED, "loading was cancelled");
    s = tokenizer_open(&m->tok, m->file, e);
    if (s != OK) return s;
    const tokenizer_facts *f = tokenizer_get_facts(m->tok);
    if (f->vocab > m->arch.vocab)
        return err_set(e, ERR_FORMAT,
                       "%s: the tokenizer has %d tokens, but the embedding has %d rows",
                       order->path, f->vocab, m->arch.vocab);
    m->vocab = f->vocab;
    for (int32_t i = 0; i < m->vocab; i++)
        m->piece_max = MAX(m->piece_max, (int)tokenizer_piece(m->tok, i).len);
    prompt_style_detect(&m->style, m->tok, m->file);
    chat_format_read(&m->chat, m->file);
    if (!m->chat.template)
        log_info("engine", "no chat with this model name=%s why=\"%s\"", order->name,
                 m->chat.why.text);
    return OK;
}

static status make_kernels(model *m, k_backend *backend, const load_order *order, uint64_t *missing,
                           err *e) {
    m->guesses = k_backend_is_device(backend) ? GUESSES_CUDA : GUESSES_CPU;
    m->last_alone = k_backend_is_device(backend);
    m->chunk_ms = m->last_alone ? CHUNK_MS_DEVICE : 0;
    plan p = {0};
    int context = order->context_tokens > 0 ? order->context_tokens : CONTEXT_DEFAULT;
    status s = plan_build(&p, &m->arch, m->file, context, e);
    if (s != OK) return s;
    k_model_options opt = {.plan = &p.plan,
                           .kv_type = order->kv_type,
                           .kv_pages = load_pages(CONTEXT_MIN),
                           .progress = on_kernel_progress};
    load_order copy = *order; /* progress_ud is not const */
    opt.progress_ud = &copy;
    snprintf(m->info.quant, sizeof m->info.quant, "%s", k_type_name((int)p.main_type));
    load_rows(m->file, backend, &opt);
    m->rows_max = opt.rows_max;
    s = plan_memory(m, backend, order, &opt, missing, e);
    if (s == OK) {
        s = k_model_new(&m->kernels, backend, &opt, e);
        if (s == ERR_LIMIT) *missing = 1; /* the device knows how much, and says it in words */
    }
    if (s == OK) sessions_init(&m->sessions, m->kernels, m->context, opt.kv_pages);
    if (s == OK && k_model_borrows_file(m->kernels))
        m->plan = p; /* some weights may lie in its memory instead of the file */
    else
        plan_deinit(&p);
    return s;
}

/* Of the metadata, and of every tensor its place and first bytes: enough to tell any two models
 * apart without reading a file that may be larger than memory. */
static void identify(model *m, k_backend *backend, const load_order *order) {
    sha256 h;
    sha256_init(&h);
    for (size_t i = 0; i < gguf_key_count(m->file); i++) {
        uint32_t kind[2];
        uint64_t count;
        gguf_type type;
        str key = gguf_key_at(m->file, i, &type), raw = gguf_key_raw(m->file, i, kind, &count);
        sha256_add(&h, key.ptr, key.len);
        sha256_add(&h, raw.ptr, raw.len);
    }
    for (size_t i = 0; i < gguf_tensor_count(m->file); i++) {
        const gguf_tensor *t = gguf_tensor_at(m->file, i);
        sha256_add(&h, t->name.ptr, t->name.len);
        sha256_add(&h, &t->type, sizeof t->type);
        sha256_add(&h, t->ne, sizeof t->ne);
        sha256_add(&h, t->data, (size_t)MIN(t->bytes, 64));
    }
    /* Rope tables for long contexts give other keys; so do other instruction sets, a little. */
    bool is_long = m->arch.rope_context_before > 0 && m->context > m->arch.rope_context_before;
    const char *name = k_backend_name(backend);
    sha256_add(&h, &is_long, sizeof is_long);
    sha256_add(&h, &order->kv_type, sizeof order->kv_type);
    sha256_add(&h, name, strcspn(name, ","));
    sha256_hex(&h, m->identity);
}

/* Prompts: the device's libraries load their code at its first use.  The last one is timed. */
static status warm_prompt(model *m, err *e) {
    int32_t token[ROWS_WARM], pos[ROWS_WARM], pages[ROWS_WARM / K_PAGE_TOKENS];
    static const int32_t seq[ROWS_WARM];
    static const uint8_t want[ROWS_WARM];
    const int32_t *table = pages;
    int n = MIN(MIN(ROWS_WARM, m->rows_max), m->context);
    for (int i = 0; i < n; i++) {
        token[i] = i % m->vocab;
        pos[i] = i;
        pages[i / K_PAGE_TOKENS] = i / K_PAGE_TOKENS;
    }
    const int lengths[] = {1, MIN(48, n), n, n};
    for (size_t i = 0; i < COUNTOF(lengths); i++) {
        k_batch b = {lengths[i], token, pos, seq, &table, 1, want, NULL};
        double start = clock_ms();
        status s = k_forward(m->kernels, &b, e);
        if (s != OK) return s;
        m->row_ms = (clock_ms() - start) / n;
    }
    return OK;
}

/* One token through everything: faults in the pages, and finds weights that are not numbers. */
static status warm_up(model *m, const load_order *order, err *e) {
    if (!report(order, 0.95f, "warming up"))
        return err_set(e, ERR_CANCELLED, "loading was cancelled");
    const int32_t token = 0, pos = 0, seq = 0, page = 0;
    const int32_t *pages = &page;
    const uint8_t want = 1;
    k_batch b = {.n = 1,
                 .token = &token,
                 .pos = &pos,
                 .seq = &seq,
                 .pages = &pages,
                 .n_seqs = 1,
                 .want = &want};
    status s = k_forward(m->kernels, &b, e);
    if (s != OK) return s;
    const float *logits = k_logits(m->kernels, 0);
    for (int i = 0; i < m->vocab; i++)
        if (!isfinite(logits[i]))
            return err_set(e, ERR_FORMAT,
                           "%s: the model's output is not a number; the file is damaged, "
                           "fetch it again",
                           order->path);
    return m->chunk_ms > 0 ? warm_prompt(m, e) : OK;
}

static void fill_info(model *m, k_backend *backend, const load_order *order, double start) {
    engine_model_info *i = &m->info;
    snprintf(i->name, sizeof i->name, "%s", order->name);
    snprintf(i->arch, sizeof i->arch, "%s", m->arch.name);
    snprintf(i->backend, sizeof i->backend, "%s", k_backend_name(backend));
    snprintf(i->why, sizeof i->why, "%.255s", order->why ? order->why : k_backend_why(backend));
    i->on_device = k_backend_is_device(backend);
    i->file_bytes = gguf_file_bytes(m->file);
    i->memory = k_model_memory(m->kernels);
    i->context_tokens = m->context;
    i->layers = m->arch.layers;
    i->dim = m->arch.dim;
    i->vocab = m->vocab;
    i->fim = m->style.format;
    i->cross_file = m->style.cross_file;
    i->single_line = m->style.single_line;
    i->chat = m->chat.template != NULL;
    i->chat_tools = m->chat.tools;
    i->confidence = confidence_find(m->file);
    i->load_ms = clock_ms() - start;
    log_info("engine",
             "model loaded name=%s arch=%s quant=%s backend=\"%s\" context=%d fim=%s ms=%.0f "
             "weights_mb=%llu kv_mb=%llu",
             i->name, i->arch, i->quant, i->backend, i->context_tokens, m->style.layout, i->load_ms,
             (unsigned long long)(i->memory.weight_bytes >> 20),
             (unsigned long long)(i->memory.kv_bytes >> 20));
}

/* One byte of each page: what is not in memory comes now. */
static status touch_pages(const model *m, const load_order *order, err *e) {
    const size_t page = 4096, stretch = (size_t)4 << 20;
    uint64_t all = gguf_file_bytes(m->file), done = 0;
    uint8_t sum = 0;
    for (size_t i = 0; i < gguf_tensor_count(m->file); i++) {
        const gguf_tensor *t = gguf_tensor_at(m->file, i);
        const volatile uint8_t *bytes = t->data;
        for (uint64_t at = 0; at < t->bytes; at += page) {
            sum ^= bytes[at];
            if (at % stretch == 0 &&
                !report(order, 0.05f + 0.25f * (float)((double)(done + at) / (double)MAX(all, 1)),
                        "reading"))
                return err_set(e, ERR_CANCELLED, "loading was cancelled");
        }
        done += t->bytes;
    }
    UNUSED(sum);
    return OK;
}

status model_open(model **out, const load_order *order, err *e) {
    model *m = xcalloc(1, sizeof *m);
    m->opened_ms = clock_ms();
    status s = open_file(m, order, e);
    if (s == OK) s = touch_pages(m, order, e);
    if (s == OK) {
        *out = m;
        return OK;
    }
    tokenizer_close(model_free(m));
    return s;
}

static void drop_kernels(model *m) {
    sessions_deinit(&m->sessions);
    k_model_free(m->kernels);
    plan_deinit(&m->plan);
    m->kernels = NULL;
    m->sessions = (session_table){0};
    m->plan = (plan){0};
}

status model_build(model *m, k_backend *backend, const load_order *order, uint64_t *missing,
                   err *e) {
    *missing = 0;
    status s = make_kernels(m, backend, order, missing, e);
    if (s == OK) s = warm_up(m, order, e);
    if (s != OK) {
        drop_kernels(m);
        return s;
    }
    m->work = xcalloc((size_t)m->arch.vocab, sizeof *m->work);
    identify(m, backend, order);
    fill_info(m, backend, order, m->opened_ms);
    if (!k_model_borrows_file(m->kernels)) {
        gguf_close(m->file);
        m->file = NULL;
    }
    return OK;
}

tokenizer *model_free(model *m) {
    if (!m) return NULL;
    tokenizer *tok = m->tok;
    drop_kernels(m);
    chat_format_deinit(&m->chat);
    gguf_close(m->file);
    xfree(m->work);
    xfree(m);
    return tok;
}
