/* SPDX-License-Identifier: Apache-2.0 */
/* `inlined status` and `inlined models load|unload|use`: the running daemon, asked and told.
 * Thread: main. */
#include <unistd.h>

#include "lsp/cli_daemon.h"
#include "lsp/cli_models.h"

#define POLL_US 200000 /* between two looks at a load */

static const cJSON *get(const cJSON *o, const char *key) {
    return cJSON_GetObjectItemCaseSensitive(o, key);
}

/* ---- status ---------------------------------------------------------------------------------- */

static void show_model(strbuf *out, const cJSON *m) {
    const cJSON *memory = get(m, "memory"), *now = get(m, "tokensPerSecond"),
                *minute = get(m, "tokensPerSecondMinute");
    strbuf_addf(out, "  %-28s %-8s", cli_daemon_text(m, "name"), cli_daemon_text(m, "state"));
    if (!strcmp(cli_daemon_text(m, "state"), "ready")) {
        double bytes = cli_daemon_number(memory, "weights") + cli_daemon_number(memory, "context") +
                       cli_daemon_number(memory, "work");
        strbuf_addf(out, " %7.0f MB  %s\n", bytes / 1e6, cli_daemon_text(m, "backend"));
        strbuf_addf(out,
                    "      %.0f waiting or running, %.0f done (%.0f cancelled, %.0f late, %.0f "
                    "failed); %.0f sequences of %.0f tokens\n",
                    cli_daemon_number(m, "queue"), cli_daemon_number(m, "jobs"),
                    cli_daemon_number(m, "cancelled"), cli_daemon_number(m, "late"),
                    cli_daemon_number(m, "failed"), cli_daemon_number(m, "sequences"),
                    cli_daemon_number(m, "cachedTokens"));
        strbuf_addf(
            out,
            "      now %.1f read, %.1f written a second; last minute %.1f and %.1f; %.1f while it "
            "writes; %.0f %% of prompts came from the cache\n",
            cli_daemon_number(now, "read"), cli_daemon_number(now, "written"),
            cli_daemon_number(minute, "read"), cli_daemon_number(minute, "written"),
            cli_daemon_number(m, "speed"), 100 * cli_daemon_number(m, "reusedShare"));
        return;
    }
    if (!strcmp(cli_daemon_text(m, "state"), "loading")) {
        strbuf_addf(out, " %.0f %%, %s", cli_daemon_number(m, "percent"),
                    cli_daemon_text(m, "doing"));
        if (get(m, "secondsLeft"))
            strbuf_addf(out, ", %.0f s left", cli_daemon_number(m, "secondsLeft"));
    }
    strbuf_addf(out, "%s%s\n", cli_daemon_text(m, "error")[0] ? " " : "",
                cli_daemon_text(m, "error"));
}

static void show_servers(strbuf *out, const cJSON *o) {
    const cJSON *calls = get(o, "mcpCalls"), *state;
    const char *before = "";
    strbuf_addf(out, "\nMCP servers of all clients: ");
    cJSON_ArrayForEach(state, get(o, "mcpServers")) {
        strbuf_addf(out, "%s%d %s", before, state->valueint, state->string);
        before = ", ";
    }
    strbuf_addf(out,
                "%s\n  %.0f calls (%.0f failed, %.0f of them not in time; %.0f cancelled), %.0f "
                "answers from the cache; %.0f starts, %.0f unexpected ends\n",
                before[0] ? "" : "none beside the built-in tools",
                cli_daemon_number(calls, "calls"), cli_daemon_number(calls, "errors"),
                cli_daemon_number(calls, "timeouts"), cli_daemon_number(calls, "cancelled"),
                cli_daemon_number(calls, "fromCache"), cli_daemon_number(calls, "starts"),
                cli_daemon_number(calls, "exits"));
}

static void show(strbuf *out, const cJSON *o) {
    const cJSON *item, *device = get(o, "device"), *suggestions = get(o, "suggestions");
    double asked = cli_daemon_number(suggestions, "asked");
    strbuf_addf(out, "inlined %s, process %.0f, up for %.0f s, %.0f clients\n",
                cli_daemon_text(o, "version"), cli_daemon_number(o, "pid"),
                cli_daemon_number(o, "uptimeSeconds"), cli_daemon_number(o, "clients"));
    strbuf_addf(out, "%s: %s\n", cli_daemon_text(device, "name"), cli_daemon_text(device, "why"));
    strbuf_addf(out, "%.1f GB of main memory available",
                cli_daemon_number(o, "hostMemoryAvailable") / 1e9);
    if (cli_daemon_number(device, "memory") > 0)
        strbuf_addf(out, "; the GPU has %.1f GB, %.1f free at start",
                    cli_daemon_number(device, "memory") / 1e9,
                    cli_daemon_number(device, "freeAtStart") / 1e9);
    strbuf_addf(out, "\n\ntiers\n");
    cJSON_ArrayForEach(item, get(o, "tiers")) {
        strbuf_addf(out, "  %-7s %-28s", cli_daemon_text(item, "tier"),
                    cli_daemon_text(item, "model"));
        const cJSON *role;
        cJSON_ArrayForEach(role, get(item, "roles")) strbuf_addf(
            out, "%s%s", role->prev && role->prev->next ? ", " : " ", role->valuestring);
        strbuf_addf(out, "\n      %s\n", cli_daemon_text(item, "why"));
    }
    strbuf_addf(out, "\nmodels\n");
    cJSON_ArrayForEach(item, get(o, "models")) show_model(out, item);
    show_servers(out, o);
    strbuf_addf(
        out, "\n%.0f suggestions asked for, %.0f %% without the model; %.0f loads, %.0f failed\n",
        asked, asked > 0 ? 100 * cli_daemon_number(suggestions, "withoutModel") / asked : 0,
        cli_daemon_number(o, "loads"), cli_daemon_number(o, "failedLoads"));
}

status cli_status(const cli_args *a, err *e) {
    cli_daemon *d = NULL;
    cJSON *answer = NULL;
    status s = cli_daemon_open(&d, a->socket, e);
    if (!s) s = cli_daemon_ask(d, "inlined/daemon", NULL, &answer, e);
    cli_daemon_close(d);
    if (s) return s;
    if (a->json) return term_write_json(answer, e);
    strbuf out;
    strbuf_init(&out, 1u << 20);
    show(&out, answer);
    cJSON_Delete(answer);
    s = term_write(strbuf_str(&out), e);
    strbuf_deinit(&out);
    return s;
}

/* ---- models ---------------------------------------------------------------------------------- */

static cJSON *wish(const cli_args *a, const char *action) {
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "action", action);
    cJSON_AddStringToObject(o, "tier", a->operands[1]);
    if (a->n_operands > 2) cJSON_AddStringToObject(o, "model", a->operands[2]);
    return o;
}

/* Looks until the model is no longer loading.  Ctrl-C gives the load up. */
static status watch(cli_daemon *d, const cli_args *a, cJSON **model, err *e) {
    meter line;
    meter_init(&line);
    status s = OK;
    bool cancelled = false;
    char label[160];
    while (!s && !strcmp(cli_daemon_text(*model, "state"), "loading")) {
        cancelled |= interrupt_take();
        const char *what = cancelled ? "unload" : "load";
        snprintf(label, sizeof label, "loading %.100s", cli_daemon_text(*model, "name"));
        if (get(*model, "secondsLeft"))
            snprintf(label, sizeof label, "loading %.100s, %.0f s left",
                     cli_daemon_text(*model, "name"), cli_daemon_number(*model, "secondsLeft"));
        meter_part(&line, label, cli_daemon_number(*model, "percent") / 100);
        usleep(POLL_US);
        cJSON_Delete(*model);
        s = cli_daemon_ask(d, "inlined/models", wish(a, what), model, e);
    }
    meter_end(&line);
    if (!s && cancelled && strcmp(cli_daemon_text(*model, "state"), "ready") != 0)
        s = err_set(e, ERR_CANCELLED, "given up: nothing of %.100s is loaded",
                    cli_daemon_text(*model, "name"));
    return s;
}

status cli_models_tier(const cli_args *a, err *e) {
    cli_daemon *d = NULL;
    cJSON *model = NULL;
    interrupt_hold(); /* before there is a load that nobody would give up */
    status s = cli_daemon_open(&d, a->socket, e);
    if (!s) s = cli_daemon_ask(d, "inlined/models", wish(a, a->operands[0]), &model, e);
    if (!s && strcmp(a->operands[0], "unload") != 0) s = watch(d, a, &model, e);
    cli_daemon_close(d);
    if (!s && !strcmp(cli_daemon_text(model, "state"), "failed"))
        s = err_set(e, ERR_LIMIT, "%s", cli_daemon_text(model, "error"));
    if (!s && a->json) return term_write_json(model, e);
    if (!s) {
        strbuf out;
        strbuf_init(&out, 4096);
        strbuf_addf(&out, "%s: %s is %s\n", a->operands[1], cli_daemon_text(model, "name"),
                    cli_daemon_text(model, "state"));
        s = term_write(strbuf_str(&out), e);
        strbuf_deinit(&out);
    }
    cJSON_Delete(model);
    return s;
}
