/* SPDX-License-Identifier: Apache-2.0 */
/* The program: reads the command line, sets up logging, runs one command, turns its status into the
 * exit code.  0 done; 1 failed, with one sentence on stderr; 2 wrong usage, likewise; a command may
 * give another code for its failure.
 * Without a command it is the language server, or, in a terminal, a short help.  Thread: main. */
#include <signal.h>
#include <unistd.h>

#include "engine/base/log.h"
#include "lsp/cli_engine.h"
#include "lsp/daemon.h"
#include "lsp/proxy_run.h"
#include "mcp/rpc.h"

static int fail(status s, int code, const err *e) {
    fprintf(stderr, "inlined: %s\n", e->text);
    if (code != EXIT_DONE) return code;
    return s == ERR_USAGE ? EXIT_WRONG_USAGE : EXIT_FAILED;
}

static status print_help(cli_command_id command, err *e) {
    strbuf text;
    strbuf_init(&text, 1u << 16);
    cli_help(command, &text);
    status s = term_write(strbuf_str(&text), e);
    strbuf_deinit(&text);
    return s;
}

static status start_log(const cli_args *a, err *e) {
    /* A command that fails writes one sentence to stderr: a log line would be a second one. */
    log_level level = a->command == CMD_SERVE || a->log_file ? LOG_WARN : LOG_ERROR;
    if (a->log_level && !log_level_parse(a->log_level, &level)) {
        return err_set(e, ERR_USAGE,
                       "--log-level must be error, warn, info, debug or trace, not '%s'",
                       a->log_level);
    }
    log_set_level(level);
    return a->log_file ? log_set_file(a->log_file, e) : OK;
}

/* Gives the daemon's exit code: it has told its own trouble to the editor. */
static status serve(const cli_args *a, int *code, err *e) {
    if (!a->stdio && !a->no_daemon && !a->listen && isatty(STDIN_FILENO))
        return print_help(CMD_SERVE, e);
    if (!cli_wants_own_process(a)) {
        proxy_options relay = {.socket = a->socket,
                               .client_pid = a->client_pid,
                               .idle_seconds = a->idle_exit < 0 ? 300 : (int)a->idle_exit,
                               .health = a->health,
                               .log_level = a->log_level ? a->log_level : "info"};
        *code = proxy_run(&relay);
        return OK;
    }
    if (a->socket)
        return err_set(
            e, ERR_USAGE,
            "--socket names a daemon to talk to, and the other options ask for a process "
            "of its own; use --listen for its socket");
    daemon_options options = {
        .stdio = a->stdio || !a->listen,
        .listen_path = a->listen,
        .health = a->health,
        .model_fixed = a->model != NULL,
        .client_pid = a->client_pid,
        .idle_seconds = (int)MAX(a->idle_exit, 0),
    };
    status s = cli_settings(a, &options.settings, e);
    if (s == OK) *code = daemon_run(&options);
    return s;
}

static status run(const cli_args *a, int *code, err *e) {
    if (a->help) return print_help(a->command, e);
    if (a->version) return term_write(STR("inlined " INLINED_VERSION "\n"), e);
    status s = start_log(a, e);
    if (s != OK) return s;
    switch (a->command) {
    case CMD_SERVE: return serve(a, code, e);
    case CMD_COMPLETE: return cli_complete(a, e);
    case CMD_GENERATE: return cli_generate(a, e);
    case CMD_TOKENIZE: return cli_tokenize(a, e);
    case CMD_MODELS: return cli_models(a, e);
    case CMD_DOCTOR: return cli_doctor(a, e);
    case CMD_MCP: return cli_mcp(a, code, e);
    case CMD_BENCH: return cli_bench(a, e);
    case CMD_STATUS: return cli_status(a, e);
    case CMD_HEALTH: return cli_health(a, e);
    case CMD_ASK:
    case CMD_EXPLAIN:
    case CMD_REVIEW:
    case CMD_EDIT: return cli_ask(a, e);
    case CMD_COUNT: break;
    }
    ASSERT(0);
}

int main(int argc, char **argv) {
    /* A closed pipe is an error of write, not the end of the process. */
    signal(SIGPIPE, SIG_IGN);
    rpc_json_memory();
    cli_args args;
    err e = {{0}};
    int code = EXIT_DONE;
    status s = cli_parse(argc, argv, &args, &e);
    if (s == OK) s = run(&args, &code, &e);
    return s == OK ? code : fail(s, code, &e);
}
