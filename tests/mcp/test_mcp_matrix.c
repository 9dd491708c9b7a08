/* SPDX-License-Identifier: Apache-2.0 */
/* The host against a server that errs in every way that was seen in the field (hostile_server.c).
 * Each test closes its host and fails when a process or a descriptor is left. */
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "tests/mcp/host_driver.h"

#define SOON 60000 /* a machine that is busy with other things still makes it */

static void open_one(driver *d, const char *mode) {
    driver_open(d, false);
    mcp_definition *s = hostile(mode);
    driver_configure(d, &s, 1);
}

static void expect_echo(driver *d, const char *server) {
    got g;
    driver_call(d, server, "echo", &g);
    driver_wait(d, &g, 1, 3 * SOON); /* under a sanitizer, 10,000 tools take seconds */
    assert_string_equal(mcp_outcome_name(g.outcome), "ok");
    assert_string_equal(g.text, "echo");
}

/* ---- deviations that cost nothing ------------------------------------------------------------ */

static void test_tolerated(void **state) {
    UNUSED(state);
    static const char *const modes[] = {"",
                                        "banner",
                                        "stderr-300k",
                                        "null-capabilities",
                                        "id-text",
                                        "id-float",
                                        "between",
                                        "bytewise",
                                        "crlf",
                                        "twins",
                                        "cursor",
                                        "many-tools",
                                        "modern-only",
                                        "stderr-flood"};
    for (size_t i = 0; i < COUNTOF(modes); i++) {
        driver d;
        open_one(&d, modes[i]);
        expect_echo(&d, *modes[i] ? modes[i] : "good");
        mcp_server_info s = driver_info(&d, *modes[i] ? modes[i] : "good");
        assert_int_equal(s.state, MCP_READY);
        if (strcmp(modes[i], "banner") == 0) {
            assert_int_equal(s.junk_lines, 3);
            assert_string_equal(s.first_junk, "Welcome!");
        }
        if (strcmp(modes[i], "stderr-flood") == 0) assert_true(s.stderr_bytes > 1000000);
        if (strcmp(modes[i], "twins") == 0) assert_int_equal(s.tools, 2);
        if (strcmp(modes[i], "many-tools") == 0) assert_int_equal(s.tools, LIMIT_MCP_LIST_ITEMS);
        if (strcmp(modes[i], "modern-only") == 0) assert_string_equal(s.protocol, "2026-07-28");
        driver_close(&d);
    }
}

/* Keys of capabilities in another spelling are understood, and noted. */
static void test_snake_case(void **state) {
    UNUSED(state);
    driver d;
    got g = {0};
    open_one(&d, "snake-case");
    for (int i = 0; i < SOON / 10 && strcmp(g.text, "2 lists") != 0; i++) { /* it read them again */
        if (i) driver_run(&d, 10);
        driver_call(&d, "snake-case", "echo", &g);
        driver_wait(&d, &g, 1, SOON);
        assert_int_equal(g.outcome, MCP_OK);
    }
    assert_string_equal(g.text, "2 lists");
    assert_non_null(strstr(driver_info(&d, "snake-case").oddities, "list_changed"));
    driver_close(&d);
}

/* Asked in the modern way first; the answer comes within the probe's time and one more start. */
static void test_probed(void **state) {
    UNUSED(state);
    static const char *const modes[] = {"discover-silent", "discover-exit", "discover-32601",
                                        "discover-32602", "discover-32000"};
    driver d;
    driver_open(&d, false);
    mcp_definition *all[COUNTOF(modes)];
    got g[COUNTOF(modes)];
    for (size_t i = 0; i < COUNTOF(modes); i++) {
        all[i] = hostile(modes[i]);
        all[i]->era = MCP_ERA_MODERN;
    }
    driver_configure(&d, all, COUNTOF(modes));
    for (size_t i = 0; i < COUNTOF(modes); i++)
        driver_call(&d, modes[i], "echo", &g[i]);
    driver_wait(&d, g, COUNTOF(modes), SOON);
    for (size_t i = 0; i < COUNTOF(modes); i++) {
        assert_string_equal(mcp_outcome_name(g[i].outcome), "ok");
        mcp_server_info s = driver_info(&d, modes[i]);
        assert_int_equal(s.starts, strcmp(modes[i], "discover-exit") == 0 ? 2 : 1);
        assert_string_equal(s.protocol, "2025-11-25");
    }
    driver_close(&d);
}

static void test_silent(void **state) {
    UNUSED(state);
    driver d;
    driver_open(&d, false);
    mcp_definition *both[] = {hostile("silent"), hostile("")};
    both[0]->start_ms = 200;
    driver_configure(&d, both, 2);
    got g[2];
    driver_call(&d, "silent", "echo", &g[0]);
    driver_call(&d, "good", "echo", &g[1]);
    driver_wait(&d, g, 2, SOON);
    assert_int_equal(g[0].outcome, MCP_NOT_STARTED);
    assert_int_equal(g[1].outcome, MCP_OK);
    assert_int_equal(driver_info(&d, "silent").state, MCP_FAILED);
    assert_non_null(strstr(driver_info(&d, "silent").why, "no answer to initialize"));
    driver_close(&d);
}

/* ---- answers --------------------------------------------------------------------------------- */

static void test_reordered(void **state) {
    UNUSED(state);
    driver d;
    open_one(&d, "reorder");
    got g[2];
    driver_call(&d, "reorder", "echo", &g[0]);
    driver_call(&d, "reorder", "look", &g[1]);
    driver_wait(&d, g, 2, SOON);
    assert_string_equal(g[0].text, "first");
    assert_string_equal(g[1].text, "second");
    assert_true(g[1].order < g[0].order);
    expect_echo(&d, "reorder");
    assert_int_equal(driver_info(&d, "reorder").late_answers, 2);
    assert_int_equal(g[0].ended + g[1].ended, 2);
    driver_close(&d);
}

static void test_late(void **state) {
    UNUSED(state);
    driver d;
    open_one(&d, "late");
    driver_wait_state(&d, "late", MCP_IDLE, 10);
    mcp_server_start(d.host, "late");
    driver_wait_state(&d, "late", MCP_READY, SOON);
    got g;
    driver_order(
        &d, &(mcp_order){.server = "late", .name = "echo", .approved = true, .idle_ms = 50}, &g);
    driver_wait(&d, &g, 1, SOON);
    assert_int_equal(g.outcome, MCP_IDLE_TIMEOUT);
    expect_echo(&d, "late");
    assert_int_equal(driver_info(&d, "late").late_answers, 1);
    driver_close(&d);
}

static void test_cancelled(void **state) {
    UNUSED(state);
    driver d;
    open_one(&d, "never");
    const mcp_order o = {.server = "never", .name = "look", .approved = true};
    got g[3];
    uint64_t first = driver_order(&d, &o, &g[0]);
    driver_order(&d, &o, &g[1]); /* joined: it goes on when the first one leaves */
    driver_wait_state(&d, "never", MCP_READY, SOON);
    driver_run(&d, 20);
    mcp_cancel(d.host, first);
    mcp_cancel(d.host, first);
    assert_int_equal(g[0].ended, 0);
    driver_wait(&d, g, 1, SOON);
    assert_int_equal(g[0].outcome, MCP_CANCELLED);
    assert_int_equal(g[1].ended, 0);
    uint64_t last = driver_order(&d, &o, &g[2]);
    mcp_cancel(d.host, last);
    driver_wait(&d, &g[2], 1, SOON);
    mcp_server_stop(d.host, "never"); /* what runs has its time, what waits has not */
    assert_int_equal(driver_info(&d, "never").state, MCP_DRAINING);
    driver_wait(&d, &g[1], 1, SOON);
    assert_int_equal(g[1].outcome, MCP_CANCELLED);
    assert_true(g[1].run_us >= MCP_DRAIN_MS * 1000);
    driver_wait_state(&d, "never", MCP_IDLE, SOON);
    assert_int_equal(driver_info(&d, "never").starts, 1);
    driver_close(&d);
}

/* However busy this machine is, the time that a call has to end is not over. */
static uint64_t slow_clock(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* A call that runs when its server is stopped, or started anew, is answered first; one that waits
 * is cancelled, and one that comes meanwhile gets the server of the next start. */
static void test_drained(void **state) {
    UNUSED(state);
    for (int again = 0; again < 2; again++) {
        driver d;
        clock_set_source(slow_clock);
        driver_open(&d, false);
        mcp_definition *s = hostile("late");
        s->concurrency = 1;
        driver_configure(&d, &s, 1);
        mcp_server_start(d.host, "late");
        driver_wait_state(&d, "late", MCP_READY, SOON);
        got g[3];
        driver_call(&d, "late", "echo", &g[0]);
        driver_call(&d, "late", "echo", &g[1]);
        if (again)
            mcp_server_restart(d.host, "late");
        else
            mcp_server_stop(d.host, "late");
        mcp_server_stop(d.host, "nobody");
        assert_int_equal(driver_info(&d, "late").state, MCP_DRAINING);
        driver_wait(&d, &g[1], 1, SOON);
        assert_int_equal(g[1].outcome, MCP_CANCELLED);
        if (!again) driver_call(&d, "late", "echo", &g[2]);
        driver_wait(&d, g, 1, SOON);
        assert_string_equal(mcp_outcome_name(g[0].outcome), "ok");
        if (!again) driver_wait(&d, &g[2], 1, SOON);
        if (!again) assert_string_equal(mcp_outcome_name(g[2].outcome), "ok");
        driver_wait_state(&d, "late", MCP_READY, SOON);
        assert_int_equal(driver_info(&d, "late").starts, 2);
        driver_close(&d);
        clock_set_source(NULL);
    }
}

/* It ends by itself while its calls still have time: that is no crash. */
static void test_drained_by_itself(void **state) {
    UNUSED(state);
    driver d;
    open_one(&d, "crash");
    mcp_server_start(d.host, "crash");
    driver_wait_state(&d, "crash", MCP_READY, SOON);
    got g;
    driver_call(&d, "crash", "echo", &g);
    mcp_server_stop(d.host, "crash");
    driver_wait(&d, &g, 1, SOON);
    assert_int_equal(g.outcome, MCP_SERVER_GONE);
    driver_wait_state(&d, "crash", MCP_IDLE, SOON);
    driver_close(&d);
}

/* Several orders side by side, each with a deadline: what has come by then is there, and what has
 * not is told apart.  Who waits for the same without a deadline goes on waiting. */
static void test_deadlines(void **state) {
    UNUSED(state);
    driver d;
    driver_open(&d, false);
    mcp_definition *s[] = {hostile(""), hostile("never"), hostile("progress")};
    s[1]->concurrency = 1;
    driver_configure(&d, s, COUNTOF(s));
    static const char *const names[] = {"good", "never", "progress"};
    for (size_t i = 0; i < COUNTOF(names); i++) {
        mcp_server_start(d.host, names[i]);
        driver_wait_state(&d, names[i], MCP_READY, SOON);
    }
    const mcp_order base = {.name = "look", .approved = true, .deadline_ms = 300};
    mcp_order good = base, never = base, chatty = base, patient = base;
    good.server = "good";
    good.deadline_ms = SOON;
    never.server = patient.server = "never";
    chatty.server = "progress"; /* signs of life do not help */
    patient.deadline_ms = 0;
    got g[5];
    driver_order(&d, &never, &g[0]);
    driver_order(&d, &patient, &g[4]); /* joins it */
    driver_order(&d, &chatty, &g[1]);
    never.name = "echo"; /* there is room for one at a time */
    driver_order(&d, &never, &g[2]);
    driver_order(&d, &good, &g[3]);
    driver_wait(&d, g, 4, SOON);
    static const char *const outcomes[] = {"timeout", "timeout", "not-started", "ok"};
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(mcp_outcome_name(g[i].outcome), outcomes[i]);
    assert_int_equal(g[4].ended, 0);
    driver_close(&d);
    assert_string_equal(mcp_outcome_name(g[4].outcome), "cancelled");
}

static void test_sizes(void **state) {
    UNUSED(state);
    static const char *const modes[] = {"big-1", "big-16", "big-50", "big-65"};
    static const off_t bytes[] = {1 << 20, 16 << 20, 50 << 20};
    for (size_t i = 0; i < COUNTOF(modes); i++) {
        driver d;
        open_one(&d, modes[i]);
        got g;
        driver_call(&d, modes[i], "echo", &g);
        driver_wait(&d, &g, 1, SOON);
        if (i < COUNTOF(bytes)) {
            struct stat whole;
            assert_int_equal(g.outcome, MCP_OK);
            assert_true(g.truncated && g.text_len < LIMIT_MCP_OUTPUT_BYTES + 100);
            assert_int_equal(stat(g.spill, &whole), 0);
            assert_int_equal(whole.st_size, bytes[i]);
        } else {
            assert_int_equal(g.outcome, MCP_TOO_LARGE);
            driver_call(&d, modes[i], "echo", &g); /* and the stream goes on */
            driver_wait(&d, &g, 1, SOON);
            assert_int_equal(g.outcome, MCP_OK);
        }
        driver_close(&d);
        assert_int_equal(access(g.spill, R_OK), -1);
    }
}

static void test_bytes(void **state) {
    UNUSED(state);
    static const struct {
        const char *mode, *text;
        mcp_outcome outcome;
    } cases[] = {
        {"bad-utf8", "a\xEF\xBF\xBD\xEF\xBF\xBDz", MCP_OK},
        {"surrogate", "a\xEF\xBF\xBDz", MCP_OK},
        {"nul", "echo", MCP_OK},
        {"deep", "", MCP_RPC_ERROR},
        {"items", "[unsupported content: hologram]\nitem 0\nitem 1\n", MCP_OK},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        driver d;
        open_one(&d, cases[i].mode);
        got g;
        driver_call(&d, cases[i].mode, "echo", &g);
        driver_wait(&d, &g, 1, SOON);
        assert_string_equal(mcp_outcome_name(g.outcome), mcp_outcome_name(cases[i].outcome));
        assert_int_equal(strncmp(g.text, cases[i].text, strlen(cases[i].text)), 0);
        driver_close(&d);
    }
}

static void test_progress(void **state) {
    UNUSED(state);
    driver d;
    open_one(&d, "progress");
    mcp_server_start(d.host, "progress");
    driver_wait_state(&d, "progress", MCP_READY, SOON);
    got g;
    driver_order(&d,
                 &(mcp_order){.server = "progress",
                              .name = "echo",
                              .approved = true,
                              .idle_ms = 600,
                              .total_ms = 1200},
                 &g);
    driver_wait(&d, &g, 1, SOON);
    assert_int_equal(g.outcome, MCP_TIMEOUT); /* signs of life do not help for ever */
    assert_true(d.progress > 3);
    driver_close(&d);
}

/* ---- lists that change ----------------------------------------------------------------------- */

/* 1,000 notices a second: it is listed again, but twice a second at most. */
static void test_storm(void **state) {
    UNUSED(state);
    driver d;
    double before = clock_ms();
    open_one(&d, "storm");
    int lists = 0;
    for (int i = 0; i < 600 && lists < 2; i++) { /* the server is busy with its storm at first */
        got g;
        driver_call(&d, "storm", "echo", &g);
        driver_wait(&d, &g, 1, SOON);
        assert_int_equal(sscanf(g.text, "%d lists", &lists), 1);
        assert_true(lists <= 2 + (clock_ms() - before) / LIMIT_MCP_RELIST_MS);
        driver_run(&d, 100);
    }
    assert_true(lists >= 2);
    assert_int_equal(driver_info(&d, "storm").state, MCP_READY);
    driver_close(&d);
}

static void test_changed_tool(void **state) {
    UNUSED(state);
    driver d;
    open_one(&d, "changing");
    got g;
    expect_echo(&d, "changing");
    driver_run(&d, LIMIT_MCP_RELIST_MS + 300);
    driver_call(&d, "changing", "echo", &g);
    driver_wait(&d, &g, 1, SOON);
    assert_int_equal(g.outcome, MCP_DENIED);
    assert_true(mcp_tool_find(d.host, "changing", "echo")->quarantined);
    assert_true(mcp_server_approve(d.host, "changing"));
    expect_echo(&d, "changing");
    driver_close(&d);
    /* The file of lists has "two" now, and nobody remembers an approval: what is read from it was
     * approved by nobody, so that "one" is no change. */
    open_one(&d, "changing");
    assert_non_null(mcp_tool_find(d.host, "changing", "echo")); /* from the file */
    expect_echo(&d, "changing");
    driver_close(&d);
}

/* ---- ends ------------------------------------------------------------------------------------ */

static void test_crash(void **state) {
    UNUSED(state);
    driver d;
    open_one(&d, "crash");
    got g[2];
    for (int i = 0; i < 2; i++) { /* the first pause has no length */
        driver_run(&d, 20);
        driver_call(&d, "crash", "echo", &g[0]);
        driver_wait(&d, g, 1, SOON);
        assert_string_equal(mcp_outcome_name(g[0].outcome), "server-gone");
        assert_non_null(strstr(g[0].message, "exited with code 7"));
        assert_non_null(strstr(g[0].message, "may have had its effect"));
    }
    driver_call(&d, "crash", "echo", &g[1]); /* during the pause */
    driver_wait(&d, &g[1], 1, SOON);
    assert_int_equal(g[1].outcome, MCP_NOT_STARTED);
    assert_non_null(strstr(g[1].message, "starts again in"));
    driver_close(&d);
}

static void test_exit_while_idle(void **state) {
    UNUSED(state);
    driver d;
    open_one(&d, "exit-idle");
    mcp_server_start(d.host, "exit-idle");
    driver_wait_state(&d, "exit-idle", MCP_BACKOFF, SOON);
    assert_non_null(strstr(driver_info(&d, "exit-idle").why, "exited with code 0"));
    driver_close(&d);
}

static uint64_t ahead_us;

static uint64_t fast_clock(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000 + ahead_us;
}

/* Five crashes in five minutes, each after its pause: then it stays down. */
static void test_crash_budget(void **state) {
    UNUSED(state);
    driver d;
    clock_set_source(fast_clock);
    open_one(&d, "crash");
    double pauses[LIMIT_MCP_CRASHES];
    for (int i = 0; i < LIMIT_MCP_CRASHES; i++) {
        got g;
        driver_call(&d, "crash", "echo", &g);
        driver_wait(&d, &g, 1, SOON);
        assert_string_equal(mcp_outcome_name(g.outcome), "server-gone");
        for (int k = 0; i > 0 && k < 3000 && driver_info(&d, "crash").state == MCP_READY; k++)
            driver_run(&d, 5); /* its process goes, too */
        pauses[i] = driver_info(&d, "crash").retry_in_ms;
        driver_run(&d, 20);
        ahead_us += 40000000;
    }
    /* 1, 2, 4 s, less a fifth by chance and what a busy machine took until it looked. */
    assert_true(pauses[1] > 300 && pauses[2] > 1000 && pauses[3] > 2500);
    assert_int_equal(driver_info(&d, "crash").state, MCP_FAILED);
    got g;
    driver_call(&d, "crash", "echo", &g);
    driver_wait(&d, &g, 1, SOON);
    assert_int_equal(g.outcome, MCP_NOT_STARTED);
    mcp_server_start(d.host, "crash"); /* by hand it may */
    driver_wait_state(&d, "crash", MCP_READY, SOON);
    driver_close(&d);
    clock_set_source(NULL);
}

static void test_stopped_process(void **state) {
    UNUSED(state);
    driver d;
    driver_open(&d, false);
    mcp_definition *s = hostile("stop");
    s->idle_ms = 150;
    driver_configure(&d, &s, 1);
    mcp_server_start(d.host, "stop");
    driver_wait_state(&d, "stop", MCP_READY, SOON);
    got g[LIMIT_MCP_TIMEOUTS];
    for (int i = 0; i < LIMIT_MCP_TIMEOUTS; i++) {
        driver_call(&d, "stop", "echo", &g[i]);
        driver_wait(&d, &g[i], 1, SOON);
        assert_int_equal(g[i].outcome, MCP_IDLE_TIMEOUT);
    }
    assert_int_equal(driver_info(&d, "stop").state, MCP_DEGRADED);
    driver_order(&d, &(mcp_order){.server = "stop", .name = "look", .purpose = MCP_FOR_MODEL}, g);
    driver_wait(&d, g, 1, SOON);
    assert_int_equal(g[0].outcome, MCP_NOT_STARTED);
    driver_close(&d);
}

/* Servers that do not want to end are ended together, in the time of one. */
static void test_stubborn(void **state) {
    UNUSED(state);
    driver d;
    driver_open(&d, false);
    mcp_definition *all[] = {hostile("ignore-eof"), hostile("ignore-term"), hostile("grandchild"),
                             hostile("no-read"), hostile("escapes")};
    driver_configure(&d, all, COUNTOF(all));
    static const char *const names[] = {"ignore-eof", "ignore-term", "grandchild", "no-read",
                                        "escapes"};
    for (size_t i = 0; i < COUNTOF(names); i++)
        mcp_server_start(d.host, names[i]);
    for (size_t i = 0; i < COUNTOF(names); i++)
        driver_wait_state(&d, names[i], MCP_READY, SOON);
    int nice = getpriority(PRIO_PROCESS, 0);
    pid_t pid = (pid_t)driver_info(&d, "no-read").pid;
    assert_int_equal(getpriority(PRIO_PROCESS, (id_t)pid), MAX(nice, 5));
    got g[3]; /* more than the pipe and the queue take */
    cJSON *arguments = cJSON_CreateObject();
    char *fill = xmalloc((2u << 20) + 1);
    memset(fill, 'f', 2u << 20);
    fill[2u << 20] = 0;
    cJSON_AddStringToObject(arguments, "x", fill);
    for (size_t i = 0; i < COUNTOF(g); i++)
        driver_order(&d,
                     &(mcp_order){.server = "no-read",
                                  .name = "echo",
                                  .arguments = arguments,
                                  .approved = true,
                                  .idle_ms = 500},
                     &g[i]);
    driver_wait(&d, g, COUNTOF(g), SOON);
    assert_int_equal(g[0].outcome, MCP_IDLE_TIMEOUT);
    assert_int_equal(g[2].outcome, MCP_NOT_STARTED);
    cJSON_Delete(arguments);
    xfree(fill);
    double before = clock_ms();
    driver_close(&d);
    assert_true(clock_ms() - before < 5 * LIMIT_MCP_STOP_MS); /* in turn it would be 6 and more */
}

static void test_many_ends(void **state) {
    UNUSED(state);
    driver d;
    open_one(&d, "");
    for (int i = 0; i < 20; i++) {
        mcp_server_start(d.host, "good");
        driver_wait_state(&d, "good", MCP_READY, SOON);
        got g;
        driver_call(&d, "good", "echo", &g);
        if (i % 2) kill((pid_t)driver_info(&d, "good").pid, SIGKILL);
        driver_wait(&d, &g, 1, SOON);
        assert_int_equal(g.ended, 1);
        if (i % 2) driver_wait_state(&d, "good", MCP_BACKOFF, SOON);
    }
    driver_close(&d);
}

/* ---- rules ----------------------------------------------------------------------------------- */

static void test_questions(void **state) {
    UNUSED(state);
    driver d;
    driver_open(&d, true);
    mcp_definition *s = hostile("");
    s->scope = MCP_PROJECT;
    driver_configure(&d, &s, 1);
    const mcp_order o = {.server = "good", .name = "echo", .purpose = MCP_FOR_MODEL};
    got g;
    assert_int_equal(driver_info(&d, "good").state, MCP_UNTRUSTED);
    driver_order(&d, &o, &g);
    driver_wait(&d, &g, 1, SOON);
    assert_int_equal(g.outcome, MCP_DENIED);
    assert_int_equal(driver_info(&d, "good").starts, 0);
    d.decide = MCP_ALLOW_ONCE;
    mcp_server_start(d.host, "good"); /* asks once more */
    driver_wait_state(&d, "good", MCP_READY, SOON);
    d.questions = 0;
    driver_order(&d, &o, &g);
    driver_wait(&d, &g, 1, SOON);
    assert_int_equal(g.outcome, MCP_OK);
    assert_int_equal(d.asked, MCP_ASK_TOOL);
    driver_order(&d, &(mcp_order){.server = "good", .name = "look", .purpose = MCP_FOR_MODEL}, &g);
    driver_wait(&d, &g, 1, SOON);
    assert_int_equal(g.outcome, MCP_OK);
    assert_int_equal(d.questions, 1); /* looking is harmless */
    driver_order(&d, &(mcp_order){.server = "good", .name = "look", .purpose = MCP_FOR_HOVER}, &g);
    driver_wait(&d, &g, 1, SOON);
    assert_int_equal(g.outcome, MCP_DENIED); /* not trusted */
    driver_order(&d, &(mcp_order){.server = "good", .name = "nothing"}, &g);
    driver_wait(&d, &g, 1, SOON);
    assert_int_equal(g.outcome, MCP_UNKNOWN);
    driver_order(&d, &(mcp_order){.server = "nobody", .name = "nothing"}, &g);
    driver_wait(&d, &g, 1, SOON);
    assert_int_equal(g.outcome, MCP_UNKNOWN);
    driver_close(&d);
}

static void test_full_queue(void **state) {
    UNUSED(state);
    driver d;
    open_one(&d, "never");
    mcp_server_start(d.host, "never");
    driver_wait_state(&d, "never", MCP_READY, SOON);
    static got g[LIMIT_MCP_QUEUE + LIMIT_MCP_CALLS_SERVER + 1];
    for (size_t i = 0; i < COUNTOF(g); i++)
        driver_call(&d, "never", "echo", &g[i]);
    driver_wait(&d, &g[COUNTOF(g) - 1], 1, SOON);
    assert_int_equal(g[COUNTOF(g) - 1].outcome, MCP_BUSY);
    driver_close(&d);
    for (size_t i = 0; i < COUNTOF(g); i++)
        assert_int_equal(g[i].ended, 1); /* each exactly once, also at the end */
}

static void test_no_program(void **state) {
    UNUSED(state);
    driver d;
    driver_open(&d, false);
    mcp_definition *s[] = {hostile(""), mcp_definition_new("broken"), hostile("unset")};
    s[2]->problem = "the environment variable X is not set";
    s[0]->command = "no-such-program-at-all";
    s[1]->command = "/etc/passwd";
    s[1]->scope = MCP_USER;
    driver_configure(&d, s, COUNTOF(s));
    mcp_server_start(d.host, "unset"); /* half a definition is never run, whoever wants it */
    mcp_server_restart(d.host, "unset");
    assert_int_equal(driver_info(&d, "unset").state, MCP_FAILED);
    assert_int_equal(driver_info(&d, "unset").starts, 0);
    got g[3];
    driver_call(&d, "good", "echo", &g[0]);
    driver_call(&d, "broken", "echo", &g[1]);
    driver_call(&d, "unset", "echo", &g[2]);
    driver_wait(&d, g, COUNTOF(g), SOON);
    assert_int_equal(g[2].outcome, MCP_NOT_STARTED);
    assert_non_null(strstr(g[2].message, "the environment variable X is not set"));
    assert_int_equal(g[0].outcome, MCP_NOT_STARTED);
    assert_non_null(strstr(g[0].message, "is not found; searched"));
    assert_int_equal(g[1].outcome, MCP_NOT_STARTED);
    driver_close(&d);
}

/* ---- what is kept ---------------------------------------------------------------------------- */

static void test_cached(void **state) {
    UNUSED(state);
    driver d;
    driver_open(&d, false);
    mcp_definition *both[] = {hostile(""), hostile("never")};
    both[0]->trusted = both[1]->trusted = true;
    vec_push(&both[0]->allow, "look");
    driver_configure(&d, both, 2);
    const mcp_order look = {.server = "good", .name = "look", .approved = true};
    got g, hangs;
    driver_call(&d, "never", "echo", &hangs);
    driver_order(&d, &look, &g);
    driver_wait(&d, &g, 1, SOON);
    assert_false(g.cached);
    mcp_order hover = look;
    hover.purpose = MCP_FOR_HOVER;
    driver_order(&d, &hover, &g); /* another purpose, the same look-up */
    driver_wait(&d, &g, 1, SOON);
    assert_true(g.cached && g.outcome == MCP_OK);
    assert_string_equal(g.text, "echo");
    expect_echo(&d, "good"); /* may have changed something */
    driver_order(&d, &look, &g);
    driver_wait(&d, &g, 1, SOON);
    assert_false(g.cached);
    assert_int_equal(driver_info(&d, "good").numbers.cache_hits, 1);
    assert_int_equal(hangs.ended, 0);
    driver_close(&d);
    assert_int_equal(hangs.ended, 1);
}

/* What is not to be kept by the server's word, and what a person has had a part in, is asked for
 * each time. */
static void test_not_cached(void **state) {
    UNUSED(state);
    static const char *const modes[] = {"no-store", "asks"};
    for (size_t i = 0; i < COUNTOF(modes); i++) {
        driver d;
        driver_open(&d, true);
        mcp_definition *s = hostile(modes[i]);
        s->trusted = true;
        vec_push(&s->allow, "look");
        driver_configure(&d, &s, 1);
        for (int k = 0; k < 2; k++) {
            got g;
            driver_order(&d, &(mcp_order){.server = modes[i], .name = "look"}, &g);
            driver_wait(&d, &g, 1, SOON);
            assert_string_equal(mcp_outcome_name(g.outcome), "ok");
            assert_string_equal(g.text, "echo");
            assert_false(g.cached);
        }
        assert_int_equal(d.questions, i == 0 ? 0 : 2);
        driver_close(&d);
    }
}

/* What is not the server's own is kept for a minute; a hover gets it for ten, marked, and it is
 * asked for anew meanwhile. */
static void test_cached_open_world(void **state) {
    UNUSED(state);
    driver d;
    clock_set_source(fast_clock);
    driver_open(&d, false);
    mcp_definition *s = hostile("open");
    s->trusted = true;
    s->idle_stop_ms = s->ping_after_ms = UINT32_MAX; /* the clock jumps */
    vec_push(&s->allow, "look");
    driver_configure(&d, &s, 1);
    mcp_order user = {.server = "open", .name = "look"}, hover = user;
    hover.purpose = MCP_FOR_HOVER;
    hover.idle_ms = hover.total_ms = SOON;
    static const struct {
        int later_s;
        bool hover, cached, old;
    } steps[] = {
        {0, false, false, false},  {30, false, true, false}, /* fresh */
        {40, false, false, false},                           /* no longer, for who can wait */
        {70, true, true, true},                              /* for a hover it will do */
        {700, true, false, false},                           /* but not for ever */
    };
    got g;
    for (size_t i = 0; i < COUNTOF(steps); i++) {
        ahead_us += (uint64_t)steps[i].later_s * 1000000;
        driver_order(&d, steps[i].hover ? &hover : &user, &g);
        driver_wait(&d, &g, 1, SOON);
        assert_string_equal(mcp_outcome_name(g.outcome), "ok");
        assert_int_equal(g.cached, steps[i].cached);
        assert_int_equal(g.age_ms > 0, steps[i].old);
        assert_string_equal(g.text + (steps[i].old ? strlen("[as it was 70 s ago]\n") : 0), "echo");
        for (int k = 0; steps[i].old && g.age_ms > 0 && k < 6000; k++) { /* soon it is fresh */
            driver_run(&d, 10);
            driver_order(&d, &hover, &g);
            driver_wait(&d, &g, 1, SOON);
        }
        assert_true(g.age_ms == 0);
    }
    assert_int_equal(driver_info(&d, "open").starts, 1);
    driver_close(&d);
    clock_set_source(NULL);
}

/* A process that was silent is asked for a sign of life before it gets a call: one that sleeps is
 * started anew, and the call, which it never got, is made then. */
static void test_ping(void **state) {
    UNUSED(state);
    driver d;
    driver_open(&d, false);
    mcp_definition *s = hostile("");
    s->ping_after_ms = 1;
    driver_configure(&d, &s, 1);
    mcp_server_start(d.host, "good");
    driver_wait_state(&d, "good", MCP_READY, SOON);
    driver_run(&d, 20);
    expect_echo(&d, "good"); /* it does not know the method, but it lives */
    mcp_server_info info = driver_info(&d, "good");
    kill((pid_t)info.pid, SIGSTOP);
    driver_run(&d, 20);
    expect_echo(&d, "good");
    assert_true(driver_info(&d, "good").starts > info.starts);
    driver_close(&d);
}

/* A hover does not ask again for what has just failed; others do. */
static void test_failed(void **state) {
    UNUSED(state);
    driver d;
    driver_open(&d, false);
    mcp_definition *s = hostile("fails");
    s->trusted = true;
    vec_push(&s->allow, "look");
    driver_configure(&d, &s, 1);
    mcp_server_start(d.host, "fails");
    driver_wait_state(&d, "fails", MCP_READY, SOON);
    mcp_order hover = {.server = "fails",
                       .name = "look",
                       .purpose = MCP_FOR_HOVER,
                       .idle_ms = SOON,
                       .total_ms = SOON};
    got g;
    double before = clock_ms();
    for (int i = 0; i < 3; i++) {
        driver_order(&d, &hover, &g);
        driver_wait(&d, &g, 1, SOON);
        assert_string_equal(mcp_outcome_name(g.outcome), "tool-error");
        assert_string_equal(g.text, "no");
        if (i == 0) assert_false(g.cached);
        if (i == 1) {
            bool soon = clock_ms() - before < LIMIT_MCP_FAILED_MS;
            assert_true(g.cached || !soon);
            hover.purpose = MCP_FOR_USER;
            hover.approved = true;
        }
    }
    assert_false(g.cached);
    driver_close(&d);
}

/* A daemon that is killed leaves a stubborn server; the next one ends it, and no other. */
static void test_orphans(void **state) {
    UNUSED(state);
    char folder[] = "/tmp/inlined-orphans-XXXXXX";
    assert_non_null(mkdtemp(folder));
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        alarm(120); /* the end, if it does not come so far */
        driver c;
        driver_open_at(&c, false, folder);
        mcp_definition *s[] = {hostile("ignore-eof"), hostile("escapes")};
        driver_configure(&c, s, COUNTOF(s));
        for (size_t i = 0; i < COUNTOF(s); i++)
            mcp_server_start(c.host, s[i]->name);
        driver_wait_state(&c, "ignore-eof", MCP_READY, SOON);
        driver_wait_state(&c, "escapes", MCP_READY, SOON);
        _exit(write(ready[1], "r", 1) == 1 && pause());
    }
    char byte;
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    driver d; /* its owner lives: it stays */
    driver_open_at(&d, false, folder);
    driver_close(&d);
    assert_int_equal(driver_children(child), 3);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    for (int i = 0; i < 6000 && driver_children(child) != 2; i++)
        usleep(10000); /* one that hears the end of its input goes by itself */
    assert_int_equal(driver_children(child), 2);
    driver_open_at(&d, false, folder);
    driver_close(&d);
    for (int i = 0; i < 6000 && driver_children(child); i++)
        usleep(10000);
    assert_int_equal(driver_children(child), 0);
    close(ready[0]);
    char command[100];
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    log_set_level(LOG_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tolerated),
        cmocka_unit_test(test_snake_case),
        cmocka_unit_test(test_probed),
        cmocka_unit_test(test_silent),
        cmocka_unit_test(test_reordered),
        cmocka_unit_test(test_late),
        cmocka_unit_test(test_cancelled),
        cmocka_unit_test(test_drained),
        cmocka_unit_test(test_drained_by_itself),
        cmocka_unit_test(test_deadlines),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_progress),
        cmocka_unit_test(test_storm),
        cmocka_unit_test(test_changed_tool),
        cmocka_unit_test(test_crash),
        cmocka_unit_test(test_exit_while_idle),
        cmocka_unit_test(test_crash_budget),
        cmocka_unit_test(test_stopped_process),
        cmocka_unit_test(test_stubborn),
        cmocka_unit_test(test_failed),
        cmocka_unit_test(test_ping),
        cmocka_unit_test(test_many_ends),
        cmocka_unit_test(test_questions),
        cmocka_unit_test(test_cached),
        cmocka_unit_test(test_not_cached),
        cmocka_unit_test(test_cached_open_world),
        cmocka_unit_test(test_orphans),
        cmocka_unit_test(test_full_queue),
        cmocka_unit_test(test_no_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
