/* SPDX-License-Identifier: Apache-2.0 */
/* MCP servers in /metrics: numbers of equal names are added up, names are quoted and bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/mem.h"
#include "lsp/health_servers.h"

static bool has(const strbuf *out, const char *line) {
    return str_find(strbuf_str(out), str_of(line)) >= 0;
}

static strbuf show(const health_servers *s) {
    strbuf out;
    strbuf_init(&out, 1u << 20);
    health_servers_metrics(s, &out);
    assert_false(out.overflow);
    return out;
}

static void test_added_up(void **state) {
    UNUSED(state);
    health_servers *s = xcalloc(1, sizeof *s);
    mcp_server_info info = {.name = "a\"b\\c\nd", .state = MCP_READY, .starts = 2, .exits = 1};
    info.numbers = (mcp_numbers){.calls = 5, .errors = 2, .timeouts = 1, .cache_hits = 3};
    info.numbers.took[0] = 2;                /* up to a millisecond */
    info.numbers.took[MCP_TIME_BUCKETS] = 1; /* for ever */
    info.numbers.took_us = 40000500;
    health_servers_add(s, &info);
    info.state = MCP_BACKOFF;
    health_servers_add(s, &info);
    strbuf out = show(s);
#define NAME "{server=\"a\\\"b\\\\c\\nd\""
    static const char *const lines[] = {
        "\ninlined_mcp_server_state" NAME ",state=\"ready\"} 1\n",
        "\ninlined_mcp_server_state" NAME ",state=\"backoff\"} 1\n",
        "\ninlined_mcp_server_state" NAME ",state=\"failed\"} 0\n",
        "# TYPE inlined_mcp_calls_total counter\ninlined_mcp_calls_total" NAME "} 10\n",
        "\ninlined_mcp_errors_total" NAME "} 4\n",
        "\ninlined_mcp_timeouts_total" NAME "} 2\n",
        "\ninlined_mcp_cancelled_total" NAME "} 0\n",
        "\ninlined_mcp_cached_total" NAME "} 6\n",
        "\ninlined_mcp_starts_total" NAME "} 4\n",
        "\ninlined_mcp_exits_total" NAME "} 2\n",
        "# TYPE inlined_mcp_call_seconds histogram\n",
        "\ninlined_mcp_call_seconds_bucket" NAME ",le=\"0.001\"} 4\n",
        "\ninlined_mcp_call_seconds_bucket" NAME ",le=\"30\"} 4\n",
        "\ninlined_mcp_call_seconds_bucket" NAME ",le=\"+Inf\"} 6\n",
        "\ninlined_mcp_call_seconds_sum" NAME "} 80.001000\n",
        "\ninlined_mcp_call_seconds_count" NAME "} 6\n",
    };
    for (size_t i = 0; i < COUNTOF(lines); i++)
        if (!has(&out, lines[i])) fail_msg("%s is not in:\n%s", lines[i], out.ptr);
    strbuf_deinit(&out);
    xfree(s);
}

static void test_bounded(void **state) {
    UNUSED(state);
    health_servers *s = xcalloc(1, sizeof *s);
    char name[200];
    for (int i = 0; i < LIMIT_METRICS_SERVERS + 9; i++) {
        snprintf(name, sizeof name, "server-%d", i);
        health_servers_add(s, &(mcp_server_info){.name = name, .starts = 1});
    }
    health_servers_add(s, &(mcp_server_info){.name = "server-0", .starts = 1});
    assert_int_equal(s->count, LIMIT_METRICS_SERVERS + 1);
    strbuf out = show(s);
    assert_true(has(&out, "inlined_mcp_starts_total{server=\"server-0\"} 2\n"));
    assert_true(has(&out, "inlined_mcp_starts_total{server=\"(others)\"} 9\n"));
    strbuf_deinit(&out);
    *s = (health_servers){.count = 0};
    memset(name, 'n', sizeof name);
    memcpy(name + 63, "\xC3\xA4", 2); /* it would be cut in two */
    name[sizeof name - 1] = '\0';
    health_servers_add(s, &(mcp_server_info){.name = name});
    assert_int_equal(strlen(s->all[0].name), 63);
    strbuf_init(&out, 1u << 20);
    *s = (health_servers){.count = 0};
    health_servers_metrics(s, &out);
    assert_int_equal(out.len, 0);
    strbuf_deinit(&out);
    xfree(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_added_up),
        cmocka_unit_test(test_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
