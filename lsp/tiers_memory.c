/* SPDX-License-Identifier: Apache-2.0 */
/* Room for models: slots and bytes.
 *
 * A budget is what the settings leave a model of the memory where it would run: all of it less what
 * the others there have, and of the GPU's at most the tier's share.  The engine compares its plan
 * with the budget and with what is free before it allocates.  What does not fit comes back as
 * ERR_LIMIT; then somebody else goes, one at a time, and it is tried again; when nobody can go, a
 * model for the GPU runs on the CPU instead; and then it is FAILED with the engine's sentence.
 *
 * Who goes: of the ready models in that memory that have no job and were not wanted just now, the
 * one with the largest (tier weight x time unused); the model of typing last.  Thread: loop.
 */
#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "lsp/tiers_private.h"

#define MB ((uint64_t)1 << 20)
#define DEVICE_HEADROOM (512 * MB)
#define IN_USE_MS 5000.0          /* somebody looks at what it wrote */
#define TYPING_IN_USE_MS 300000.0 /* somebody thinks between two keys */

static bool is_typing(const model *m) {
    return m->roles & (1u << ROLE_COMPLETION);
}

static uint64_t memory_of(const model *m) {
    const k_memory *k = &m->info.memory;
    return m->state == MODEL_READY ? k->weight_bytes + k->kv_bytes + k->work_bytes : 0;
}

static bool wants_device(const tiers *t, const model *m) {
    return engine_get_device(t->engine)->is_device && !m->cpu && m->gpu_share > 0;
}

static bool is_there(const tiers *t, const model *m, bool device) {
    return m->state == MODEL_READY && m->info.on_device == device &&
           (device || engine_get_device(t->engine)->name[0]);
}

/* In bytes; 0: no limit but what is free. */
static uint64_t budget(const tiers *t, const model *m) {
    bool device = wants_device(t, m);
    const engine_device *d = engine_get_device(t->engine);
    uint64_t all = (uint64_t)m->host_mb * MB, used = 0;
    if (device) {
        all = (uint64_t)m->device_mb * MB;
        if (!all && d->free_bytes > DEVICE_HEADROOM) all = d->free_bytes - DEVICE_HEADROOM;
    }
    if (!all) return 0;
    for (size_t i = 0; i < t->models.count; i++) {
        const model *other = t->models.at[i];
        if (other != m && is_there(t, other, device)) used += memory_of(other);
    }
    uint64_t left = all > used ? all - used : 0;
    if (device) left = MIN(left, all / 100 * (uint64_t)m->gpu_share);
    return MAX(left, 1); /* 0 would be no limit */
}

/* NULL: nobody can go.  `device`: of this memory; `anywhere`: of both. */
static model *victim(const tiers *t, const model *for_whom, bool device, bool anywhere) {
    model *best = NULL;
    double now = clock_ms(), most = -1;
    for (size_t i = 0; i < t->models.count; i++) {
        model *m = t->models.at[i];
        double unused = now - m->used_ms;
        if (m == for_whom || m->state != MODEL_READY) continue;
        if (!anywhere && m->info.on_device != device) continue;
        if (engine_count_jobs(t->engine, m->slot) > 0) continue;
        if (unused < (is_typing(m) ? TYPING_IN_USE_MS : IN_USE_MS)) continue;
        double weight = is_typing(m) ? 1e-6 : (double)(1u << m->tier);
        if (weight * unused <= most) continue;
        most = weight * unused;
        best = m;
    }
    return best;
}

void tiers_drop_load(tiers *t, model *m) {
    log_info("model", "unloading name=%s slot=%d unused_s=%.0f", m->name, m->slot,
             (clock_ms() - m->used_ms) / 1000);
    m->state = MODEL_NONE;
    m->load = 0;
    m->tier = TIER_COUNT; /* who wants it next says for what */
    m->roles = 0;
    engine_unload(t->engine, m->slot);
    tiers_tell(t, m);
}

void tiers_put_away(tiers *t, model *m) {
    tiers_spill(t, m);
    tiers_drop_load(t, m);
}

static bool free_slot(const tiers *t, int *out) {
    bool taken[LIMIT_ENGINE_MODELS] = {false};
    for (size_t i = 0; i < t->models.count; i++) {
        if (model_has_load(t->models.at[i])) taken[t->models.at[i]->slot] = true;
    }
    for (int i = 0; i < LIMIT_ENGINE_MODELS; i++) {
        if (taken[i]) continue;
        *out = i;
        return true;
    }
    return false;
}

static void start(tiers *t, model *m) {
    m->state = MODEL_LOADING;
    m->percent = 0;
    m->started_ms = clock_ms();
    m->seconds_left = -1;
    snprintf(m->what, sizeof m->what, "opening");
    uint64_t most = budget(t, m);
    log_info("model", "loading name=%s slot=%d budget_mb=%llu path=%s", m->name, m->slot,
             (unsigned long long)(most / MB), m->path);
    m->load = engine_load(t->engine, m->slot,
                          &(engine_model_options){.path = m->path,
                                                  .name = m->name,
                                                  .context_tokens = m->context_tokens,
                                                  .kv_type = m->kv_type,
                                                  .cpu = !wants_device(t, m),
                                                  .memory_max = most});
    tiers_tell(t, m);
}

void tiers_start_load(tiers *t, model *m, const settings *s) {
    static const k_kv_type kinds[] = {[TIER_KV_F16] = KV_F16, [TIER_KV_Q8] = KV_Q8};
    settings_tier_kv kv = s->tiers[m->tier].kv_cache;
    int context = s->tiers[m->tier].context_tokens;
    m->context_tokens = context ? context : s->engine.context_tokens;
    m->kv_type = kv == TIER_KV_AUTO ? s->engine.kv_cache : kinds[kv];
    m->gpu_share = s->tiers[m->tier].gpu_share;
    m->device_mb = s->memory.device_mb;
    m->host_mb = s->memory.host_mb;
    m->cpu = false;
    if (!free_slot(t, &m->slot)) {
        model *goes = victim(t, m, false, true);
        if (!goes) {
            err e;
            status st = err_set(&e, ERR_LIMIT,
                                "%d models are in use already; unload one with `inlined models "
                                "unload`",
                                LIMIT_ENGINE_MODELS);
            model_fail(m, st, &e);
            tiers_tell(t, m);
            return;
        }
        m->slot = goes->slot;
        tiers_put_away(t, goes);
    }
    start(t, m);
}

bool tiers_load_again(tiers *t, model *m) {
    if (m->status != ERR_LIMIT || !m->missing) return false;
    model *goes = victim(t, m, wants_device(t, m), false);
    if (goes)
        tiers_put_away(t, goes);
    else if (wants_device(t, m))
        m->cpu = true;
    else
        return false;
    start(t, m);
    return true;
}
