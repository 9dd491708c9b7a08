/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's table of models: names and states.
 *
 *     want:  role -> tier -> name -> the model of that name, or a new one
 *              -> its file (the registry); is that another's file already? then it is that model
 *              -> a slot and a budget (tiers_memory.c) -> engine_load
 *            FAILED: the same for the nearest tier, whose model serves instead
 *
 * Invariants: a model has a load exactly while it is LOADING or READY; no two of those have one
 * slot, or one path.  Names of models that do not exist stay in the table with their sentence, so
 * that a wrong name costs one look at the disk in some seconds; the oldest goes when it is full.
 * Thread: loop.
 */
#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/registry.h"
#include "lsp/tiers_private.h"

#define RETRY_MS 3000.0       /* between two looks for a file that was not there */
#define CANCELLED_MS 300000.0 /* somebody did not want it: until it is tried again unasked */
#define ORPHAN_MS 60000.0     /* a model that no connection names stays so long */
#define MB ((uint64_t)1 << 20)

tiers *tiers_new(engine *g, const tiers_hooks *hooks) {
    tiers *t = xcalloc(1, sizeof *t);
    t->engine = g;
    t->hooks = *hooks;
    return t;
}

tiers *tiers_lend(model *m, int *asked) {
    tiers *t = xcalloc(1, sizeof *t);
    t->lent = m;
    t->asked = asked;
    return t;
}

static void model_drop(model *m) {
    tiers_forget_spill(m);
    xfree(m->path);
    xfree(m);
}

void tiers_free(tiers *t) {
    if (!t) return;
    for (size_t i = 0; i < t->models.count; i++)
        model_drop(t->models.at[i]);
    for (size_t i = 0; i < t->names.count; i++)
        xfree(t->names.at[i].wanted);
    vec_free(&t->models);
    vec_free(&t->names);
    xfree(t->spill_folder);
    xfree(t);
}

void tiers_fix(tiers *t, const char *name) {
    t->fixed = true;
    snprintf(t->fixed_name, sizeof t->fixed_name, "%s", name);
}

void tiers_tell(tiers *t, const model *m) {
    if (t->hooks.changed) t->hooks.changed(t->hooks.ud, m);
}

/* ---- names ----------------------------------------------------------------------------------- */

const char *tiers_name(const tiers *t, const settings *s, model_tier tier, const char **why) {
    const char *unused;
    if (!why) why = &unused;
    *why = "`inlined models use` said so";
    if (t->used[tier]) return t->used_name[tier];
    *why = "--model names it";
    if (t->fixed) return t->fixed_name;
    return model_tier_wish(s, &t->choice, tier, why);
}

static void choose(tiers *t, const settings *s) {
    if (t->chosen) return;
    t->chosen = true;
    const engine_device *d = engine_get_device(t->engine);
    tier_memory have = {
        .host = s->memory.host_mb ? (uint64_t)s->memory.host_mb * MB : engine_host_memory(),
        .device = s->memory.device_mb && d->is_device ? (uint64_t)s->memory.device_mb * MB
                                                      : d->free_bytes};
    tiers_survey(s, &have, &t->choice);
    for (model_tier tier = 0; tier < TIER_COUNT; tier++)
        log_info("model", "chosen tier=%s name=%s why=\"%s\"", model_tier_name(tier),
                 t->choice.name[tier][0] ? t->choice.name[tier] : "default", t->choice.why[tier]);
}

static model *find(const tiers *t, const char *wanted) {
    for (size_t i = 0; i < t->names.count; i++) {
        if (!strcmp(t->names.at[i].wanted, wanted)) return t->names.at[i].model;
    }
    return NULL;
}

/* The names of a model go with it. */
static void forget(tiers *t, const model *m) {
    for (size_t i = t->names.count; i-- > 0;) {
        if (t->names.at[i].model != m) continue;
        xfree(t->names.at[i].wanted);
        vec_remove(&t->names, i);
    }
    for (size_t i = t->models.count; i-- > 0;) {
        if (t->models.at[i] != m) continue;
        model_drop(t->models.at[i]);
        vec_remove(&t->models, i);
    }
}

static void limit_names(tiers *t) {
    if (t->names.count < LIMIT_TIER_NAMES) return;
    const model *oldest = NULL;
    for (size_t i = 0; i < t->models.count; i++) {
        const model *m = t->models.at[i];
        if (!model_has_load(m) && (!oldest || m->used_ms < oldest->used_ms)) oldest = m;
    }
    if (oldest) forget(t, oldest);
}

static model *add(tiers *t, const char *wanted) {
    limit_names(t);
    model *m = xcalloc(1, sizeof *m);
    m->tier = TIER_COUNT;
    snprintf(m->wanted, sizeof m->wanted, "%s", wanted);
    snprintf(m->name, sizeof m->name, "%.127s", wanted[0] ? wanted : "default");
    vec_push(&t->models, m);
    vec_push(&t->names, ((known_name){xstrdup(wanted), m}));
    return m;
}

static status resolve(const char *wanted, char **path, char **name, err *e) {
    registry *r = NULL;
    status s = registry_open(&r, e);
    if (!s) s = registry_resolve(r, wanted, path, name, e);
    registry_close(r);
    return s;
}

static model *find_path(const tiers *t, const char *path) {
    for (size_t i = 0; i < t->models.count; i++) {
        model *m = t->models.at[i];
        if (m->path && !strcmp(m->path, path)) return m;
    }
    return NULL;
}

/* The name is another one of `known`, whose file it is. */
static model *become(tiers *t, model *m, model *known) {
    for (size_t i = 0; i < t->names.count; i++) {
        if (t->names.at[i].model == m) t->names.at[i].model = known;
    }
    forget(t, m);
    return known;
}

/* ---- wanting --------------------------------------------------------------------------------- */

static void note_use(model *m, const settings *s, model_tier tier) {
    double idle = s->tiers[tier].idle_minutes * 60000.0;
    bool first = m->tier == TIER_COUNT, stays = idle <= 0 || (!first && m->idle_ms <= 0);
    m->idle_ms = stays ? 0 : MAX(m->idle_ms, idle);
    m->tier = MIN(m->tier, tier);
    m->used_ms = m->kept_ms = clock_ms();
}

static model *find_and_load(tiers *t, model *m, const settings *s, model_tier tier) {
    char *path = NULL, *name = NULL;
    err e = {{0}};
    status st = resolve(m->wanted, &path, &name, &e);
    if (st) {
        model_fail(m, st, &e);
        m->untold = true; /* first somebody else may serve */
        return m;
    }
    model *known = find_path(t, path);
    if (known && known != m) {
        m = become(t, m, known);
        note_use(m, s, tier);
        xfree(path);
    } else {
        xfree(m->path);
        m->path = path;
        snprintf(m->name, sizeof m->name, "%.127s", name);
    }
    xfree(name);
    if (!model_has_load(m)) tiers_start_load(t, m, s);
    return m;
}

static bool rests(const model *m) {
    double wait = m->status == ERR_CANCELLED ? CANCELLED_MS : RETRY_MS;
    return m->state == MODEL_FAILED && clock_ms() - m->failed_ms < wait;
}

static model *want(tiers *t, const settings *s, model_tier tier, bool by_hand) {
    choose(t, s);
    const char *wanted = tiers_name(t, s, tier, NULL);
    model *m = find(t, wanted);
    if (!m) m = add(t, wanted);
    note_use(m, s, tier);
    if (model_has_load(m)) return m;
    bool again = by_hand && m->status == ERR_CANCELLED;
    if (rests(m) && !again) return m;
    return find_and_load(t, m, s, tier);
}

static void tell_failures(tiers *t) {
    for (size_t i = 0; i < t->models.count; i++) {
        model *m = t->models.at[i];
        if (!m->untold) continue;
        m->untold = false;
        tiers_tell(t, m);
    }
}

const model *tiers_want(tiers *t, const settings *s, model_role role) {
    if (t->asked) (*t->asked)++;
    if (t->lent) return t->lent;
    model *meant = want(t, s, s->roles[role], false), *m = meant;
    for (int i = 1; i < TIER_COUNT && m->state == MODEL_FAILED; i++) {
        if (s->fallback == FALLBACK_NONE) break;
        model_tier other = model_tier_nearest(s->roles[role], i);
        const model *there = find(t, tiers_name(t, s, other, NULL));
        /* Who cancels a load does not ask for another one. */
        if (meant->status == ERR_CANCELLED && !(there && model_has_load(there))) continue;
        m = want(t, s, other, false);
    }
    if (m->state == MODEL_FAILED) m = meant;
    m->roles |= 1u << role;
    tell_failures(t);
    return m;
}

static const model *look(const tiers *t, const settings *s, model_tier tier) {
    const model *m = find(t, tiers_name(t, s, tier, NULL));
    return m ? m : &t->none;
}

const model *tiers_look(const tiers *t, const settings *s, model_role role) {
    if (t->lent) return t->lent;
    const model *meant = look(t, s, s->roles[role]);
    if (meant->state != MODEL_FAILED || s->fallback == FALLBACK_NONE) return meant;
    for (int i = 1; i < TIER_COUNT; i++) {
        const model *m = look(t, s, model_tier_nearest(s->roles[role], i));
        if (model_has_load(m)) return m;
    }
    return meant;
}

const model *tiers_missed(const tiers *t, const settings *s, model_role role) {
    if (t->lent) return NULL;
    const model *meant = look(t, s, s->roles[role]);
    return meant == tiers_look(t, s, role) ? NULL : meant;
}

/* ---- the daemon ------------------------------------------------------------------------------ */

bool tiers_event(tiers *t, const engine_event *ev) {
    for (size_t i = 0; i < t->models.count; i++) {
        model *m = t->models.at[i];
        if (ev->kind == EV_RESTORED && ev->load == m->load) tiers_forget_spill(m);
        if (!model_event(m, ev, t->generation + 1)) continue;
        if (ev->kind == EV_LOADED) {
            t->generation++;
            tiers_unspill(t, m);
        }
        if (ev->kind == EV_LOAD_FAILED && tiers_load_again(t, m)) return true;
        tiers_tell(t, m);
        return true;
    }
    return false;
}

void tiers_keep(tiers *t, const settings *s) {
    for (model_role role = 0; role < ROLE_COUNT && !t->lent; role++) {
        model *m = find(t, tiers_name(t, s, s->roles[role], NULL));
        if (m) m->kept_ms = clock_ms();
    }
}

void tiers_tick(tiers *t) {
    double now = clock_ms();
    for (size_t i = 0; i < t->models.count; i++) {
        model *m = t->models.at[i];
        if (m->state != MODEL_READY || engine_count_jobs(t->engine, m->slot) > 0) continue;
        bool idle = m->idle_ms > 0 && now - m->used_ms > m->idle_ms;
        bool orphan = now - MAX(m->kept_ms, m->used_ms) > ORPHAN_MS;
        if (idle || orphan) tiers_put_away(t, m);
    }
}

/* ---- people ---------------------------------------------------------------------------------- */

status tiers_use(tiers *t, model_tier tier, const char *name, err *e) {
    char *path = NULL, *shown = NULL;
    if (strlen(name) >= sizeof t->used_name[tier])
        return err_set(e, ERR_USAGE, "the name has more than %zu bytes",
                       sizeof t->used_name[tier] - 1);
    status s = name[0] ? resolve(name, &path, &shown, e) : OK;
    xfree(path);
    xfree(shown);
    if (s) return s;
    t->used[tier] = name[0] != '\0';
    snprintf(t->used_name[tier], sizeof t->used_name[tier], "%s", name);
    return OK;
}

const model *tiers_load(tiers *t, const settings *s, model_tier tier) {
    if (t->lent) return t->lent;
    const model *m = want(t, s, tier, true);
    tell_failures(t);
    return m;
}

bool tiers_cancel(tiers *t, uint64_t load) {
    for (size_t i = 0; i < t->models.count; i++) {
        model *m = t->models.at[i];
        if (m->load != load || m->state != MODEL_LOADING) continue;
        err e;
        status st = err_set(&e, ERR_CANCELLED,
                            "loading %s was cancelled; `inlined models load %s` loads it, else it "
                            "is tried again after %.0f minutes",
                            m->name, model_tier_name(m->tier), CANCELLED_MS / 60000);
        engine_unload(t->engine, m->slot);
        model_fail(m, st, &e);
        tiers_tell(t, m);
        return true;
    }
    return false;
}

bool tiers_unload(tiers *t, const settings *s, model_tier tier) {
    model *m = t->lent ? NULL : find(t, tiers_name(t, s, tier, NULL));
    if (!m || !model_has_load(m)) return false;
    tiers_drop_load(t, m);
    return true;
}

void tiers_look_around(tiers *t, const settings *s) {
    if (!t->lent) choose(t, s);
}

const model *tiers_of_tier(const tiers *t, const settings *s, model_tier tier) {
    return t->lent ? t->lent : look(t, s, tier);
}

size_t tiers_count(const tiers *t) {
    return t->lent ? 1 : t->models.count;
}

const model *tiers_at(const tiers *t, size_t index) {
    return t->lent ? t->lent : t->models.at[index];
}
