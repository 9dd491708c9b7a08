/* SPDX-License-Identifier: Apache-2.0 */
/* Arguments to a cli_args: one table of options, one of commands, and a parser that walks argv
 * once.
 *
 * The first operand names the command; options may stand before or after it, so whether an option
 * belongs to the command is checked at the end.  The same tables print the help, which is why help
 * and parser cannot disagree.  Pure: no I/O, no state.  Thread: any. */
#include "engine/base/limits.h"
#include "engine/base/nearest.h"
#include "engine/base/vec.h"
#include "lsp/cli.h"

typedef enum { OPT_FLAG, OPT_TEXT, OPT_COUNT, OPT_REAL } option_kind;

typedef struct {
    const char *name; /* without the dashes */
    char letter;      /* 0: none */
    option_kind kind;
    unsigned where; /* bit per cli_command_id */
    size_t field;   /* offset in cli_args */
    double least, most;
    const char *value; /* shown in the help */
    const char *help;
} option;

#define AT(c) (1u << (c))
#define ALL (AT(CMD_COUNT) - 1)
#define ASKERS (AT(CMD_ASK) | AT(CMD_EXPLAIN) | AT(CMD_REVIEW) | AT(CMD_EDIT))
#define RUNNERS                                                                                    \
 (ASKERS | AT(CMD_SERVE) | AT(CMD_COMPLETE) | AT(CMD_GENERATE) | AT(CMD_DOCTOR) | AT(CMD_BENCH))
#define MODEL_USERS (RUNNERS | AT(CMD_TOKENIZE))
#define DAEMON_USERS (AT(CMD_STATUS) | AT(CMD_HEALTH) | AT(CMD_MODELS))
#define FIELD(f) offsetof(cli_args, f)

/* clang-format off */
static const option OPTIONS[] = {
    {"stdio", 0, OPT_FLAG, AT(CMD_SERVE), FIELD(stdio), 0, 0, NULL,
     "serve one editor on stdin and stdout, through your daemon (the default without a terminal)"},
    {"no-daemon", 0, OPT_FLAG, AT(CMD_SERVE), FIELD(no_daemon), 0, 0, NULL,
     "in this process alone; --config, --model, --device and --threads mean that, too"},
    {"listen", 0, OPT_TEXT, AT(CMD_SERVE), FIELD(listen), 0, 0, "PATH",
     "serve any number of editors on a local socket (fd: the one that systemd passes)"},
    {"idle-exit", 0, OPT_COUNT, AT(CMD_SERVE), FIELD(idle_exit), 0, 604800, "SECONDS",
     "the daemon ends when nobody is connected for so long (300)"},
    {"health", 0, OPT_TEXT, AT(CMD_SERVE), FIELD(health), 0, 0, "PORT|PATH",
     "the daemon's health over HTTP at 127.0.0.1:PORT or at a socket: /healthz /metrics /status"},
    {"socket", 0, OPT_TEXT, AT(CMD_SERVE) | DAEMON_USERS, FIELD(socket), 0, 0, "PATH",
     "the daemon that listens there (the user's own)"},
    {"clientProcessId", 0, OPT_COUNT, AT(CMD_SERVE), FIELD(client_pid), 0, 4294967295.0, "PID",
     "end when this process does (VS Code passes it)"},
    {"model", 'm', OPT_TEXT, MODEL_USERS, FIELD(model), 0, 0, "M",
     "a name from 'inlined models list', or a path to a .gguf"},
    {"prompt", 'p', OPT_TEXT, AT(CMD_GENERATE), FIELD(prompt), 0, 0, "T", "the prompt as text"},
    {"prompt-file", 'f', OPT_TEXT, AT(CMD_GENERATE), FIELD(prompt_file), 0, 0, "F",
     "the prompt from a file (-: stdin)"},
    {"prompt-tokens", 0, OPT_TEXT, AT(CMD_GENERATE), FIELD(prompt_tokens), 0, 0, "1,2,3",
     "the prompt as token ids"},
    {"tokens", 'n', OPT_COUNT, AT(CMD_GENERATE), FIELD(tokens), 0, LIMIT_GENERATE_TOKENS, "N",
     "generate at most N tokens (128)"},
    {"temperature", 't', OPT_REAL, AT(CMD_GENERATE), FIELD(temperature), 0, 100, "X",
     "0 takes the likeliest token each time (0)"},
    {"seed", 's', OPT_COUNT, AT(CMD_GENERATE), FIELD(seed), 0, 9e15, "S",
     "the same seed gives the same text (0)"},
    {"logprobs", 0, OPT_COUNT, AT(CMD_GENERATE), FIELD(logprobs), 0, LIMIT_LOGPROBS, "K",
     "report the K likeliest ids at each position, with log-probabilities"},
    {"prompt-logprobs", 0, OPT_FLAG, AT(CMD_GENERATE), FIELD(prompt_logprobs), 0, 0, NULL,
     "report them after each prompt token too (slow: one step per token)"},
    {"special", 0, OPT_FLAG, AT(CMD_GENERATE) | AT(CMD_TOKENIZE), FIELD(special), 0, 0, NULL,
     "read and write special tokens such as <|im_start|>"},
    {"decode", 0, OPT_TEXT, AT(CMD_TOKENIZE), FIELD(decode), 0, 0, "1,2,3",
     "the other way round: ids to text"},
    {"automatic", 0, OPT_FLAG, AT(CMD_COMPLETE), FIELD(automatic), 0, 0, NULL,
     "ask as an editor does while somebody types: stricter about where to suggest"},
    {"source", 0, OPT_TEXT, AT(CMD_MODELS), FIELD(source), 0, 0, "TEXT",
     "delta make: where people get BASE"},
    {"rows", 0, OPT_TEXT, AT(CMD_MODELS), FIELD(rows), 0, 0, "1,2,3",
     "delta make: rows of the embedding (new tokens) to store whole"},
    {"file", 0, OPT_TEXT, AT(CMD_MCP), FIELD(file), 0, 0, "FILE",
     "mcp: read this configuration and no other, as your own"},
    {"format", 0, OPT_TEXT, AT(CMD_MCP), FIELD(format), 0, 0, "PRODUCT",
     "mcp export: claude, codex, cursor, vscode, warp or zed"},
    {"fix", 0, OPT_FLAG, AT(CMD_MCP), FIELD(fix), 0, 0, NULL,
     "mcp doctor: also write what to put into which file; nothing is changed"},
    {"probe", 0, OPT_FLAG, AT(CMD_MCP), FIELD(probe), 0, 0, NULL,
     "mcp doctor, test: also make one call that shows whether each server does its work"},
    {"device", 0, OPT_TEXT, RUNNERS, FIELD(device), 0, 0, "D",
     "auto, cpu, cuda or ref, the slow reference (auto)"},
    {"threads", 0, OPT_COUNT, RUNNERS, FIELD(threads), 0, LIMIT_THREADS, "N",
     "0 takes the physical cores that this process may use (0)"},
    {"depth", 0, OPT_COUNT, AT(CMD_BENCH), FIELD(depth), 0, 4096, "N",
     "measure with at most N tokens in the cache (4096)"},
    {"matrix", 0, OPT_FLAG, AT(CMD_BENCH), FIELD(matrix), 0, 0, NULL,
     "each tier's model (or those named), with both types of KV cache, in one table"},
    {"plot", 0, OPT_TEXT, AT(CMD_BENCH) | AT(CMD_MCP), FIELD(plot), 0, 0, "FILE", "draw the speeds as SVG"},
    {"explain", 0, OPT_FLAG, AT(CMD_COMPLETE), FIELD(explain), 0, 0, NULL,
     "show what went into the prompt, why, and what it cost"},
    {"json", 'j', OPT_FLAG, ALL & ~AT(CMD_SERVE), FIELD(json), 0, 0, NULL,
     "write the result as one line of JSON"},
    {"config", 0, OPT_TEXT, ALL, FIELD(config), 0, 0, "FILE",
     "settings, as JSON; the editor's settings win over them"},
    {"log-file", 0, OPT_TEXT, ALL, FIELD(log_file), 0, 0, "FILE", "append log lines to FILE"},
    {"log-level", 0, OPT_TEXT, ALL, FIELD(log_level), 0, 0, "L",
     "error, warn, info, debug or trace (the server: warn, commands: error)"},
    {"version", 'V', OPT_FLAG, ALL, FIELD(version), 0, 0, NULL, "print the version"},
    {"help", 'h', OPT_FLAG, ALL, FIELD(help), 0, 0, NULL, "print this help"},
};

typedef struct {
    const char *name, *operands, *summary, *more;
    int operands_min, operands_max;
} command;

static const command COMMANDS[CMD_COUNT] = {
    [CMD_SERVE] = {"", "",
        "local code completion for every editor, as a language server", "", 0, 0},
    [CMD_COMPLETE] = {"complete", "FILE:LINE:COL",
        "what an editor would show at a place in a file",
        "LINE and COL start at 1; COL counts characters.  The request takes the very path that a\n"
        "request from an editor takes.\n", 1, 1},
    [CMD_GENERATE] = {"generate", "(--prompt T | --prompt-file F | --prompt-tokens 1,2,3)",
        "raw text from a raw prompt: no template, no context", "", 0, 0},
    [CMD_TOKENIZE] = {"tokenize", "[FILE|-]", "text to token ids, or back with --decode", "", 0, 1},
    [CMD_MODELS] = {"models", "list | pull NAME | path [NAME] | verify [NAME] | "
        "add FILE [NAME] | rm NAME | delta make BASE TRAINED OUT | delta apply BASE DELTA OUT | "
        "load TIER | unload TIER | use TIER MODEL",
        "the models that are known by name, and their files",
        "pull fetches a model and checks its SHA-256; 'default' is a name too, and what path and\n"
        "verify take without a name.  HF_TOKEN says who asks Hugging Face, HF_ENDPOINT names a\n"
        "mirror.  add makes a GGUF of yours a model with a name, and says what it found in it; rm\n"
        "removes what was fetched, or forgets what was added.  delta make turns a fine-tune of BASE into a\n"
        "small file; delta apply makes the model again, as Q8_0.  load, unload and use talk to the running\n"
        "daemon: TIER is small, medium or large, and use holds until the daemon ends (\"\": as the\n"
        "settings say again).\n",
        1, CLI_OPERANDS_MAX},
    [CMD_BENCH] = {"bench", "[MODEL ...]", "how fast a model is on this machine",
        "Medians of three runs through the engine, one token per step.  'first token' counts from\n"
        "512 new tokens, 'after a key' from one; 'bandwidth' is the share of what this machine's\n"
        "memory gives that reading every weight once per token takes.  --matrix compares models, and\n"
        "types of KV cache: those of the tiers, or files and names that follow, one after another.\n",
        0, CLI_OPERANDS_MAX},
    [CMD_STATUS] = {"status", "", "what the running daemon does: models, memory, speed", "", 0, 0},
    [CMD_HEALTH] = {"health", "", "whether the running daemon is well, part by part",
        "Exit code 1 when one is not, or when no daemon runs.  --health of the server offers the same\n"
        "over HTTP.\n", 0, 0},
    [CMD_ASK] = {"ask", "FILE[:LINE[-LINE]] QUESTION", "ask about code",
        "The answer is Markdown.  The model may use tools of MCP servers that you allow.\n", 2, 2},
    [CMD_EXPLAIN] = {"explain", "FILE[:LINE[-LINE]]", "what code does, in a few sentences",
        "With one line: the function or type around it.\n", 1, 1},
    [CMD_REVIEW] = {"review", "FILE[:LINE[-LINE]]", "defects in code, one a line",
        "file:line:column: kind: message, as compilers write it; a whole file function by function.\n",
        1, 1},
    [CMD_EDIT] = {"edit", "FILE[:LINE[-LINE]] [INSTRUCTION]", "change code: a patch on stdout",
        "Nothing is written to the file: pipe it into patch -p0.  Without an instruction the code is\n"
        "improved.\n", 1, 2},
    [CMD_DOCTOR] = {"doctor", "", "check this machine and say what to mend", "", 0, 0},
    [CMD_MCP] = {"mcp", "list | doctor [SERVER] | test [SERVER] | call SERVER TOOL [ARGUMENTS] | "
        "approve [SERVER] | login SERVER | forget SERVER | export [SERVER ...] | "
        "bench [SERVER] | serve [PORT]",
        "MCP servers: what is configured, whether it works, and calls",
        "Servers come from ~/.config/inlined/mcp.json and from the project (.mcp.json and the files of\n"
        "other editors).  Those of a project start only after approve, which shows and remembers their\n"
        "command.  ARGUMENTS is a JSON object; - reads it from standard input.  login shows where to log\n"
        "in to a server that asks for it; forget takes back approvals and logins.  export writes them, and\n"
        "our own server, as another product's file, with variables instead of values.  serve offers our\n"
        "own tools (files, git, time, memory) on standard input and output, or at\n"
        "http://127.0.0.1:PORT/mcp; --file adds a project's.\n",
        1, CLI_OPERANDS_MAX},
};
/* clang-format on */

typedef struct {
    int argc, at;
    char *const *argv;
    cli_args *out;
    bool has_command, only_operands;
    uint64_t seen; /* bit per option */
    err *e;
} parse;

static status parse_word(parse *p);
static status check(const parse *p);

status cli_parse(int argc, char *const *argv, cli_args *out, err *e) {
    *out = (cli_args){.tokens = 128, .depth = 4096, .idle_exit = -1};
    parse p = {.argc = argc, .at = 1, .argv = argv, .out = out, .e = e};
    status s = OK;
    while (s == OK && p.at < argc)
        s = parse_word(&p);
    return s == OK ? check(&p) : s;
}

static const char *nearest_option(const parse *p, str name) {
    const char *best = NULL;
    size_t least = SIZE_MAX;
    for (size_t i = 0; i < COUNTOF(OPTIONS); i++) {
        if (p->has_command && !(OPTIONS[i].where & AT(p->out->command))) continue;
        size_t d = name_distance(name, str_of(OPTIONS[i].name));
        if (d < least && name_is_near(name, d)) {
            least = d;
            best = OPTIONS[i].name;
        }
    }
    return best;
}

static const option *find_option(str name, char letter) {
    for (size_t i = 0; i < COUNTOF(OPTIONS); i++) {
        if (letter ? OPTIONS[i].letter == letter : str_eq(str_of(OPTIONS[i].name), name)) {
            return &OPTIONS[i];
        }
    }
    return NULL;
}

static status store(const parse *p, const option *o, const char *value) {
    char *field = (char *)p->out + o->field;
    switch (o->kind) {
    case OPT_FLAG: *(bool *)(void *)field = true; return OK;
    case OPT_TEXT: *(const char **)(void *)field = value; return OK;
    case OPT_COUNT: {
        int64_t n;
        if (str_to_i64(str_of(value), &n) && (double)n >= o->least && (double)n <= o->most) {
            *(int64_t *)(void *)field = n;
            return OK;
        }
        return err_set(p->e, ERR_USAGE, "--%s must be a whole number from %.0f to %.0f, not '%s'",
                       o->name, o->least, o->most, value);
    }
    case OPT_REAL: {
        double x;
        if (str_to_f64(str_of(value), &x) && x >= o->least && x <= o->most) {
            *(double *)(void *)field = x;
            return OK;
        }
        return err_set(p->e, ERR_USAGE, "--%s must be a number from %g to %g, not '%s'", o->name,
                       o->least, o->most, value);
    }
    }
    ASSERT(0);
}

static status unknown_option(const parse *p, const char *word) {
    str name = str_of(word + strspn(word, "-"));
    ptrdiff_t equals = str_find(name, STR("="));
    if (equals >= 0) name = str_sub(name, 0, (size_t)equals);
    const char *near = nearest_option(p, name);
    if (!near) return err_set(p->e, ERR_USAGE, "unknown option %s; see inlined --help", word);
    return err_set(p->e, ERR_USAGE, "unknown option %s; did you mean --%s?", word, near);
}

/* --name, --name=value, --name value, -n value, -nvalue */
static status parse_option(parse *p, const char *word) {
    const option *o;
    const char *value = NULL;
    if (word[1] == '-') {
        const char *equals = strchr(word, '=');
        str name = {word + 2, equals ? (size_t)(equals - word) - 2 : strlen(word) - 2};
        o = find_option(name, 0);
        if (equals) value = equals + 1;
    } else {
        o = find_option(STR(""), word[1]);
        if (word[2]) value = word + 2;
    }
    if (!o || (o->kind == OPT_FLAG && value && word[1] != '-')) return unknown_option(p, word);
    if (o->kind == OPT_FLAG && value) {
        return err_set(p->e, ERR_USAGE, "--%s takes no value", o->name);
    }
    if (o->kind != OPT_FLAG && !value) {
        if (p->at >= p->argc) {
            return err_set(p->e, ERR_USAGE, "--%s needs a value (%s)", o->name, o->value);
        }
        value = p->argv[p->at++];
    }
    p->seen |= 1ull << (o - OPTIONS);
    return store(p, o, value);
}

static status parse_command(parse *p, const char *word) {
    size_t least = SIZE_MAX;
    const char *near = NULL;
    for (int i = CMD_SERVE + 1; i < CMD_COUNT; i++) {
        size_t d = name_distance(str_of(word), str_of(COMMANDS[i].name));
        if (d == 0) {
            p->out->command = (cli_command_id)i;
            p->has_command = true;
            return OK;
        }
        if (d < least && name_is_near(str_of(word), d)) {
            least = d;
            near = COMMANDS[i].name;
        }
    }
    if (!near) return err_set(p->e, ERR_USAGE, "unknown command '%s'; see inlined --help", word);
    return err_set(p->e, ERR_USAGE, "unknown command '%s'; did you mean %s?", word, near);
}

static status parse_word(parse *p) {
    const char *word = p->argv[p->at++];
    if (!p->only_operands && strcmp(word, "--") == 0) {
        p->only_operands = true;
        return OK;
    }
    if (!p->only_operands && word[0] == '-' && word[1]) return parse_option(p, word);
    if (!p->has_command) return parse_command(p, word);
    const command *c = &COMMANDS[p->out->command];
    if (p->out->n_operands >= c->operands_max) {
        return err_set(p->e, ERR_USAGE, "'%s' is one word too many; usage: inlined %s %s", word,
                       c->name, c->operands);
    }
    p->out->operands[p->out->n_operands++] = word;
    return OK;
}

static status check_generate(const parse *p) {
    const cli_args *a = p->out;
    int prompts = (a->prompt != NULL) + (a->prompt_file != NULL) + (a->prompt_tokens != NULL);
    if (prompts != 1) {
        return err_set(p->e, ERR_USAGE,
                       "generate needs one of --prompt, --prompt-file and --prompt-tokens");
    }
    if (a->prompt_logprobs && !a->logprobs) {
        return err_set(p->e, ERR_USAGE, "--prompt-logprobs needs --logprobs K");
    }
    if (a->tokens == 0 && !a->prompt_logprobs) {
        return err_set(p->e, ERR_USAGE, "-n must be at least 1 unless --prompt-logprobs is given");
    }
    return OK;
}

/* To fetch, one has to say what; to ask, "default" is understood. */
static status check_models(const parse *p) {
    cli_args *a = p->out;
    const char *verb = a->operands[0];
    if (strcmp(verb, "list") == 0) {
        if (a->n_operands == 1) return OK;
        return err_set(p->e, ERR_USAGE, "models list takes no name");
    }
    if (strcmp(verb, "pull") == 0) {
        if (a->n_operands == 2) return OK;
        return err_set(p->e, ERR_USAGE, "models pull needs the name of a model (or 'default')");
    }
    if (strcmp(verb, "rm") == 0) {
        if (a->n_operands == 2) return OK;
        return err_set(p->e, ERR_USAGE, "models rm needs the name of a model");
    }
    if (strcmp(verb, "add") == 0) {
        if (a->n_operands == 2 || a->n_operands == 3) return OK;
        return err_set(p->e, ERR_USAGE, "models add needs a .gguf file, and may be given a name");
    }
    if (strcmp(verb, "path") == 0 || strcmp(verb, "verify") == 0) {
        if (a->n_operands == 1) a->operands[a->n_operands++] = "default";
        if (a->n_operands == 2) return OK;
        return err_set(p->e, ERR_USAGE, "models %s takes one name", verb);
    }
    if (strcmp(verb, "delta") == 0) {
        bool known = a->n_operands == 5 &&
                     (strcmp(a->operands[1], "make") == 0 || strcmp(a->operands[1], "apply") == 0);
        if (known) return OK;
        return err_set(p->e, ERR_USAGE,
                       "models delta wants make BASE TRAINED OUT or apply BASE "
                       "DELTA OUT");
    }
    bool loads = !strcmp(verb, "load") || !strcmp(verb, "unload"), uses = !strcmp(verb, "use");
    if (loads || uses) {
        if (p->out->n_operands == (uses ? 3 : 2)) return OK;
        return err_set(p->e, ERR_USAGE, "models %s takes a tier%s", verb,
                       uses ? " and a model" : ": small, medium or large");
    }
    return err_set(p->e, ERR_USAGE, "unknown 'models %s'; usage: inlined models %s", verb,
                   COMMANDS[CMD_MODELS].operands);
}

static status check_values(const parse *p) {
    static const char *const devices[] = {"auto", "cpu", "cuda", "ref"};
    const cli_args *a = p->out;
    bool known = !a->device;
    for (size_t i = 0; !known && i < COUNTOF(devices); i++)
        known = strcmp(a->device, devices[i]) == 0;
    if (!known) {
        return err_set(p->e, ERR_USAGE, "--device must be auto, cpu, cuda or ref, not '%s'",
                       a->device);
    }
    if (a->decode && a->n_operands) {
        return err_set(p->e, ERR_USAGE, "tokenize takes a file or --decode, not both");
    }
    return OK;
}

static status check(const parse *p) {
    const cli_args *a = p->out;
    const command *c = &COMMANDS[a->command];
    for (size_t i = 0; i < COUNTOF(OPTIONS); i++) {
        if (!(p->seen >> i & 1) || OPTIONS[i].where & AT(a->command)) continue;
        if (a->command == CMD_SERVE) {
            return err_set(p->e, ERR_USAGE, "--%s needs a command; see inlined --help",
                           OPTIONS[i].name);
        }
        return err_set(p->e, ERR_USAGE, "%s has no option --%s; see inlined %s --help", c->name,
                       OPTIONS[i].name, c->name);
    }
    if (a->help || a->version) return OK;
    if (a->n_operands < c->operands_min) {
        return err_set(p->e, ERR_USAGE, "usage: inlined %s %s", c->name, c->operands);
    }
    status s = check_values(p);
    if (s == OK && a->command == CMD_GENERATE) s = check_generate(p);
    if (s == OK && a->command == CMD_MODELS) s = check_models(p);
    return s;
}

static void add_options(cli_command_id id, strbuf *out) {
    strbuf_addf(out, "\nOptions:\n");
    for (size_t i = 0; i < COUNTOF(OPTIONS); i++) {
        const option *o = &OPTIONS[i];
        if (!(o->where & AT(id))) continue;
        char left[48];
        char letter[8] = "";
        if (o->letter) snprintf(letter, sizeof letter, "-%c, ", o->letter);
        snprintf(left, sizeof left, "%s--%s%s%s", letter, o->name, o->value ? " " : "",
                 o->value ? o->value : "");
        strbuf_addf(out, "  %-24s %s\n", left, o->help);
    }
}

bool cli_wants_own_process(const cli_args *a) {
    return a->no_daemon || a->listen || a->config || a->model || a->device || a->threads;
}

void cli_help(cli_command_id id, strbuf *out) {
    const command *c = &COMMANDS[id];
    if (id != CMD_SERVE) {
        strbuf_addf(out, "Usage: inlined %s %s%s[OPTIONS]\n\n%s.\n%s", c->name, c->operands,
                    c->operands[0] ? " " : "", c->summary, c->more);
        add_options(id, out);
        return;
    }
    strbuf_addf(out, "inlined %s: %s\n\nUsage: inlined [OPTIONS]\n       inlined COMMAND ...\n\n",
                INLINED_VERSION, c->summary);
    strbuf_addf(out, "Commands:\n");
    for (int i = CMD_SERVE + 1; i < CMD_COUNT; i++)
        strbuf_addf(out, "  %-10s %s\n", COMMANDS[i].name, COMMANDS[i].summary);
    add_options(id, out);
    strbuf_addf(out, "\n'inlined COMMAND --help' says more.  Start with: inlined doctor\n");
}

status cli_place_parse(const char *text, cli_place *out, err *e) {
    str s = str_of(text);
    ptrdiff_t second = str_rfind_char(s, ':');
    ptrdiff_t first = second > 0 ? str_rfind_char(str_sub(s, 0, (size_t)second), ':') : -1;
    int64_t line = 0, column = 0;
    bool good = first > 0 && str_to_i64(str_sub(s, (size_t)first + 1, (size_t)second), &line) &&
                str_to_i64(str_sub(s, (size_t)second + 1, s.len), &column) && line >= 1 &&
                column >= 1;
    if (!good) {
        return err_set(e, ERR_USAGE,
                       "'%s' is not FILE:LINE:COL with a line and a column from 1, like main.c:3:7",
                       text);
    }
    *out = (cli_place){str_sub(s, 0, (size_t)first), (size_t)line, (size_t)column};
    return OK;
}

status cli_ids_parse(const char *text, int32_t **ids, size_t *count, err *e) {
    VEC(int32_t) v = {0};
    str rest = str_of(text), piece;
    status s = OK;
    while (s == OK && str_split(&rest, ',', &piece)) {
        int64_t id = -1;
        if (!str_to_i64(str_trim(piece), &id) || id < 0 || id > INT32_MAX) {
            s = err_set(e, ERR_USAGE, "'%.*s' is not a token id; ids look like 1,2,3",
                        (int)MIN(piece.len, 40), piece.ptr);
        } else if (v.count >= LIMIT_PROMPT_TOKENS) {
            s = err_set(e, ERR_LIMIT, "more than %d tokens", LIMIT_PROMPT_TOKENS);
        } else {
            vec_push(&v, (int32_t)id);
        }
    }
    if (s != OK) {
        vec_free(&v);
        return s;
    }
    *ids = v.at;
    *count = v.count;
    return OK;
}
