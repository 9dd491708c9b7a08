/* SPDX-License-Identifier: Apache-2.0 */
/* The editor behind `inlined ask` and the like.
 *
 * It starts this very program as a language server, through the daemon if one runs, and speaks
 * to it as any editor does: a shell gets what an editor gets, filters, privacy and MCP servers
 * included.  It knows one document, takes plain edits, and asks a person at the terminal, if
 * there is one, what the server wants to know.  Thread: main. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/file.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "lsp/cli_ask.h"
#include "lsp/runtime_dir.h"
#include "lsp/uri.h"

/* ---- the child ------------------------------------------------------------------------------- */

static void add_option(char **argv, int *n, const char *name, const char *value) {
    if (!value) return;
    argv[(*n)++] = (char *)(uintptr_t)name;
    argv[(*n)++] = (char *)(uintptr_t)value;
}

static bool daemon_runs(void) {
    char path[RUNTIME_PATH_BYTES];
    err e;
    int fd = runtime_socket(path, &e) == OK ? runtime_connect(path, &e) : -1;
    if (fd >= 0) close(fd);
    return fd >= 0;
}

static void run_server(const cli_args *a, int in, int out) {
    char threads[24], stdio[] = "--stdio", alone[] = "--no-daemon"; /* one question starts none */
    char *argv[20] = {(char[]){"inlined"}, daemon_runs() ? stdio : alone};
    int n = 2;
    snprintf(threads, sizeof threads, "%lld", (long long)a->threads);
    add_option(argv, &n, "--model", a->model);
    add_option(argv, &n, "--device", a->device);
    add_option(argv, &n, "--config", a->config);
    add_option(argv, &n, "--log-file", a->log_file);
    add_option(argv, &n, "--log-level", a->log_level);
    if (a->threads) add_option(argv, &n, "--threads", threads);
    if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0) _exit(127);
    execv("/proc/self/exe", argv);
    _exit(127);
}

static status start_server(ask_editor *a, err *e) {
    int in[2], out[2];
    if (pipe(in) || pipe(out)) return err_set(e, ERR_IO, "cannot make a pipe: %s", strerror(errno));
    pid_t pid = fork();
    if (pid < 0) return err_set(e, ERR_IO, "cannot start a process: %s", strerror(errno));
    if (pid == 0) {
        close(in[1]);
        close(out[0]);
        run_server(a->args, in[0], out[1]);
    }
    close(in[0]);
    close(out[1]);
    a->to = in[1];
    a->from = out[0];
    a->pid = pid;
    return OK;
}

static void on_write(void *ud, str bytes) {
    ask_editor *a = ud;
    while (bytes.len > 0) {
        ssize_t n = write(a->to, bytes.ptr, bytes.len);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return; /* it is gone: reading will say so */
        bytes = str_sub(bytes, (size_t)n, bytes.len);
    }
}

/* ---- what the server asks -------------------------------------------------------------------- */

/* Byte offset of a position (line, character in UTF-8) in `text`; clamped. */
static size_t offset_of(str text, const cJSON *position) {
    const cJSON *l = cJSON_GetObjectItemCaseSensitive(position, "line");
    const cJSON *c = cJSON_GetObjectItemCaseSensitive(position, "character");
    size_t at = 0;
    for (int line = cJSON_IsNumber(l) ? l->valueint : 0; line > 0 && at < text.len; at++)
        line -= text.ptr[at] == '\n';
    size_t end = at;
    while (end < text.len && text.ptr[end] != '\n')
        end++;
    return MIN(end, at + (size_t)MAX(cJSON_IsNumber(c) ? c->valueint : 0, 0));
}

/* Edits refer to the text before all of them: from the last one back. */
static void apply(ask_editor *a, const cJSON *edits) {
    for (int i = cJSON_GetArraySize(edits); i > 0; i--) {
        const cJSON *one = cJSON_GetArrayItem(edits, i - 1);
        const cJSON *range = cJSON_GetObjectItemCaseSensitive(one, "range");
        const cJSON *text = cJSON_GetObjectItemCaseSensitive(one, "newText");
        str whole = strbuf_str(&a->text);
        size_t from = offset_of(whole, cJSON_GetObjectItemCaseSensitive(range, "start"));
        size_t to = offset_of(whole, cJSON_GetObjectItemCaseSensitive(range, "end"));
        if (cJSON_IsString(text))
            strbuf_splice(&a->text, from, MAX(from, to), str_of(text->valuestring));
    }
}

static void apply_edit(ask_editor *a, const rpc_id *id, const cJSON *params) {
    const cJSON *edit = cJSON_GetObjectItemCaseSensitive(params, "edit");
    const cJSON *changes = cJSON_GetObjectItemCaseSensitive(edit, "changes");
    const cJSON *mine = cJSON_GetObjectItemCaseSensitive(changes, a->uri);
    apply(a, mine);
    cJSON_Delete(a->edits);
    a->edits = cJSON_Duplicate(mine, true);
    cJSON *result = cJSON_CreateObject();
    cJSON_AddBoolToObject(result, "applied", mine != NULL);
    rpc_reply(a->rpc, id, result);
}

/* The first answer for a yes at the terminal; nothing is chosen where nobody sits. */
static void ask_person(ask_editor *a, const rpc_id *id, const cJSON *params) {
    const cJSON *message = cJSON_GetObjectItemCaseSensitive(params, "message");
    const cJSON *actions = cJSON_GetObjectItemCaseSensitive(params, "actions");
    cJSON *chosen = NULL;
    char line[64];
    const char *text = cJSON_IsString(message) ? message->valuestring : "";
    fprintf(stderr, "%s%s", text, isatty(STDIN_FILENO) ? " [y/N] " : "\n");
    if (isatty(STDIN_FILENO) && fgets(line, sizeof line, stdin) && (line[0] | 32) == 'y')
        chosen = cJSON_Duplicate(cJSON_GetArrayItem(actions, 0), true);
    rpc_reply(a->rpc, id, chosen);
}

static void on_request(void *ud, const rpc_id *id, const char *method, const cJSON *params) {
    ask_editor *a = ud;
    if (!strcmp(method, "workspace/applyEdit"))
        apply_edit(a, id, params);
    else if (!strcmp(method, "window/showMessageRequest"))
        ask_person(a, id, params);
    else if (!strcmp(method, "window/workDoneProgress/create") ||
             !strcmp(method, "workspace/diagnostic/refresh"))
        rpc_reply(a->rpc, id, NULL);
    else
        rpc_reply_error(a->rpc, id, RPC_METHOD_NOT_FOUND, "a shell has no such thing", NULL);
}

/* ---- what it tells --------------------------------------------------------------------------- */

static void keep_findings(ask_editor *a, const cJSON *params) {
    const cJSON *uri = cJSON_GetObjectItemCaseSensitive(params, "uri");
    const cJSON *all = cJSON_GetObjectItemCaseSensitive(params, "diagnostics");
    if (!cJSON_IsString(uri) || strcmp(uri->valuestring, a->uri) != 0) return;
    cJSON_Delete(a->findings);
    a->findings = cJSON_Duplicate(all, true);
}

static void show_progress(const cJSON *params) {
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(params, "value");
    const cJSON *message = cJSON_GetObjectItemCaseSensitive(value, "message");
    const cJSON *kind = cJSON_GetObjectItemCaseSensitive(value, "kind");
    if (!isatty(STDERR_FILENO)) return;
    bool over = cJSON_IsString(kind) && !strcmp(kind->valuestring, "end");
    fprintf(stderr, "\r\033[K%.100s", cJSON_IsString(message) && !over ? message->valuestring : "");
}

static void on_notification(void *ud, const char *method, const cJSON *params) {
    ask_editor *a = ud;
    const cJSON *message = cJSON_GetObjectItemCaseSensitive(params, "message");
    if (!strcmp(method, "textDocument/publishDiagnostics"))
        keep_findings(a, params);
    else if (!strcmp(method, "$/progress"))
        show_progress(params);
    else if (!strcmp(method, "window/showMessage") && cJSON_IsString(message))
        fprintf(stderr, "inlined: %s\n", message->valuestring);
}

static void on_answer(void *ud, const rpc_answer *answer) {
    ask_editor *a = ud;
    a->done = true;
    cJSON_Delete(a->result);
    a->result = NULL;
    if (answer->status == OK)
        a->result = cJSON_Duplicate(answer->result, true);
    else
        (void)err_set(&a->error, answer->status, "%.400s", answer->message);
}

/* Reads until the answer is there. */
static status wait_answer(ask_editor *a, err *e) {
    char bytes[LIMIT_READ_BYTES];
    while (!a->done) {
        ssize_t n = read(a->from, bytes, sizeof bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return err_set(e, ERR_IO, "the language server ended; see --log-file");
        status s = rpc_feed(a->rpc, (str){bytes, (size_t)n}, e);
        if (s != OK) return s;
    }
    /* The command was right; what it asked for could not be done. */
    return a->result ? OK : err_set(e, ERR_FORMAT, "%s", a->error.text);
}

/* ---- life ------------------------------------------------------------------------------------ */

static cJSON *initialize_params(const char *root) {
    static const char capabilities[] =
        "{\"general\":{\"positionEncodings\":[\"utf-8\"]},\"workspace\":{\"applyEdit\":true},"
        "\"window\":{\"workDoneProgress\":true},"
        "\"textDocument\":{\"publishDiagnostics\":{},\"codeAction\":{}}}";
    cJSON *p = cJSON_CreateObject(), *folder = cJSON_CreateObject();
    cJSON_AddNumberToObject(p, "processId", (double)getpid());
    cJSON_AddNullToObject(p, "rootUri");
    cJSON_AddItemToObject(p, "capabilities", cJSON_Parse(capabilities));
    cJSON_AddStringToObject(folder, "uri", root);
    cJSON_AddStringToObject(folder, "name", "workspace");
    cJSON_AddItemToArray(cJSON_AddArrayToObject(p, "workspaceFolders"), folder);
    return p;
}

static char *uri_of(const char *path) {
    strbuf b;
    strbuf_init(&b, 1u << 16);
    uri_add_path(&b, str_of(path));
    return strbuf_take(&b);
}

static void open_document(ask_editor *a) {
    cJSON *p = cJSON_CreateObject(), *d = cJSON_AddObjectToObject(p, "textDocument");
    cJSON_AddStringToObject(d, "uri", a->uri);
    cJSON_AddStringToObject(d, "languageId", ""); /* by its name */
    cJSON_AddNumberToObject(d, "version", 1);
    cJSON_AddStringToObject(d, "text", a->text.ptr ? a->text.ptr : "");
    rpc_notify(a->rpc, "textDocument/didOpen", p);
}

status ask_open(ask_editor *a, const cli_args *args, str path, err *e) {
    *a = (ask_editor){.args = args, .to = -1, .from = -1};
    strbuf_init(&a->text, LIMIT_DOCUMENT_BYTES);
    char *name = xstrndup(path.ptr, path.len), full[PATH_MAX], root[PATH_MAX];
    status s = file_read(name, LIMIT_DOCUMENT_BYTES, &a->text, e);
    if (s == OK && (!realpath(name, full) || !getcwd(root, sizeof root)))
        s = err_set(e, ERR_IO, "%s: %s", name, strerror(errno));
    if (s == OK && strlen(a->text.ptr ? a->text.ptr : "") != a->text.len)
        s = err_set(e, ERR_FORMAT, "%s is not a text: it holds a byte of zero", name);
    xfree(name);
    if (s != OK) return s;
    a->uri = uri_of(full);
    signal(SIGPIPE, SIG_IGN);
    a->rpc = rpc_new(FRAME_HEADERS, &(rpc_hooks){.ud = a,
                                                 .write = on_write,
                                                 .request = on_request,
                                                 .notification = on_notification});
    s = start_server(a, e);
    if (s != OK) return s;
    char *workspace = uri_of(root);
    rpc_request(a->rpc, "initialize", initialize_params(workspace), 0, on_answer, a);
    xfree(workspace);
    s = wait_answer(a, e);
    if (s != OK) return s;
    rpc_notify(a->rpc, "initialized", cJSON_CreateObject());
    open_document(a);
    return OK;
}

status ask_command(ask_editor *a, const char *command, cJSON *argument, err *e) {
    cJSON *p = cJSON_CreateObject();
    cJSON_AddStringToObject(p, "command", command);
    cJSON_AddItemToArray(cJSON_AddArrayToObject(p, "arguments"), argument);
    cJSON_AddStringToObject(p, "workDoneToken", "shell");
    a->done = false;
    rpc_request(a->rpc, "workspace/executeCommand", p, 0, on_answer, a);
    return wait_answer(a, e);
}

/* As the protocol wants it, and until the server's last word. */
static void say_goodbye(ask_editor *a) {
    err e;
    char rest[4096];
    a->done = false;
    rpc_request(a->rpc, "shutdown", NULL, 0, on_answer, a);
    if (wait_answer(a, &e) == OK) rpc_notify(a->rpc, "exit", NULL);
    close(a->to);
    a->to = -1;
    while (read(a->from, rest, sizeof rest) > 0) {
    }
}

void ask_close(ask_editor *a) {
    if (a->pid > 0 && a->rpc) say_goodbye(a);
    if (a->to >= 0) close(a->to);
    if (a->from >= 0) close(a->from);
    if (a->pid > 0) waitpid((pid_t)a->pid, NULL, 0);
    rpc_free(a->rpc);
    cJSON_Delete(a->result);
    cJSON_Delete(a->edits);
    cJSON_Delete(a->findings);
    strbuf_deinit(&a->text);
    xfree(a->uri);
}
