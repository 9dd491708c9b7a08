/* SPDX-License-Identifier: Apache-2.0 */
/* `inlined bench --matrix`: the models of a user's tiers (or those that are named), each with both
 * types of KV cache, one after another, into one table and one picture.
 *
 * A model that several tiers share is measured once.  A row that cannot be measured (no memory, no
 * such file) has its sentence instead of figures, and the others go on; Ctrl-C ends it with what
 * there is.
 * Thread: main. */
#include <math.h>
#include <stdio.h>

#include "engine/base/mem.h"
#include "lsp/cli_bench.h"
#include "lsp/tiers_choose.h"

#define MB ((uint64_t)1 << 20)
#define ROWS_MAX (2 * (TIER_COUNT + CLI_OPERANDS_MAX))

typedef struct {
    char tiers[32], wish[SETTINGS_NAME_BYTES]; /* "": the default model */
    const char *kv;
    char name[96], quant[16];
    bool on_device;
    double memory; /* bytes */
    bench_point point;
    err error; /* text: why there are no figures */
} row;

typedef struct {
    row rows[ROWS_MAX];
    int n;
} matrix;

/* ---- what to measure ------------------------------------------------------------------------- */

static void add_model(matrix *m, const char *tier, const char *wish) {
    bool known = false;
    for (int i = 0; i < m->n; i++) { /* both its rows */
        row *r = &m->rows[i];
        if (strcmp(r->wish, wish)) continue;
        size_t used = strlen(r->tiers);
        snprintf(r->tiers + used, sizeof r->tiers - used, ",%s", tier);
        known = true;
    }
    for (int kv = 0; kv < 2 && !known; kv++) {
        row *r = &m->rows[m->n++];
        r->kv = kv ? "q8" : "f16";
        snprintf(r->tiers, sizeof r->tiers, "%s", tier);
        snprintf(r->wish, sizeof r->wish, "%s", wish);
    }
}

static void add_tiers(matrix *m, const settings *st) {
    tier_memory have = {.host = st->memory.host_mb ? (uint64_t)st->memory.host_mb * MB
                                                   : engine_host_memory(),
                        .device = (uint64_t)st->memory.device_mb * MB};
    tier_survey found;
    const char *why;
    tiers_survey(st, &have, &found);
    for (model_tier t = 0; t < TIER_COUNT; t++)
        add_model(m, model_tier_name(t), model_tier_wish(st, &found, t, &why));
}

/* ---- measuring ------------------------------------------------------------------------------- */

static status measure(const cli_args *a, settings st, row *r) {
    cli_engine *c = NULL;
    st.engine.kv_cache = strcmp(r->kv, "q8") ? KV_F16 : KV_Q8;
    snprintf(st.model, sizeof st.model, "%s", r->wish);
    snprintf(r->name, sizeof r->name, "%.95s", r->wish[0] ? r->wish : "default");
    status s = cli_engine_open(&c, &st, &r->error);
    if (s == OK) {
        const engine_model_info *info = cli_engine_info(c);
        const k_memory *k = &info->memory;
        snprintf(r->name, sizeof r->name, "%.95s", cli_engine_name(c));
        snprintf(r->quant, sizeof r->quant, "%s", info->quant);
        r->on_device = info->on_device;
        r->memory = (double)(k->weight_bytes + k->kv_bytes + k->work_bytes);
        s = bench_measure_one(a, c, &r->point, &r->error);
    }
    cli_engine_close(c);
    if (s != OK && !r->error.text[0]) (void)err_set(&r->error, s, "it could not be measured");
    if (s == OK) r->error.text[0] = '\0';
    return s;
}

/* ---- the table ------------------------------------------------------------------------------- */

static void add_row(strbuf *out, const row *r) {
    strbuf_addf(out, "%-20s %-30.30s %-7s %-4s", r->tiers, r->name, r->quant, r->kv);
    if (r->error.text[0])
        strbuf_addf(out, "  %s\n", r->error.text);
    else
        strbuf_addf(out, "%9.0f t/s%8.1f t/s%9.0f ms%8.1f ms%8.0f MB %s\n", r->point.prefill,
                    r->point.decode, r->point.first_ms, r->point.key_ms, r->memory / 1e6,
                    r->on_device ? "GPU" : "CPU");
}

static status write_table(const matrix *m, int n, err *e) {
    strbuf out;
    strbuf_init(&out, 1u << 16);
    strbuf_addf(&out, "%-20s %-30s %-7s %-4s%13s%12s%12s%11s%11s\n", "tier", "model", "type", "KV",
                "prefill 512", "decode 64", "first token", "after key", "memory");
    for (int i = 0; i < n; i++)
        add_row(&out, &m->rows[i]);
    status s = term_write(strbuf_str(&out), e);
    strbuf_deinit(&out);
    return s;
}

static double thousandths(double x) {
    return round(x * 1000) / 1000;
}

static status write_json(const matrix *m, int n, err *e) {
    cJSON *o = cJSON_CreateObject(), *rows = cJSON_AddArrayToObject(o, "rows");
    for (int i = 0; i < n; i++) {
        const row *r = &m->rows[i];
        cJSON *one = cJSON_CreateObject();
        cJSON_AddStringToObject(one, "tier", r->tiers);
        cJSON_AddStringToObject(one, "model", r->name);
        cJSON_AddStringToObject(one, "kv", r->kv);
        cJSON_AddItemToArray(rows, one);
        if (r->error.text[0]) {
            cJSON_AddStringToObject(one, "error", r->error.text);
            continue;
        }
        cJSON_AddStringToObject(one, "quant", r->quant);
        cJSON_AddBoolToObject(one, "on_gpu", r->on_device);
        cJSON_AddNumberToObject(one, "memory_bytes", r->memory);
        cJSON_AddNumberToObject(one, "prefill_tokens_per_s", thousandths(r->point.prefill));
        cJSON_AddNumberToObject(one, "decode_tokens_per_s", thousandths(r->point.decode));
        cJSON_AddNumberToObject(one, "first_token_ms", thousandths(r->point.first_ms));
        cJSON_AddNumberToObject(one, "key_ms", thousandths(r->point.key_ms));
    }
    return term_write_json(o, e);
}

static void add_bars(const matrix *m, int n, bench_bars *out) {
    for (int i = 0; i < n; i++) {
        const row *r = &m->rows[i];
        if (r->error.text[0]) continue;
        bench_bar *b = &out->at[out->n++];
        snprintf(b->label, sizeof b->label, "%.40s %s, KV %s", r->name, r->quant, r->kv);
        b->values[0] = r->point.decode;
        b->values[1] = r->point.first_ms;
        b->values[2] = r->memory / 1e6;
    }
}

status bench_matrix(const cli_args *a, const settings *st, err *e) {
    matrix *m = xcalloc(1, sizeof *m);
    int done = 0;
    status s = OK;
    if (a->n_operands == 0) add_tiers(m, st);
    for (int i = 0; i < a->n_operands; i++)
        add_model(m, "named", a->operands[i]);
    for (; done < m->n && s != ERR_CANCELLED; done++) {
        fprintf(stderr, "%d of %d: %s, KV %s\n", done + 1, m->n,
                m->rows[done].wish[0] ? m->rows[done].wish : "default", m->rows[done].kv);
        s = measure(a, *st, &m->rows[done]);
    }
    s = a->json ? write_json(m, done, e) : write_table(m, done, e);
    if (s == OK && a->plot) {
        bench_bars *bars = xcalloc(1, sizeof *bars);
        add_bars(m, done, bars);
        strbuf svg;
        strbuf_init(&svg, 1u << 18);
        bench_plot_bars(&svg, bars);
        s = bench_write_plot(a->plot, strbuf_str(&svg), e);
        strbuf_deinit(&svg);
        xfree(bars);
    }
    xfree(m);
    return s;
}
