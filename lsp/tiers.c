/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's table of models.
 *
 *     want:  role -> name -> the model of that name, or a new one
 *              -> its file (the registry); is that another's file already? then it is that model
 *              -> a slot: a free one, or that of the model that nobody wanted for longest
 *              -> engine_load
 *
 * Invariants: a model has a load exactly while it is LOADING or READY; no two of those have one
 * slot, or one path.  Names of models that do not exist stay in the table with their sentence, so
 * that a wrong name costs one look at the disk in some seconds; the oldest goes when it is full.
 * Thread: loop.
 */
#include "lsp/tiers.h"

#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/base/vec.h"
#include "engine/registry.h"

#define RETRY_MS 3000.0 /* between two looks for a file that was not there */

/* A name as settings write it, and the model that it turned out to be. */
typedef struct {
    char *wanted;
    model *model;
} known_name;

struct tiers {
    engine *engine;
    tiers_hooks hooks;
    VEC(model *) models;
    VEC(known_name) names;
    model *lent; /* tiers_lend */
    int *asked;
    bool fixed;
    char fixed_name[SETTINGS_NAME_BYTES];
    model none; /* of a name that nobody asked for yet */
    uint64_t generation;
};

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
    xfree(t);
}

void tiers_fix(tiers *t, const char *name) {
    t->fixed = true;
    snprintf(t->fixed_name, sizeof t->fixed_name, "%s", name);
}

/* ---- names ----------------------------------------------------------------------------------- */

static const char *name_for(const tiers *t, const settings *s, model_role role) {
    UNUSED(role);
    return t->fixed ? t->fixed_name : s->model;
}

static model *find(const tiers *t, const char *wanted) {
    for (size_t i = 0; i < t->names.count; i++) {
        if (!strcmp(t->names.at[i].wanted, wanted)) return t->names.at[i].model;
    }
    return NULL;
}

static bool has_load(const model *m) {
    return m->state == MODEL_LOADING || m->state == MODEL_READY;
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

static void make_room(tiers *t) {
    if (t->names.count < LIMIT_TIER_NAMES) return;
    const model *oldest = NULL;
    for (size_t i = 0; i < t->models.count; i++) {
        const model *m = t->models.at[i];
        if (!has_load(m) && (!oldest || m->used_ms < oldest->used_ms)) oldest = m;
    }
    if (oldest) forget(t, oldest);
}

static model *add(tiers *t, const char *wanted) {
    make_room(t);
    model *m = xcalloc(1, sizeof *m);
    snprintf(m->wanted, sizeof m->wanted, "%s", wanted);
    snprintf(m->name, sizeof m->name, "%.127s", wanted[0] ? wanted : "default");
    vec_push(&t->models, m);
    vec_push(&t->names, ((known_name){xstrdup(wanted), m}));
    return m;
}

/* ---- loading --------------------------------------------------------------------------------- */

static void tell(tiers *t, const model *m) {
    if (t->hooks.changed) t->hooks.changed(t->hooks.ud, m);
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

/* A slot that nobody has, else that of the model that was wanted longest ago. */
static int take_slot(tiers *t) {
    bool taken[LIMIT_ENGINE_MODELS] = {false};
    model *oldest = NULL;
    for (size_t i = 0; i < t->models.count; i++) {
        model *m = t->models.at[i];
        if (!has_load(m)) continue;
        taken[m->slot] = true;
        if (!oldest || m->used_ms < oldest->used_ms) oldest = m;
    }
    for (int i = 0; i < LIMIT_ENGINE_MODELS; i++) {
        if (!taken[i]) return i;
    }
    log_info("model", "makes room name=%s", oldest->name);
    oldest->state = MODEL_NONE;
    oldest->load = 0;
    tell(t, oldest);
    return oldest->slot;
}

static void load(tiers *t, model *m, const settings *s) {
    m->slot = take_slot(t);
    m->state = MODEL_LOADING;
    m->percent = 0;
    snprintf(m->what, sizeof m->what, "opening");
    log_info("model", "loading name=%s slot=%d path=%s", m->name, m->slot, m->path);
    m->load = engine_load(t->engine, m->slot,
                          &(engine_model_options){.path = m->path,
                                                  .name = m->name,
                                                  .context_tokens = s->engine.context_tokens,
                                                  .kv_type = s->engine.kv_cache});
    tell(t, m);
}

/* The name is another one of `known`, whose file it is. */
static model *become(tiers *t, model *m, model *known) {
    for (size_t i = 0; i < t->names.count; i++) {
        if (t->names.at[i].model == m) t->names.at[i].model = known;
    }
    forget(t, m);
    return known;
}

static model *find_and_load(tiers *t, model *m, const settings *s) {
    char *path = NULL, *name = NULL;
    err e = {{0}};
    if (resolve(m->wanted, &path, &name, &e)) {
        model_fail(m, &e);
        tell(t, m);
        return m;
    }
    model *known = find_path(t, path);
    if (known && known != m) {
        m = become(t, m, known);
        m->used_ms = clock_ms();
        xfree(path);
    } else {
        xfree(m->path);
        m->path = path;
        snprintf(m->name, sizeof m->name, "%.127s", name);
    }
    xfree(name);
    if (!has_load(m)) load(t, m, s);
    return m;
}

const model *tiers_want(tiers *t, const settings *s, model_role role) {
    if (t->asked) (*t->asked)++;
    if (t->lent) return t->lent;
    const char *wanted = name_for(t, s, role);
    model *m = find(t, wanted);
    if (!m) m = add(t, wanted);
    m->used_ms = clock_ms();
    if (has_load(m)) return m;
    if (m->state == MODEL_FAILED && clock_ms() - m->failed_ms < RETRY_MS) return m;
    return find_and_load(t, m, s);
}

const model *tiers_look(const tiers *t, const settings *s, model_role role) {
    if (t->lent) return t->lent;
    const model *m = find(t, name_for(t, s, role));
    return m ? m : &t->none;
}

bool tiers_event(tiers *t, const engine_event *ev) {
    for (size_t i = 0; i < t->models.count; i++) {
        model *m = t->models.at[i];
        if (!model_event(m, ev, t->generation + 1)) continue;
        if (ev->kind == EV_LOADED) t->generation++;
        tell(t, m);
        return true;
    }
    return false;
}
