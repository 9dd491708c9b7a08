/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* THE MODEL: text in, text out.  Knows nothing of editors, JSON or URIs.
 *
 * The engine is one thread that owns every model, KV cache and device.  Other threads give it jobs
 * and take events back; both meet only in engine/mailbox.c, and messages are moved, not shared.
 * A caller states the whole prompt it wants; the engine finds out by itself how much of it is in a
 * KV cache already (longest common prefix of tokens over its sequences) and prefills the rest in
 * chunks.  It runs one step at a time (a prefill chunk, or a decoded token of each job of one class
 * on one model; see schedule.c), so a job is cancelled or overtaken between any two steps.
 *
 * Thread: every function may be called from the thread that started the engine (the loop thread),
 * unless it says otherwise.  None of them blocks, but engine_start and engine_stop.
 */
#include "engine/base/status.h"
#include "engine/base/str.h"
#include "engine/chat.h"
#include "engine/grammar.h"
#include "kernels/kernels.h"

typedef struct engine engine;

typedef struct {
    k_device device;        /* K_AUTO */
    int threads;            /* 0: chosen */
    void (*wake)(void *ud); /* called on other threads when events wait; e.g. uv_async_send */
    void *wake_ud;
} engine_options;

status engine_start(engine **out, const engine_options *opt, err *e) MUST_USE;
/* Cancels everything, joins the thread, frees models.  Undrained events are freed.  NULL: fine. */
void engine_stop(engine *g);

typedef struct {
    char name[96];                  /* of the backend: "cpu (avx512-vnni, 2 threads)" */
    char why[256];                  /* one sentence */
    bool is_device;                 /* it has memory of its own ... */
    uint64_t free_bytes, all_bytes; /* ... of which so much was free when the engine started */
} engine_device;
/* What the engine runs on; the same until it stops, even when the device fails meanwhile. */
const engine_device *engine_get_device(const engine *g);
/* Bytes of main memory that can be had without swapping. */
uint64_t engine_host_memory(void);

/* ---- models ---------------------------------------------------------------------------------- */

typedef struct {
    const char *path;   /* .gguf; copied */
    const char *name;   /* shown to people; copied */
    int context_tokens; /* 0: the model's own length, at most what the memory plan allows (8192) */
    k_kv_type kv_type;
    bool cpu;            /* on the CPU, even when there is a device */
    uint64_t memory_max; /* bytes that it may take, where it runs; 0: what there is */
} engine_model_options;

/* Starts loading into `slot` (0..LIMIT_ENGINE_MODELS-1), unloading what is there.  Ends in
 * EV_LOADED or EV_LOAD_FAILED; EV_LOAD_PROGRESS in between.  Gives the load's number, from 1, which
 * all events about this model carry, EV_UNLOADED included.  After a device was lost the engine
 * loads its models again, under their old numbers. */
uint64_t engine_load(engine *g, int slot, const engine_model_options *opt);
void engine_unload(engine *g, int slot);

/* Keys and values on disk.  Writes the sequence that was used last to a file, or reads one back, so
 * that a prompt that begins like it need not be computed again.  Other jobs run between two pages.
 * Ends in EV_SAVED or EV_RESTORED. */
void engine_save(engine *g, int slot, const char *path);
void engine_restore(engine *g, int slot, const char *path);

typedef enum { FIM_NONE, FIM_PSM, FIM_SPM } fim_format; /* FIM_SPM: PRE SUF suffix MID prefix */

/* How a model writes the call of a tool, by its chat template. */
typedef enum {
    CHAT_TOOLS_NONE,   /* the template has no place for tools */
    CHAT_TOOLS_TAGGED, /* <tool_call> {"name": .., "arguments": ..} </tool_call> */
    CHAT_TOOLS_BARE,   /* {"name": .., "parameters": ..} and nothing else: Llama 3 */
    CHAT_TOOLS_LIST,   /* [TOOL_CALLS] [{"name": .., "arguments": ..}]: Mistral */
} chat_tool_style;

/* What is worth showing, in percent of probability, as it was measured; 0: nobody measured it. */
typedef struct {
    int show; /* least geometric mean of the tokens */
    int cut;  /* least of one token: the text ends before the first below */
} model_confidence;

typedef struct {
    char name[64];
    char arch[32];
    char backend[96];
    char why[256]; /* why this backend: one sentence */
    bool on_device;
    char quant[16]; /* the type that most weight bytes have */
    uint64_t file_bytes;
    k_memory memory;
    int context_tokens, layers, dim, vocab;
    fim_format fim;   /* what prompts for this model use */
    bool cross_file;  /* pieces of other files help it */
    bool single_line; /* it was trained on single lines: do not ask it for blocks */
    bool chat;        /* PROMPT_CHAT works: its file has a chat template that runs */
    chat_tool_style chat_tools;
    model_confidence confidence;
    double load_ms;
} engine_model_info;

/* ---- jobs ------------------------------------------------------------------------------------ */

/* Smaller is sooner. */
typedef enum { PRIO_TYPE, PRIO_USER, PRIO_SPEC, PRIO_BACKGROUND } job_priority;

typedef enum {
    PROMPT_TOKENS,     /* `tokens` as they are */
    PROMPT_TEXT,       /* `prefix` as raw text; special tokens only with `special` */
    PROMPT_COMPLETION, /* path, context, prefix, suffix in the model's own FIM (or prefix) format */
    PROMPT_CHAT,       /* `chat` through the template of the file; ERR_UNSUPPORTED without */
} prompt_kind;

/* The text around the cursor in the prompt.  A model whose vocabulary lacks the markers for what is
 * asked keeps its own order. */
typedef enum { ORDER_MODEL, ORDER_PREFIX, ORDER_PSM, ORDER_SPM } prompt_order;

typedef struct {
    str path, text; /* a piece of another file; path may be empty */
} prompt_chunk;

/* Borrowed during engine_submit, which copies. */
typedef struct {
    prompt_kind kind;
    const int32_t *tokens;
    size_t n_tokens;
    str path;                   /* of the file, relative to its workspace; may be empty */
    const prompt_chunk *chunks; /* stable first, volatile last */
    size_t n_chunks;
    str prefix, suffix; /* around the cursor */
    prompt_order order;
    /* PROMPT_CHAT: a dict with `messages` and, if any, `tools` and what else templates ask for;
     * bos_token, eos_token and add_generation_prompt are the engine's.  Its texts are never taken
     * for control tokens.  `tokens`: ids of the conversation so far (prompt and answer of the last
     * job); they are kept as they are where the new text begins like theirs. */
    chat_value chat;
    bool special; /* PROMPT_TEXT: parse special tokens */
    bool heal;    /* cut the prompt back to a certain token boundary and constrain the output */
    int prefix_tokens_max, suffix_tokens_max, context_tokens_max; /* 0: chosen by the engine */
} engine_prompt;

typedef struct {
    float temperature;    /* 0: greedy */
    int top_k;            /* 0: off */
    float top_p, min_p;   /* 1 and 0: off */
    float repeat_penalty; /* 1: off */
    uint64_t seed;
} sampling;

typedef enum {
    STOP_NONE,  /* only tokens, strings, limits */
    STOP_LINE,  /* at the first newline after a non-blank character */
    STOP_BLOCK, /* multi-line: at a line indented less than `indent`, or at a blank line that
                   follows a complete line, or after `lines_max` lines */
} stop_rule;

typedef struct {
    uint64_t client; /* who asks (an LSP connection); for fairness and logs */
    int slot;        /* model */
    job_priority priority;
    engine_prompt prompt;
    sampling sampling;
    int tokens_max;     /* generated, 1..LIMIT_GENERATE_TOKENS */
    int time_budget_ms; /* decode stops (keeping its text) after this long; 0: none */
    double deadline_ms; /* by clock_ms(); later its answer is worthless: without a token until then
                           it ends with ERR_LATE, else with what is there (FINISH_TIME); 0: none */
    float token_logprob_min; /* ends with the first token of text below; 0: none */
    stop_rule stop;
    int indent;              /* STOP_BLOCK: columns of the line where the cursor is */
    int lines_max;           /* STOP_BLOCK: 0 = 64 */
    const str *stop_strings; /* copied; the text ends before the first that appears */
    size_t n_stop_strings;
    /* The text is a sentence of this grammar and ends with it (FINISH_GRAMMAR); held by the job.
     * With a trigger it binds only what follows the trigger's first appearance.  NULL: none. */
    const grammar *grammar;
    str trigger;       /* copied */
    bool control_text; /* control tokens are text, too; else they have none */
    bool ignore_eog;   /* benchmarks: go on past end-of-generation tokens */
    bool no_guesses;   /* benchmarks: one token per step */
    int logprobs;      /* 0: only that of each chosen token; K: the best K per position */
    bool stream;       /* EV_TEXT while it runs */
} engine_job;

typedef uint64_t job_id; /* grows from 1; 0 is never a job */

/* Copies the job and returns its id.  ERR_LIMIT: LIMIT_ENGINE_JOBS are there that nobody cancelled.
 * Every job that was accepted ends in exactly one EV_DONE, also when its model is absent or it is
 * cancelled. */
status engine_submit(engine *g, const engine_job *job, job_id *id, err *e) MUST_USE;
/* Jobs for this slot that have not ended. */
int engine_count_jobs(engine *g, int slot);
/* Its EV_DONE (ERR_CANCELLED) comes after the running step.  An unknown id is ignored. */
void engine_cancel(engine *g, job_id id);

/* ---- events ---------------------------------------------------------------------------------- */

typedef enum {
    EV_LOAD_PROGRESS,
    EV_LOADED,
    EV_LOAD_FAILED,
    EV_UNLOADED,
    EV_SAVED,
    EV_RESTORED,
    EV_TEXT,
    EV_DONE,
} event_kind;

typedef enum {
    FINISH_EOG,
    FINISH_LINE,
    FINISH_BLOCK,
    FINISH_STRING,
    FINISH_TOKENS,
    FINISH_TIME,
    FINISH_CONTEXT, /* the sequence is full */
    FINISH_DOUBT,   /* token_logprob_min; the doubted token is the last of the text */
    FINISH_GRAMMAR, /* the grammar's sentence is complete */
    FINISH_FAILED,  /* status is not OK     */
} finish_reason;
const char *finish_reason_name(finish_reason r); /* "eog", "line", "string", "length", ... */
/* A limit of tokens, time or context: the text would go on. */
static inline bool finish_reason_cuts(finish_reason r) {
    return r == FINISH_TOKENS || r == FINISH_TIME || r == FINISH_CONTEXT;
}

typedef struct {
    int32_t id;
    float logprob;
} token_prob;

typedef struct {
    status status;
    err error; /* when status != OK */
    finish_reason finish;
    str text;              /* generated text, complete UTF-8, without healed bytes and stop text */
    const int32_t *tokens; /* generated ids (healed ones included) */
    /* [n_tokens * n_probs_per_token], best first; with one per token, the chosen one's. */
    const token_prob *probs;
    int n_tokens, n_probs_per_token;
    const int32_t *prompt; /* the prompt's ids as they were run */
    int n_prompt;
    char format[24]; /* "prefix", "fim-psm", "fim-spm", "text", "tokens", "chat" */
    int prefix_tokens, suffix_tokens, context_tokens; /* parts of n_prompt */
    int healed_bytes;             /* bytes of the prefix that were cut and reproduced */
    int reused, prefilled;        /* prompt tokens from the KV cache, and computed */
    int sequences, cached_tokens; /* in the model's KV cache when the job ended */
    int steps, shared_steps;      /* that it had rows in, and those where other jobs had, too */
    double queue_ms, prefill_ms, decode_ms;
    /* Over the tokens that belong to `text`; 0 when it is empty.  While healed bytes are owed, a
     * token's probability is its share among the tokens that were allowed. */
    float logprob_mean, logprob_min;
    const int32_t *token_start; /* where each token begins in `text`; INT32_MAX: it has none */
    const float *token_logprob; /* as in logprob_mean */
} engine_result;

typedef struct {
    event_kind kind;
    int slot;                      /* events of models and sequences */
    uint64_t load;                 /* events of models: engine_load's number */
    float progress;                /* EV_LOAD_PROGRESS: 0..1 */
    const char *what;              /* EV_LOAD_PROGRESS: "mapping", "repacking", ... (static) */
    const engine_model_info *info; /* EV_LOADED */
    status status;                 /* EV_LOAD_FAILED: the kind of failure */
    uint64_t missing;              /* EV_LOAD_FAILED, ERR_LIMIT: bytes of memory; 1: nobody knows */
    const err *error;              /* EV_LOAD_FAILED; EV_SAVED, EV_RESTORED: NULL when it worked */
    int tokens;                    /* EV_SAVED, EV_RESTORED: of the sequence; EV_TEXT: so far */
    job_id job;                    /* EV_TEXT, EV_DONE */
    str text;                      /* EV_TEXT: what is new, complete UTF-8 */
    const engine_result *result;   /* EV_DONE */
} engine_event;

/* Calls `fn` for each waiting event, in order; what an event points to is valid during the call. */
void engine_drain(engine *g, void (*fn)(void *ud, const engine_event *ev), void *ud);

/* ---- questions that need no job -------------------------------------------------------------- */

typedef struct tokenizer tokenizer;
/* The loaded model's tokenizer, or NULL; valid until the slot's next EV_LOADED or EV_UNLOADED. */
const tokenizer *engine_tokenizer(const engine *g, int slot);
