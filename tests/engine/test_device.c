/* SPDX-License-Identifier: Apache-2.0 */
/* A device that fails: when it is opened, for want of memory, while a model is built, in the middle
 * of a job, and once in every call that is made of it in a session.  The engine goes on with the
 * CPU, without a restart, and says so once.
 *
 * The device is made here of the reference backend, with memory of its own and an order to fail.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/engine.h"
#include "kernels/backend.h"
#include "kernels/opener.h"
#include "tests/engine/tiny_model.h"

/* ---- the device ------------------------------------------------------------------------------ */

typedef struct {
    k_backend base;
    k_backend *inner; /* the reference */
} fake_device;

static struct {
    const char *no_device; /* opening fails with this sentence */
    status building;       /* building a model ends so */
    int steps;             /* k_forward fails after so many; < 0: never */
    int calls, fatal; /* calls that can fail; the number of the one that does, from 1; 0: none */
} fault;

static k_backend_table fake_table;
static const k_backend_table *inner_table;

static bool fails_now(err *e) {
    if (++fault.calls != fault.fatal) return false;
    err_set(e, ERR_DEVICE, "the fake device failed in call %d", fault.calls);
    return true;
}

static void fake_close(k_backend *b) {
    k_close(((fake_device *)b)->inner);
    xfree(b);
}

static void fake_memory(const k_backend *b, uint64_t *free_bytes, uint64_t *all_bytes) {
    UNUSED(b);
    *free_bytes = *all_bytes = (uint64_t)8 << 30;
}

static status fake_model_new(k_model **out, k_backend *b, const k_model_options *opt, err *e) {
    if (fault.building != OK) return err_set(e, fault.building, "the fake device cannot build");
    if (fails_now(e)) return ERR_DEVICE;
    status s = inner_table->model_new(out, ((fake_device *)b)->inner, opt, e);
    if (s == OK) (*out)->backend = b;
    return s;
}

static status fake_forward(k_model *m, const k_batch *batch, err *e) {
    if (fault.steps == 0) return err_set(e, ERR_DEVICE, "the fake device fell off its bus");
    if (fault.steps > 0) fault.steps--;
    return fails_now(e) ? ERR_DEVICE : inner_table->forward(m, batch, e);
}

static status fake_read_page(k_model *m, int page, void *host, err *e) {
    return fails_now(e) ? ERR_DEVICE : inner_table->kv_read_page(m, page, host, e);
}

static status fake_write_page(k_model *m, int page, const void *host, err *e) {
    return fails_now(e) ? ERR_DEVICE : inner_table->kv_write_page(m, page, host, e);
}

static status fake_open(k_backend **out, const k_options *opt, err *e) {
    UNUSED(opt);
    if (fault.no_device) return err_set(e, ERR_DEVICE, "%s", fault.no_device);
    if (fails_now(e)) return ERR_DEVICE;
    fake_device *d = xcalloc(1, sizeof *d);
    if (k_open(&d->inner, &(k_options){.device = K_REF}, e) != OK) abort();
    inner_table = d->inner->table;
    fake_table = *inner_table;
    fake_table.close = fake_close;
    fake_table.memory = fake_memory;
    fake_table.model_new = fake_model_new;
    fake_table.forward = fake_forward;
    fake_table.kv_read_page = fake_read_page;
    fake_table.kv_write_page = fake_write_page;
    d->base.table = &fake_table;
    snprintf(d->base.name, sizeof d->base.name, "fake (a device)");
    snprintf(d->base.why, sizeof d->base.why, "the test made it");
    *out = &d->base;
    return OK;
}

/* ---- the engine ------------------------------------------------------------------------------ */

typedef struct {
    engine *g;
    int loads, failures, done;
    int jobs_failed, moved; /* sequences that were saved or restored, or were not */
    engine_model_info info;
    status status;
    char error[256];
    char path[128]; /* of the model: it is read again when the device is lost */
} fixture;

static void on_event(void *ud, const engine_event *ev) {
    fixture *f = ud;
    if (ev->kind == EV_LOADED) {
        f->loads++;
        f->info = *ev->info;
    }
    /* An unload ends the load on the CPU that a lost device has begun. */
    if (ev->kind == EV_LOAD_FAILED && ev->status != ERR_CANCELLED) f->failures++;
    if (ev->kind == EV_SAVED || ev->kind == EV_RESTORED) f->moved++;
    if (ev->kind != EV_DONE) return;
    f->done++;
    if (ev->result->status != OK) f->jobs_failed++;
    f->status = ev->result->status;
    snprintf(f->error, sizeof f->error, "%.255s", ev->result->error.text);
}

static void drain_until(fixture *f, const int *counter, int value) {
    double end = clock_ms() + 60000;
    while (*counter < value) {
        engine_drain(f->g, on_event, f);
        if (clock_ms() > end) fail_msg("nothing came for a minute");
        usleep(200);
    }
}

static int reset(void **state) {
    static fixture f;
    f = (fixture){0};
    fault.no_device = NULL;
    fault.building = OK;
    fault.steps = -1;
    fault.calls = fault.fatal = 0;
    k_open_device = fake_open;
    *state = &f;
    return 0;
}

static void begin(fixture *f) {
    err e;
    if (engine_start(&f->g, &(engine_options){.device = K_AUTO, .threads = 1}, &e) != OK)
        fail_msg("%s", e.text);
}

static void load(fixture *f) {
    if (!f->path[0]) tiny_model_write(&(tiny_options){.context = 512, .seed = 3}, f->path);
    int before = f->loads + f->failures, now = before;
    engine_load(f->g, 0, &(engine_model_options){.path = f->path, .name = "tiny"});
    double end = clock_ms() + 60000;
    while (now == before && clock_ms() < end) {
        engine_drain(f->g, on_event, f);
        now = f->loads + f->failures;
        usleep(200);
    }
}

static int end(void **state) {
    fixture *f = *state;
    engine_stop(f->g);
    unlink(f->path);
    return 0;
}

static void generate_from(fixture *f, str text) {
    engine_job job = {
        .tokens_max = 8, .ignore_eog = true, .prompt = {.kind = PROMPT_TEXT, .prefix = text}};
    err e;
    job_id id;
    assert_int_equal(engine_submit(f->g, &job, &id, &e), OK);
    drain_until(f, &f->done, f->done + 1);
}

static void generate(fixture *f) {
    generate_from(f, STR("x = y\n"));
}

static bool on_device(const fixture *f) {
    return strncmp(f->info.backend, "fake", 4) == 0;
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void a_driver_that_is_too_old_leaves_the_cpu(void **state) {
    fixture *f = *state;
    fault.no_device = "no usable NVIDIA driver (580 or newer is needed for CUDA 13)";
    begin(f);
    assert_string_equal(engine_get_device(f->g)->why, fault.no_device);
    assert_false(engine_get_device(f->g)->is_device);
    load(f);
    assert_string_equal(f->info.why, fault.no_device);
    generate(f);
    assert_int_equal(f->status, OK);
}

static void a_device_that_works_is_used(void **state) {
    fixture *f = *state;
    begin(f);
    load(f);
    assert_true(on_device(f));
    assert_string_equal(f->info.why, "the test made it");
    generate(f);
    assert_int_equal(f->status, OK);
}

/* The job that saw it ends with its sentence; the next one runs on the CPU, without a restart. */
static void a_lost_device_is_replaced(void **state) {
    fixture *f = *state;
    begin(f);
    load(f);
    fault.steps = 3;
    generate(f);
    assert_int_equal(f->status, ERR_DEVICE);
    assert_non_null(strstr(f->error, "fell off its bus"));
    drain_until(f, &f->loads, 2);
    assert_false(on_device(f));
    assert_string_equal(f->info.why, "the fake device fell off its bus");
    for (int i = 0; i < 3; i++) {
        generate(f);
        assert_int_equal(f->status, OK);
    }
    assert_int_equal(f->loads, 2);
    assert_int_equal(f->failures, 0);
}

static void a_device_lost_while_it_loads_is_replaced(void **state) {
    fixture *f = *state;
    begin(f);
    fault.steps = 0; /* the warm-up step is the first */
    load(f);
    assert_int_equal(f->failures, 0);
    assert_false(on_device(f));
    generate(f);
    assert_int_equal(f->status, OK);
}

/* Who asked may make room or choose the CPU (lsp/tiers_memory.c): the device is still fine. */
static void no_room_on_the_device_is_said(void **state) {
    fixture *f = *state;
    begin(f);
    fault.building = ERR_LIMIT;
    load(f);
    assert_int_equal(f->failures, 1);
    fault.building = OK;
    load(f);
    assert_true(on_device(f));
}

static void what_the_device_cannot_run_goes_to_the_cpu(void **state) {
    fixture *f = *state;
    begin(f);
    fault.building = ERR_UNSUPPORTED;
    load(f);
    assert_false(on_device(f));
    assert_string_equal(f->info.why, "the fake device cannot build");
    generate(f);
    assert_int_equal(f->status, OK);
}

/* A bit of everything: loading, prompts of several pages, the cache put away and brought back, and
 * loading again.  Nothing of it stays without its answer.  Returns the calls of the device. */
static int session(fixture *f) {
    static const char code[] = "def total(items):\n    result = 0\n    for item in items:\n"
                               "        result += item.price * item.count\n    return result\n";
    char cache[160];
    f->loads = f->failures = f->done = f->jobs_failed = f->moved = 0;
    fault.calls = 0;
    begin(f);
    load(f);
    generate_from(f, str_of(code));
    snprintf(cache, sizeof cache, "%s.kv", f->path);
    engine_save(f->g, 0, cache);
    engine_restore(f->g, 0, cache);
    drain_until(f, &f->moved, 2);
    unlink(cache);
    generate_from(f, STR("x = y\n"));
    engine_unload(f->g, 0);
    load(f);
    generate(f);
    int calls = fault.calls;
    generate(f); /* to see that it lives */
    engine_stop(f->g);
    f->g = NULL;
    return calls;
}

/* How many calls there are depends a little on time, which decides how a prompt is cut. */
static void each_call_of_the_device_fails_once(void **state) {
    fixture *f = *state;
    (void)session(f);
    assert_true(on_device(f));
    assert_int_equal(f->jobs_failed, 0);
    for (fault.fatal = 1; session(f) >= fault.fatal; fault.fatal++) {
        assert_false(on_device(f));
        assert_int_equal(f->failures, 0);
        assert_int_equal(f->done, 4);
        assert_in_range(f->jobs_failed, 0, 1);
        assert_int_equal(f->status, OK); /* the last one's */
    }
    assert_true(fault.fatal > 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_driver_that_is_too_old_leaves_the_cpu, reset, end),
        cmocka_unit_test_setup_teardown(a_device_that_works_is_used, reset, end),
        cmocka_unit_test_setup_teardown(a_lost_device_is_replaced, reset, end),
        cmocka_unit_test_setup_teardown(a_device_lost_while_it_loads_is_replaced, reset, end),
        cmocka_unit_test_setup_teardown(no_room_on_the_device_is_said, reset, end),
        cmocka_unit_test_setup_teardown(what_the_device_cannot_run_goes_to_the_cpu, reset, end),
        cmocka_unit_test_setup_teardown(each_call_of_the_device_fails_once, reset, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
