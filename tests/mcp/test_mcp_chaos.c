/* SPDX-License-Identifier: Apache-2.0 */
/* Servers that are killed, or stopped, in the middle of a call: test_mcp_chaos [ROUNDS].  Each call
 * ends once and in the right way, the next one is answered, and at the end no process and no
 * descriptor is left.  ctest runs a few rounds, a person a thousand. */
#include <signal.h>

#include "engine/base/log.h"
#include "tests/mcp/host_driver.h"

#define SOON 60000

static int rounds = 60;

static pid_t ready(driver *d) {
    mcp_server_start(d->host, "good"); /* also out of its crash budget */
    driver_wait_state(d, "good", MCP_READY, SOON);
    return (pid_t)driver_info(d, "good").pid;
}

static void expect_echo(driver *d) {
    got g;
    driver_call(d, "good", "echo", &g);
    driver_wait(d, &g, 1, SOON);
    assert_string_equal(mcp_outcome_name(g.outcome), "ok");
    assert_string_equal(g.text, "echo");
}

/* It sleeps when the calls come and never wakes up: two that were sent, for which this is bad. */
static void kill_one(driver *d, pid_t pid) {
    got g[2];
    assert_int_equal(kill(pid, SIGSTOP), 0);
    for (size_t i = 0; i < COUNTOF(g); i++)
        driver_call(d, "good", "echo", &g[i]);
    driver_run(d, 1);
    assert_int_equal(kill(pid, SIGKILL), 0);
    driver_wait(d, g, COUNTOF(g), SOON);
    for (size_t i = 0; i < COUNTOF(g); i++) {
        assert_int_equal(g[i].ended, 1);
        assert_string_equal(mcp_outcome_name(g[i].outcome), "server-gone");
    }
}

/* It sleeps for longer than the call may take, then says what nobody waits for any more. */
static void stop_one(driver *d, pid_t pid) {
    got g;
    assert_int_equal(kill(pid, SIGSTOP), 0);
    driver_order(
        d,
        &(mcp_order){
            .server = "good", .name = "echo", .approved = true, .idle_ms = 10, .total_ms = 10},
        &g);
    driver_wait(d, &g, 1, SOON);
    bool late = g.outcome == MCP_TIMEOUT || g.outcome == MCP_IDLE_TIMEOUT;
    assert_true(late);
    assert_int_equal(kill(pid, SIGCONT), 0);
}

static void test_chaos(void **state) {
    UNUSED(state);
    driver d;
    driver_open(&d, false);
    mcp_definition *s = hostile("");
    driver_configure(&d, &s, 1);
    int killed = 0;
    for (int i = 0; i < rounds; i++) {
        pid_t pid = ready(&d);
        if (i % 2) {
            stop_one(&d, pid);
        } else {
            kill_one(&d, pid);
            killed++;
            ready(&d);
        }
        expect_echo(&d);
    }
    mcp_server_info info = driver_info(&d, "good");
    assert_int_equal(info.starts, killed + 1);
    assert_int_equal(info.exits, killed);
    print_message("%d rounds: %d killed, %d stopped, %d late answers\n", rounds, killed,
                  rounds - killed, (int)info.late_answers);
    driver_close(&d);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_chaos)};
    log_set_level(LOG_ERROR);
    signal(SIGPIPE, SIG_IGN);
    int64_t n = rounds;
    if (argc > 1 && (!str_to_i64(str_of(argv[1]), &n) || n < 1 || n > 1000000)) return 2;
    rounds = (int)n;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
