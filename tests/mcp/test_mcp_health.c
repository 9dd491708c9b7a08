/* SPDX-License-Identifier: Apache-2.0 */
/* Servers that are ill, and get well again: what leads to DEGRADED and FAILED, and out of them,
 * with real processes.  Each test closes its host and fails when a process or a descriptor is left.
 */
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "tests/mcp/host_driver.h"

#define SOON 60000 /* a machine that is busy with other things still makes it */

static void expect(driver *d, const char *server, mcp_purpose purpose, mcp_outcome outcome) {
    got g;
    driver_order(
        d, &(mcp_order){.server = server, .name = "look", .purpose = purpose, .approved = true},
        &g);
    driver_wait(d, &g, 1, SOON);
    assert_string_equal(mcp_outcome_name(g.outcome), mcp_outcome_name(outcome));
}

static void start(driver *d, const char *server) {
    mcp_server_start(d->host, server);
    driver_wait_state(d, server, MCP_READY, SOON);
}

/* Calls that are under way together and are not answered in time. */
static void let_time_out(driver *d, const char *server, size_t n) {
    got g[LIMIT_MCP_TIMEOUTS];
    for (size_t i = 0; i < n; i++)
        driver_order(
            d, &(mcp_order){.server = server, .name = "echo", .approved = true, .idle_ms = 100},
            &g[i]);
    driver_wait(d, g, n, SOON);
    for (size_t i = 0; i < n; i++)
        assert_string_equal(mcp_outcome_name(g[i].outcome), "idle-timeout");
}

/* ---- degraded -------------------------------------------------------------------------------- */

/* It sleeps, is DEGRADED, wakes up, and a probe finds that out: nobody has to try a call. */
static void test_half_open(void **state) {
    UNUSED(state);
    driver d;
    driver_open(&d, false);
    mcp_definition *s = hostile("");
    driver_configure(&d, &s, 1);
    start(&d, "good");
    pid_t pid = (pid_t)driver_info(&d, "good").pid;
    kill(pid, SIGSTOP);
    let_time_out(&d, "good", LIMIT_MCP_TIMEOUTS);
    assert_int_equal(driver_info(&d, "good").state, MCP_DEGRADED);
    expect(&d, "good", MCP_FOR_MODEL, MCP_NOT_STARTED);
    kill(pid, SIGCONT);
    driver_wait_state(&d, "good", MCP_READY, SOON);
    kill(pid, SIGSTOP); /* half open: it is not forgotten that it was late */
    let_time_out(&d, "good", 1);
    assert_int_equal(driver_info(&d, "good").state, MCP_DEGRADED);
    kill(pid, SIGCONT);
    expect(&d, "good", MCP_FOR_USER, MCP_OK); /* who insists is a probe, too */
    assert_int_equal(driver_info(&d, "good").state, MCP_READY);
    kill(pid, SIGSTOP);
    let_time_out(&d, "good", 1);
    assert_int_equal(driver_info(&d, "good").state, MCP_READY); /* an answer makes up for all */
    assert_int_equal(driver_info(&d, "good").starts, 1);
    driver_close(&d);
}

/* One that answers no probe either is ended; the next use starts it anew. */
static void test_given_up(void **state) {
    UNUSED(state);
    driver d;
    driver_open(&d, false);
    mcp_definition *s = hostile("");
    driver_configure(&d, &s, 1);
    start(&d, "good");
    kill((pid_t)driver_info(&d, "good").pid, SIGSTOP);
    let_time_out(&d, "good", LIMIT_MCP_TIMEOUTS);
    mcp_definition *again = hostile(""); /* probes without a pause: from now on */
    again->ping_after_ms = 1;
    driver_configure(&d, &again, 1);
    assert_int_equal(driver_info(&d, "good").state, MCP_DEGRADED);
    driver_wait_state(&d, "good", MCP_BACKOFF, SOON);
    assert_string_equal(driver_info(&d, "good").why, "it answers nothing any more");
    expect(&d, "good", MCP_FOR_MODEL, MCP_OK);
    assert_int_equal(driver_info(&d, "good").starts, 2);
    driver_close(&d);
}

/* Callers that are in a hurry leave before the server's own time is up: a server that said nothing
 * all the while is late nevertheless, one that was given no time is not. */
static void test_hurried(void **state) {
    UNUSED(state);
    driver d;
    driver_open(&d, false);
    mcp_definition *s = hostile("never");
    driver_configure(&d, &s, 1);
    start(&d, "never");
    mcp_order o = {.server = "never", .name = "echo", .approved = true, .idle_ms = SOON};
    o.deadline_ms = 20;
    got g[LIMIT_MCP_TIMEOUTS];
    for (int given = 0; given < 2; given++) {
        for (int i = 0; i < LIMIT_MCP_TIMEOUTS; i++)
            driver_order(&d, &o, &g[i]);
        driver_wait(&d, g, COUNTOF(g), SOON);
        assert_string_equal(mcp_outcome_name(g[0].outcome), "timeout");
        assert_int_equal(driver_info(&d, "never").state, given ? MCP_DEGRADED : MCP_READY);
        o.idle_ms = 21;
    }
    driver_close(&d);
}

/* A call is larger than the pipe, and nobody reads. */
static void test_unread(void **state) {
    UNUSED(state);
    driver d;
    driver_open(&d, false);
    mcp_definition *s = hostile("no-read");
    driver_configure(&d, &s, 1);
    start(&d, "no-read");
    char *fill = xmalloc((1u << 20) + 1);
    memset(fill, 'f', 1u << 20);
    fill[1u << 20] = '\0';
    cJSON *arguments = cJSON_CreateObject();
    cJSON_AddStringToObject(arguments, "x", fill);
    const mcp_order o = {
        .server = "no-read", .name = "echo", .arguments = arguments, .approved = true};
    got g;
    double before = clock_ms();
    driver_order(&d, &o, &g);
    cJSON_Delete(arguments);
    xfree(fill);
    driver_wait_state(&d, "no-read", MCP_DEGRADED, SOON);
    assert_true(clock_ms() - before > LIMIT_MCP_UNREAD_MS - 100);
    assert_string_equal(driver_info(&d, "no-read").why, "it does not read what it is sent");
    assert_int_equal(g.ended, 0); /* it may still be read */
    driver_close(&d);
    assert_int_equal(g.ended, 1);
}

/* ---- failed ---------------------------------------------------------------------------------- */

static void write_script(const char *path, const char *mode) {
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fprintf(f, "#!/bin/sh\nexec %s \"%s\" \"$@\"\n", HOSTILE_SERVER, mode);
    fclose(f);
    assert_int_equal(chmod(path, 0700), 0);
}

/* A definition that is run through a file of the test. */
static mcp_definition *scripted(const char *name, const char *command, const char *script) {
    mcp_definition *d = mcp_definition_new(name);
    d->scope = MCP_USER;
    d->command = command;
    if (script) vec_push(&d->args, script);
    vec_push(&d->args, (const char *)arena_printf(&d->memory, "owner=%ld", (long)getpid()));
    return d;
}

/* The program comes into being; a script among the arguments is written anew. */
static void test_program_changes(void **state) {
    UNUSED(state);
    char folder[] = "/tmp/inlined-health-XXXXXX", program[64], script[64];
    assert_non_null(mkdtemp(folder));
    snprintf(program, sizeof program, "%s/program", folder);
    snprintf(script, sizeof script, "%s/script", folder);
    write_script(script, "refuses");
    driver d;
    driver_open(&d, false);
    mcp_definition *both[] = {scripted("absent", program, NULL),
                              scripted("script", "/bin/sh", script)};
    driver_configure(&d, both, 2);
    for (int i = 0; i < 2; i++) { /* it is not tried again and again */
        expect(&d, "absent", MCP_FOR_USER, MCP_NOT_STARTED);
        expect(&d, "script", MCP_FOR_USER, MCP_NOT_STARTED);
    }
    assert_int_equal(driver_info(&d, "absent").state, MCP_FAILED);
    assert_int_equal(driver_info(&d, "script").state, MCP_FAILED);
    assert_int_equal(driver_info(&d, "script").starts, 1);
    write_script(program, "");
    expect(&d, "absent", MCP_FOR_USER, MCP_OK); /* who calls looks at once */
    write_script(script, "");
    driver_wait_state(&d, "script", MCP_IDLE, SOON); /* and it is looked at anyway */
    expect(&d, "script", MCP_FOR_USER, MCP_OK);
    driver_close(&d);
    unlink(program);
    unlink(script);
    assert_int_equal(rmdir(folder), 0);
}

/* The advice is to give it more time: that this was done counts, writing the same does not. */
static void test_configuration_changes(void **state) {
    UNUSED(state);
    driver d;
    driver_open(&d, false);
    mcp_definition *s = hostile("silent");
    s->start_ms = 100;
    driver_configure(&d, &s, 1);
    expect(&d, "silent", MCP_FOR_USER, MCP_NOT_STARTED);
    assert_int_equal(driver_info(&d, "silent").state, MCP_FAILED);
    for (uint32_t ms = 100; ms <= 200; ms += 100) {
        s = hostile("silent");
        s->start_ms = ms;
        driver_configure(&d, &s, 1);
        assert_int_equal(driver_info(&d, "silent").state, ms == 100 ? MCP_FAILED : MCP_IDLE);
    }
    static const char *const problems[] = {"the variable A is not set", "B is not set"};
    for (size_t i = 0; i < COUNTOF(problems); i++) { /* it says what is wrong now */
        s = hostile("silent");
        s->problem = problems[i];
        driver_configure(&d, &s, 1);
        assert_int_equal(driver_info(&d, "silent").state, MCP_FAILED);
        assert_string_equal(driver_info(&d, "silent").why, problems[i]);
    }
    driver_close(&d);
}

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    log_set_level(LOG_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_half_open),       cmocka_unit_test(test_given_up),
        cmocka_unit_test(test_hurried),         cmocka_unit_test(test_unread),
        cmocka_unit_test(test_program_changes), cmocka_unit_test(test_configuration_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
