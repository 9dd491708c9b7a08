/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The command line: what a parsed one is, the commands, and their exit codes.
 * Results go to stdout; everything else (progress, the one sentence of a failure) to stderr. */
#include "engine/base/status.h"
#include "engine/base/str.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_WRONG_USAGE = 2 };

typedef enum {
    CMD_SERVE, /* no command: the language server */
    CMD_COMPLETE,
    CMD_GENERATE,
    CMD_TOKENIZE,
    CMD_MODELS,
    CMD_DOCTOR,
    CMD_MCP,
    CMD_BENCH,
    CMD_STATUS,
    CMD_HEALTH,
    CMD_ASK,
    CMD_EXPLAIN,
    CMD_REVIEW,
    CMD_EDIT,
    CMD_COUNT,
} cli_command_id;

#define CLI_OPERANDS_MAX 5 /* models delta make BASE TRAINED OUT */

/* One parsed command line.  Texts are argv's. */
typedef struct {
    cli_command_id command;
    bool help, version, json, stdio, no_daemon, special, prompt_logprobs, automatic, explain, fix,
        probe, matrix;
    const char *model, *device;
    const char *listen, *health, *socket, *config, *log_file, *log_level;
    const char *prompt, *prompt_file, *prompt_tokens, *decode, *source, *rows;
    const char *plot;
    int64_t depth;
    int64_t tokens, seed, logprobs, threads, client_pid, idle_exit;
    double temperature;
    const char *file;   /* mcp: the only configuration that counts */
    const char *format; /* mcp export */
    const char *operands[CLI_OPERANDS_MAX];
    int n_operands;
} cli_args;

/* ---- cli_args.c: pure ---------------------------------------------------------------------- */

/* Reads argv[1..].  ERR_USAGE: the sentence says which word is wrong and what it may have meant. */
status cli_parse(int argc, char *const *argv, cli_args *out, err *e) MUST_USE;
/* The help of a command (CMD_SERVE: of the program) as text. */
void cli_help(cli_command_id command, strbuf *out);
/* What was said describes a process (its socket, model, device, settings): no daemon that others
 * share can be that. */
bool cli_wants_own_process(const cli_args *a);

typedef struct {
    str path;
    size_t line, column; /* 1-based; the column counts characters */
} cli_place;
/* FILE:LINE:COL; the file may itself contain colons.  ERR_USAGE. */
status cli_place_parse(const char *text, cli_place *out, err *e) MUST_USE;
/* "1,2,3" to ids on the heap (xfree).  ERR_USAGE. */
status cli_ids_parse(const char *text, int32_t **ids, size_t *count, err *e) MUST_USE;

/* ---- the commands: each returns OK or puts its sentence into `e` ---------------------------- */

status cli_complete(const cli_args *a, err *e) MUST_USE;
status cli_generate(const cli_args *a, err *e) MUST_USE;
status cli_tokenize(const cli_args *a, err *e) MUST_USE;
status cli_models(const cli_args *a, err *e) MUST_USE;
status cli_doctor(const cli_args *a, err *e) MUST_USE;
/* *code: the exit code, where it is another than usual. */
status cli_mcp(const cli_args *a, int *code, err *e) MUST_USE;
status cli_bench(const cli_args *a, err *e) MUST_USE;
status cli_status(const cli_args *a, err *e) MUST_USE;
status cli_health(const cli_args *a, err *e) MUST_USE;
status cli_ask(const cli_args *a, err *e) MUST_USE; /* ask, explain, review, edit */
