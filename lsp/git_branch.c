/* SPDX-License-Identifier: Apache-2.0 */
/* The branch's changes, asked of git.
 *
 *     save, changed file, HEAD moved -> dirty
 *     tick, dirty, wanted            -> for-each-ref   which branch this one left
 *                                    -> diff --merge-base THAT   (or HEAD) -> context_set_diff
 *
 * A tick comes every two seconds, so many saves are one question; after an answer the next question
 * waits PAUSE_FACTOR times as long as git took, so that a large repository costs a few percent of a
 * core at most.  Nothing is asked while no prompt would have the answer in it, and none outside a
 * git repository.  What is hidden is left out in the context module, not here.
 * Invariant: at most one command of a folder runs, and its `ud` is that folder.  Thread: loop. */
#include "lsp/git_branch.h"

#include <sys/stat.h>

#include "engine/base/clock.h"
#include "engine/base/file.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "lsp/git.h"
#include "lsp/server.h"

#define PAUSE_FACTOR 20.0
#define DIFF_MS 5000
#define GITDIR_BYTES 4096

struct branch_folder {
    server *server;
    char *folder;     /* of the workspace */
    char *repository; /* the folder with HEAD; NULL: not found yet */
    git_command *command;
    bool dirty, told; /* told: the context holds something of it */
    uint64_t stamp;
    double asked_ms, next_ms;
    char base[256];
};

/* ---- the repository -------------------------------------------------------------------------- */

/* `.git` is a folder, or a file that names one. */
static char *repository_at(str folder) {
    strbuf path, text;
    struct stat st;
    err e;
    char *found = NULL;
    strbuf_init(&path, LIMIT_PATH_BYTES);
    strbuf_init(&text, GITDIR_BYTES);
    strbuf_addf(&path, "%.*s/.git", STR_ARG(folder));
    bool exists = !path.overflow && stat(path.ptr, &st) == 0;
    if (exists && S_ISDIR(st.st_mode)) {
        found = strbuf_take(&path);
    } else if (exists && S_ISREG(st.st_mode) &&
               file_read(path.ptr, GITDIR_BYTES, &text, &e) == OK) {
        str to = strbuf_str(&text);
        if (str_starts_with(to, STR("gitdir: "))) {
            to = str_trim(str_sub(to, 8, to.len));
            strbuf_clear(&path);
            if (to.len && to.ptr[0] != '/') strbuf_addf(&path, "%.*s/", STR_ARG(folder));
            strbuf_add_str(&path, to);
            if (to.len && !path.overflow) found = strbuf_take(&path);
        }
    }
    strbuf_deinit(&text);
    strbuf_deinit(&path);
    return found;
}

/* Of the nearest folder that has one, upwards. */
char *git_repository_of(const char *folder) {
    str at = str_of(folder);
    for (int depth = 0; depth < LIMIT_PATH_DEPTH && at.len && at.ptr[0] == '/'; depth++) {
        char *found = repository_at(at);
        if (found) return found;
        at = str_sub(at, 0, (size_t)str_rfind_char(at, '/'));
    }
    return NULL;
}

/* Changes with a checkout, a commit, a reset and what else moves HEAD or the index. */
static uint64_t stamp_of(const char *repository) {
    static const char *const files[] = {"HEAD", "index", "logs/HEAD"};
    uint64_t h = 1;
    for (size_t i = 0; i < COUNTOF(files); i++) {
        strbuf path;
        strbuf_init(&path, LIMIT_PATH_BYTES);
        strbuf_addf(&path, "%s/%s", repository, files[i]);
        if (!path.overflow) h = file_stamp(h, path.ptr);
        strbuf_deinit(&path);
    }
    return h;
}

/* ---- the questions --------------------------------------------------------------------------- */

static void ask_diff(branch_folder *f);

static void rest(branch_folder *f) {
    double now = clock_ms();
    f->command = NULL;
    f->next_ms = now + PAUSE_FACTOR * (now - f->asked_ms);
}

static void set_diff(branch_folder *f, str diff) {
    if (!diff.len && !f->told) return;
    context_set_diff(f->server->context, str_of(f->folder), diff);
    f->told = diff.len > 0;
}

static void on_diff(void *ud, const git_answer *a) {
    branch_folder *f = ud;
    f->command = NULL;
    if (a->status && strcmp(f->base, "HEAD") != 0) {
        snprintf(f->base, sizeof f->base, "HEAD"); /* no common ancestor, or an old git */
        ask_diff(f);
        return;
    }
    if (a->status) log_info("git", "no diff why=\"%s\"", a->why);
    set_diff(f, a->status ? (str){0} : a->output);
    rest(f);
}

static void ask_diff(branch_folder *f) {
    const char *args[16] = {"diff",
                            "--unified=0",
                            "--relative",
                            "--no-renames",
                            "--ignore-submodules",
                            "--src-prefix=a/",
                            "--dst-prefix=b/",
                            "--diff-filter=AM"};
    size_t n = 8;
    if (strcmp(f->base, "HEAD") != 0) args[n++] = "--merge-base";
    args[n++] = f->base;
    args[n++] = "--";
    args[n++] = "."; /* what no person writes would fill the answer */
    args[n++] = ":(exclude)*.lock";
    args[n++] = ":(exclude)*-lock.*";
    args[n++] = ":(exclude)*.min.*";
    f->command =
        git_ask(f->server->options.git,
                &(git_question){f->folder, args, n, LIMIT_DIFF_BYTES, DIFF_MS}, on_diff, f);
}

/* Where branches usually leave from, the likeliest first. */
static const char *const trunks[] = {"refs/remotes/origin/HEAD", "refs/remotes/origin/main",
                                     "refs/remotes/origin/master", "refs/heads/main",
                                     "refs/heads/master"};

static void on_refs(void *ud, const git_answer *a) {
    branch_folder *f = ud;
    f->command = NULL;
    if (a->status) {
        log_info("git", "no branches why=\"%s\"", a->why);
        set_diff(f, (str){0});
        rest(f);
        return;
    }
    size_t best = COUNTOF(trunks);
    str all = a->output, line;
    while (str_split(&all, '\n', &line)) {
        for (size_t i = 0; i < best; i++)
            if (str_eq(line, str_of(trunks[i]))) best = i;
    }
    snprintf(f->base, sizeof f->base, "%s", best < COUNTOF(trunks) ? trunks[best] : "HEAD");
    ask_diff(f);
}

static void ask(branch_folder *f) {
    const char *args[2 + COUNTOF(trunks)] = {"for-each-ref", "--format=%(refname)"};
    for (size_t i = 0; i < COUNTOF(trunks); i++)
        args[2 + i] = trunks[i];
    f->dirty = false;
    f->asked_ms = clock_ms();
    f->command = git_ask(f->server->options.git,
                         &(git_question){f->folder, args, COUNTOF(args), 0, DIFF_MS}, on_refs, f);
}

/* ---- folders --------------------------------------------------------------------------------- */

static bool is_wanted(const server *s) {
    context_request question;
    const model *m = server_model(s, ROLE_COMPLETION);
    if (!s->options.git || !s->settings.enable) return false;
    completion_question(&s->settings, m->state == MODEL_READY ? &m->info : NULL, &question);
    return question.retrieval && !(question.sections_off & context_section_bit("diff"));
}

static void drop(git_branches *b, size_t i) {
    branch_folder *f = b->folders.at[i];
    if (f->command) git_cancel(f->command);
    vec_remove(&b->folders, i);
    xfree(f->folder);
    xfree(f->repository);
    xfree(f);
}

static bool is_root(const server *s, const char *folder) {
    for (size_t i = 0; i < s->roots.count; i++)
        if (!strcmp(s->roots.at[i], folder)) return true;
    return false;
}

static bool is_kept(const git_branches *b, const char *folder) {
    for (size_t i = 0; i < b->folders.count; i++)
        if (!strcmp(b->folders.at[i]->folder, folder)) return true;
    return false;
}

void git_branch_update(server *s) {
    git_branches *b = &s->branches;
    for (size_t i = b->folders.count; i-- > 0;)
        if (!is_root(s, b->folders.at[i]->folder)) drop(b, i);
    for (size_t i = 0; i < s->roots.count; i++) {
        if (is_kept(b, s->roots.at[i]) || s->roots.at[i][0] != '/') continue;
        branch_folder *f = xcalloc(1, sizeof *f);
        *f = (branch_folder){.server = s, .folder = xstrdup(s->roots.at[i]), .dirty = true};
        vec_push(&b->folders, f);
    }
}

void git_branch_touched(server *s, str path) {
    for (size_t i = 0; i < s->branches.folders.count; i++) {
        branch_folder *f = s->branches.folders.at[i];
        f->dirty |= !path.len || str_starts_with(path, str_of(f->folder));
    }
}

static void look(branch_folder *f) {
    if (f->dirty && !f->repository) f->repository = git_repository_of(f->folder);
    if (!f->repository) {
        f->dirty = false;
        return;
    }
    uint64_t stamp = stamp_of(f->repository);
    if (stamp != f->stamp) f->dirty = true;
    f->stamp = stamp;
    if (f->dirty && clock_ms() >= f->next_ms) ask(f);
}

void git_branch_tick(server *s) {
    bool wanted = s->branches.folders.count && is_wanted(s);
    for (size_t i = 0; i < s->branches.folders.count; i++) {
        branch_folder *f = s->branches.folders.at[i];
        if (wanted && !f->command) look(f);
    }
}

void git_branch_gone(server *s) {
    while (s->branches.folders.count)
        drop(&s->branches, s->branches.folders.count - 1);
    vec_free(&s->branches.folders);
}
