/* SPDX-License-Identifier: Apache-2.0 */
/* engine.h as its callers see it, over small models that the test makes itself: results, reuse,
 * priorities, cancelling, loading and failing.  ThreadSanitizer runs this too.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "engine/base/utf8.h"
#include "engine/grammar.h"
#include "engine/tokenizer.h"
#include "tests/engine/engine_fixture.h"

/* ---- results -------------------------------------------------------------------------------- */

static void loading_says_what_was_loaded(void **state) {
    fixture *f = *state;
    assert_string_equal(f->info.arch, "llama");
    assert_string_equal(f->info.quant, "F32");
    assert_int_equal(f->info.context_tokens, 512);
    assert_int_equal(f->info.layers, 2);
    assert_int_equal(f->info.fim, FIM_NONE);
    assert_true(f->progress > 2);
    assert_non_null(engine_tokenizer(f->g, 0));
    assert_null(engine_tokenizer(f->g, 1));
}

static void greedy_is_deterministic_hit_or_miss(void **state) {
    fixture *f = *state;
    engine_job job = text_job("def f(self):\n    return the value of self", 40);
    answer *cold = run(f, &job), *warm = run(f, &job);
    assert_int_equal(cold->status, OK);
    assert_int_equal(cold->finish, FINISH_TOKENS);
    assert_int_equal(cold->n_tokens, 40);
    assert_int_equal(cold->reused, 0);
    assert_int_equal(cold->prefilled, cold->n_prompt);
    assert_int_equal(warm->reused, cold->n_prompt - 1);
    assert_int_equal(warm->prefilled, 1);
    check_same(cold, warm);
}

static void generated_tokens_are_reused_when_accepted(void **state) {
    fixture *f = *state;
    engine_job job = text_job("int x = 1", 20);
    answer *first = run(f, &job);
    int32_t all[64];
    memcpy(all, first->prompt, (size_t)first->n_prompt * 4);
    memcpy(all + first->n_prompt, first->tokens, 20 * 4);
    job.prompt = (engine_prompt){
        .kind = PROMPT_TOKENS, .tokens = all, .n_tokens = (size_t)first->n_prompt + 10};
    job.tokens_max = 10;
    answer *next = run(f, &job);
    assert_int_equal(next->reused, first->n_prompt + 9);
    assert_memory_equal(next->tokens, first->tokens + 10, 10 * 4);
}

static void a_seed_gives_one_text(void **state) {
    fixture *f = *state;
    engine_job job = text_job("return", 30);
    job.sampling = (sampling){.temperature = 1.0f, .top_k = 40, .top_p = 0.95f, .seed = 42};
    answer *a = run(f, &job), *b = run(f, &job);
    check_same(a, b);
    job.sampling.seed = 43;
    answer *c = run(f, &job);
    assert_memory_not_equal(a->tokens, c->tokens, 30 * 4);
}

static void confidence_is_over_the_shown_tokens(void **state) {
    fixture *f = *state;
    engine_job job = text_job("the", 12);
    answer *a = run(f, &job);
    const tokenizer *t = engine_tokenizer(f->g, 0);
    double sum = 0;
    float least = 0;
    size_t shown = strlen(a->text), at = 0;
    int n = 0;
    for (int i = 0; i < 12 && at < shown; i++) {
        str piece = tokenizer_piece(t, a->tokens[i]);
        if (tokenizer_is_control(t, a->tokens[i])) continue;
        if ((unsigned char)piece.ptr[0] >= 0x80) return; /* replaced bytes: lengths differ */
        sum += (double)a->logprobs[i];
        least = MIN(least, a->logprobs[i]);
        at += piece.len;
        n++;
    }
    assert_true(n > 0);
    assert_true(fabs((double)a->mean - sum / n) < 1e-4);
    assert_true(fabsf(a->least - least) < 1e-5f);
}

static void alternatives_are_sorted_and_begin_with_the_greedy_one(void **state) {
    fixture *f = *state;
    engine_job job = text_job("the int", 5);
    job.ignore_eog = false;
    job.logprobs = 5;
    job_id id = submit(f, &job);
    answer *a = wait_for(f, id);
    assert_int_equal(a->status, OK);
    for (int i = 0; i < a->n_tokens; i++)
        assert_true(a->logprobs[i] <= 0);
}

/* Guesses may save steps but never change a token: the text is that of one step per token, which a
 * generation of one token at a time is. */
static void guessing_changes_nothing(void **state) {
    fixture *f = *state;
    static const char *const texts[] = {"a = b\na = b\na = b\na =", "int x\nint y\nint x\nint",
                                        "zzzzzzzzzzzzzzzz", "def f(self):\n    return self"};
    for (size_t i = 0; i < COUNTOF(texts); i++) {
        engine_job job = text_job(texts[i], 48);
        job.prompt.heal = i % 2;
        if (i == 3) job.sampling = (sampling){.temperature = 0.3f, .seed = 9};
        answer *whole = run(f, &job);
        assert_int_equal(whole->n_tokens, 48);
        if (i == 3 || job.prompt.heal)
            continue; /* a fresh start has no owed bytes and a fresh seed */
        int32_t ids[TOKENS];
        memcpy(ids, whole->prompt, (size_t)whole->n_prompt * 4);
        int n = whole->n_prompt;
        for (int k = 0; k < 48; k++) {
            engine_job one = text_job("", 1);
            one.prompt =
                (engine_prompt){.kind = PROMPT_TOKENS, .tokens = ids, .n_tokens = (size_t)n};
            ids[n++] = run(f, &one)->tokens[0];
        }
        assert_memory_equal(ids + whole->n_prompt, whole->tokens, 48 * 4);
    }
}

static void healing_reproduces_the_cut_bytes(void **state) {
    fixture *f = *state;
    static const char *const texts[] = {"x = intermed", "def f(", "a\n    ", "return"};
    for (size_t i = 0; i < COUNTOF(texts); i++) {
        engine_job job = text_job(texts[i], 16);
        job.prompt.heal = true;
        answer *a = run(f, &job);
        assert_int_equal(a->status, OK);
        assert_true(a->healed > 0);
        strbuf whole; /* prompt and answer together must begin with the text */
        strbuf_init(&whole, 4096);
        const tokenizer *t = engine_tokenizer(f->g, 0);
        tokenizer_decode(t, a->prompt, (size_t)a->n_prompt, false, &whole);
        tokenizer_decode(t, a->tokens, (size_t)a->n_tokens, false, &whole);
        assert_true(str_starts_with(strbuf_str(&whole), str_of(texts[i])));
        strbuf_deinit(&whole);
    }
}

/* ---- grammars ------------------------------------------------------------------------------- */

/* A pair of numbers and words: random weights must write nothing else, greedy or drawn, and stop
 * with it. */
static grammar *pair_grammar(void) {
    grammar *g = grammar_new();
    gsym digits = grammar_repeat(g, grammar_range(g, '0', '9'), 1, 3);
    str words[] = {STR("return"), STR("rest"), STR("int")};
    gsym parts[] = {grammar_literal(g, STR("(")), digits, grammar_literal(g, STR(", ")),
                    grammar_words(g, words, 3), grammar_literal(g, STR(")"))};
    assert_true(grammar_start(g, grammar_sequence(g, parts, 5)));
    return g;
}

static void check_pair(const answer *a) {
    int number, end = 0;
    char word[8];
    assert_int_equal(a->status, OK);
    assert_int_equal(a->finish, FINISH_GRAMMAR);
    assert_int_equal(sscanf(a->text, "(%3d, %7[a-z])%n", &number, word, &end), 2);
    assert_int_equal(end, strlen(a->text));
    assert_true(!strcmp(word, "return") || !strcmp(word, "rest") || !strcmp(word, "int"));
}

static void a_grammar_binds_the_text(void **state) {
    fixture *f = *state;
    engine_job job = text_job("def f(self):", 40);
    job.ignore_eog = false;
    grammar *g = pair_grammar();
    job.grammar = g;
    check_pair(run(f, &job));
    for (uint64_t seed = 1; seed < 12; seed++) {
        job.sampling = (sampling){.temperature = 1.5f, .seed = seed};
        check_pair(run(f, &job));
    }
    job_id id = submit(f, &job);
    grammar_release(g); /* the job holds it */
    check_pair(wait_for(f, id));
}

static void a_trigger_frees_what_is_before_it(void **state) {
    fixture *f = *state;
    engine_job job = text_job("int x", 60);
    job.sampling = (sampling){.temperature = 1.0f, .seed = 5}; /* drawn: text of many kinds */
    answer *open = run(f, &job);
    /* Whatever the model writes somewhere becomes the trigger. */
    size_t middle = strlen(open->text) / 2;
    char trigger[2] = {0};
    while (open->text[middle] && (open->text[middle] < ' ' || open->text[middle] > '~'))
        middle++;
    assert_true(open->text[middle] != 0);
    trigger[0] = open->text[middle];
    size_t first = strcspn(open->text, trigger);
    grammar *g = pair_grammar();
    job.grammar = g;
    job.trigger = str_of(trigger);
    answer *a = run(f, &job);
    assert_int_equal(a->status, OK);
    assert_memory_equal(a->text, open->text, first + 1);
    if (a->text[first + 1] == '(') {
        char copy[2048];
        snprintf(copy, sizeof copy, "%s", a->text + first + 1);
        snprintf(a->text, sizeof a->text, "%s", copy);
        check_pair(a);
    } else { /* the trigger's token went on with what cannot follow: it ends there */
        assert_int_equal(a->finish, FINISH_GRAMMAR);
    }
    grammar_release(g);
}

static void chats_need_a_template(void **state) {
    fixture *f = *state;
    arena mem;
    arena_init(&mem);
    chat_value chat = chat_new_dict(&mem);
    chat_dict_set(&mem, chat, STR("messages"), chat_new_list(&mem));
    engine_job job = text_job("", 4);
    job.prompt = (engine_prompt){.kind = PROMPT_CHAT, .chat = chat};
    answer *a = run(f, &job);
    assert_int_equal(a->status, ERR_UNSUPPORTED);
    assert_non_null(strstr(a->error.text, "instruct"));
    assert_false(f->info.chat);
    load(f, 2, &(tiny_options){.context = 512, .seed = 3, .chat = "{{ messages | length }}:"});
    assert_true(f->info.chat);
    job.slot = 2;
    a = run(f, &job);
    assert_int_equal(a->status, OK);
    assert_int_equal(a->n_prompt, 2);
    job.prompt.chat = chat_str(STR("x"));
    job_id id;
    err e;
    assert_int_equal(engine_submit(f->g, &job, &id, &e), ERR_USAGE);
    arena_deinit(&mem);
}

static void add_message(arena *mem, chat_value list, const char *role, str text) {
    chat_value m = chat_new_dict(mem);
    chat_dict_set(mem, m, STR("role"), chat_str(str_of(role)));
    chat_dict_set(mem, m, STR("content"), chat_str(arena_str(mem, text)));
    chat_list_add(mem, list, m);
}

/* A conversation with tools: each round's prompt begins with the last one's tokens, what the model
 * wrote included, so that a round computes what was added to it and nothing else. */
static void a_round_computes_only_what_is_new(void **state) {
    fixture *f = *state;
    static const char call[] = "{\"name\":\"look\"}", said[] = "there are 7";
    load(f, 2,
         &(tiny_options){.context = 512,
                         .seed = 3,
                         .chat = "{% for m in messages %}"
                                 "{{ m.role[0] }}:{{ m.content }}\n{% endfor %}b:"});
    arena mem;
    arena_init(&mem);
    chat_value chat = chat_new_dict(&mem), messages = chat_new_list(&mem);
    chat_dict_set(&mem, chat, STR("messages"), messages);
    add_message(&mem, messages, "user", STR("how many are in it, and in all the others?"));
    grammar *g = grammar_new();
    assert_true(grammar_start(g, grammar_literal(g, str_of(call))));
    int32_t kept[TOKENS];
    int n_kept = 0, computed = 0, longest = 0;
    for (int round = 0; round < 6; round++) {
        engine_job job = {.slot = 2, .tokens_max = 40, .grammar = g};
        job.prompt = (engine_prompt){
            .kind = PROMPT_CHAT, .chat = chat, .tokens = kept, .n_tokens = (size_t)n_kept};
        answer *a = run(f, &job);
        assert_int_equal(a->status, OK);
        assert_string_equal(a->text, call);
        assert_memory_equal(a->prompt, kept, (size_t)n_kept * 4);
        assert_int_equal(a->prefilled, a->n_prompt - a->reused);
        if (round) assert_true(a->reused >= n_kept - 1);
        /* A line end, "t:" and the result, a line end, "b:"; at most a token a byte. */
        if (round) assert_true(a->prefilled <= (int)strlen(said) + 8);
        computed += a->prefilled;
        longest = a->n_prompt;
        n_kept = a->n_prompt + a->n_tokens;
        memcpy(kept, a->prompt, (size_t)a->n_prompt * 4);
        memcpy(kept + a->n_prompt, a->tokens, (size_t)a->n_tokens * 4);
        if (tokenizer_is_eog(engine_tokenizer(f->g, 2), kept[n_kept - 1])) n_kept--;
        add_message(&mem, messages, "bot", str_of(call));
        add_message(&mem, messages, "tool", str_of(said));
    }
    /* All rounds together compute less than the last prompt is long: what the model wrote was
     * computed as it was written. */
    assert_true(computed < longest);
    print_message("6 rounds, a last prompt of %d tokens: %d prefilled\n", longest, computed);
    grammar_release(g);
    arena_deinit(&mem);
}

/* ---- ends ----------------------------------------------------------------------------------- */

static void streamed_text_is_the_result(void **state) {
    fixture *f = *state;
    engine_job job = text_job("self.value", 60);
    job.stream = true;
    answer *whole = run(f, &job);
    assert_string_equal(whole->streamed, whole->text);
    char stop_text[4] = {0};
    memcpy(stop_text, whole->text + strlen(whole->text) / 2, 1);
    size_t length = 1;
    while (!utf8_is_valid((str){stop_text, length}) && length < 3) {
        stop_text[length] = whole->text[strlen(whole->text) / 2 + length];
        length++;
    }
    str stops[1] = {{stop_text, length}};
    if (!utf8_is_valid(stops[0])) stops[0] = STR("\n");
    job.stop_strings = stops;
    job.n_stop_strings = 1;
    answer *cut = run(f, &job);
    ptrdiff_t at = str_find(str_of(whole->text), stops[0]);
    assert_int_equal(cut->finish, at >= 0 ? FINISH_STRING : FINISH_TOKENS);
    if (at >= 0) assert_int_equal(strlen(cut->text), at);
    assert_string_equal(cut->streamed, cut->text);
}

static void doubt_ends_a_job(void **state) {
    fixture *f = *state;
    engine_job job = text_job("def f(x):", 20);
    answer *whole = run(f, &job);
    assert_int_equal(whole->finish, FINISH_TOKENS);
    assert_true(whole->least < -0.01f);
    job.token_logprob_min = whole->least - 0.01f; /* nothing is below */
    check_same(whole, run(f, &job));
    job.token_logprob_min = -0.001f; /* a random model is never that sure */
    answer *cut = run(f, &job);
    assert_int_equal(cut->finish, FINISH_DOUBT);
    assert_true(cut->n_tokens < whole->n_tokens);
    assert_memory_equal(cut->text, whole->text, strlen(cut->text));
}

static void prompts_at_the_edges(void **state) {
    fixture *f = *state;
    engine_job job = text_job("", 3);
    answer *a = run(f, &job);
    assert_int_equal(a->status, OK);
    assert_int_equal(a->n_prompt, 1);
    assert_int_equal(a->prompt[0], TINY_END);
    job = text_job("x", 1);
    a = run(f, &job);
    assert_int_equal(a->n_tokens, 1);
    char *longest = xcalloc(1, 700);
    memset(longest, 'z', 699);
    job = text_job(longest, 3);
    a = run(f, &job);
    assert_int_equal(a->status, ERR_LIMIT);
    assert_non_null(strstr(a->error.text, "699"));
    longest[500] = '\0'; /* 500 of 512 positions */
    job = text_job(longest, 100);
    a = run(f, &job);
    assert_int_equal(a->finish, FINISH_CONTEXT);
    assert_int_equal(a->n_prompt + a->n_tokens, 513); /* the last token needs no position */
    job.prompt.kind = PROMPT_COMPLETION;
    longest[500] = 'z';
    a = run(f, &job);
    assert_int_equal(a->status, OK); /* completions are cut instead */
    xfree(longest);
}

static void wrong_orders_are_refused_at_once(void **state) {
    fixture *f = *state;
    job_id id;
    err e;
    engine_job job = text_job("x", 0);
    assert_int_equal(engine_submit(f->g, &job, &id, &e), ERR_USAGE);
    job = text_job("x", 4);
    job.slot = LIMIT_ENGINE_MODELS;
    assert_int_equal(engine_submit(f->g, &job, &id, &e), ERR_USAGE);
    job.slot = 0;
    job.sampling.temperature = (float)NAN;
    assert_int_equal(engine_submit(f->g, &job, &id, &e), ERR_USAGE);
    job = text_job("x", 4);
    job.slot = 5;
    assert_int_equal(run(f, &job)->status, ERR_NOT_FOUND);
}

/* ---- order and cancelling ------------------------------------------------------------------- */

static void typing_overtakes(void **state) {
    fixture *f = *state;
    engine_job slow = text_job("the background", 400), fast = text_job("return", 4);
    slow.priority = PRIO_BACKGROUND;
    job_id slow_id = submit(f, &slow);
    usleep(5000);
    answer *quick = run(f, &fast), *late = wait_for(f, slow_id);
    assert_true(quick->order < late->order);
    assert_int_equal(late->status, OK);
    assert_int_equal(late->n_tokens, 400);
    answer *alone = run(f, &slow);
    check_same(late, alone); /* being overtaken changes nothing */
}

static void cancelled_jobs_end_once_and_keep_the_cache(void **state) {
    fixture *f = *state;
    engine_job job = text_job("the cancelled one", 450);
    job_id id = submit(f, &job);
    usleep(3000);
    engine_cancel(f->g, id);
    engine_cancel(f->g, id);
    engine_cancel(f->g, 999999);
    answer *a = wait_for(f, id);
    assert_true(a->status == ERR_CANCELLED || a->status == OK);
    job.tokens_max = 2;
    answer *b = run(f, &job);
    assert_int_equal(b->status, OK);
    bool had_begun = a->n_prompt > 0 && a->prefilled == a->n_prompt;
    if (had_begun) assert_int_equal(b->reused, b->n_prompt - 1);
}

static void bursts_are_all_answered(void **state) {
    fixture *f = *state;
    job_id ids[500];
    uint32_t seed = 5;
    int n = 0, refused = 0;
    while (n < 500) {
        seed = seed * 1664525u + 1013904223u;
        engine_job job = text_job(&"self"[seed >> 31], 1 + (int)(seed >> 28));
        job.priority = (job_priority)(seed >> 20 & 3);
        err e;
        status s = engine_submit(f->g, &job, &ids[n], &e);
        if (s != OK) {
            assert_int_equal(s, ERR_LIMIT);
            refused++;
            drain(f);
            usleep(500);
            continue;
        }
        if (seed >> 10 & 1) engine_cancel(f->g, ids[n]);
        n++;
    }
    for (int i = 0; i < n; i++) {
        answer *a = wait_for(f, ids[i]);
        assert_true(a->status == OK || a->status == ERR_CANCELLED);
    }
    assert_true(refused > 0);
}

/* ---- models --------------------------------------------------------------------------------- */

static void failed_loads_are_one_sentence(void **state) {
    fixture *f = *state;
    engine_load(f->g, 1,
                &(engine_model_options){.path = "/nonexistent/model.gguf", .name = "none"});
    engine_job job = text_job("x", 2);
    job.slot = 1;
    answer *a = run(f, &job);
    assert_int_equal(f->failures, 1);
    assert_true(a->status != OK);
    assert_string_equal(a->error.text, f->load_error.text);
    assert_non_null(strstr(a->error.text, "/nonexistent/model.gguf"));
    char path[128];
    tiny_model_write(&(tiny_options){.arch = "unheard_of"}, path);
    engine_load(f->g, 1, &(engine_model_options){.path = path, .name = "none"});
    drain_until(f, &f->failures, 2);
    assert_non_null(strstr(f->load_error.text, "unheard_of"));
    assert_non_null(strstr(f->load_error.text, "llama"));
    unlink(path);
}

/* A load of some hundred matrices takes some hundred looks at the other slots' jobs. */
static void jobs_go_on_while_another_model_is_built(void **state) {
    UNUSED(state);
    fixture f = {0};
    err e;
    assert_int_equal(engine_start(&f.g, &(engine_options){.device = K_CPU, .threads = 1}, &e), OK);
    load(&f, 0, &(tiny_options){.context = 512});
    char path[128];
    tiny_model_write(&(tiny_options){.layers = 400, .seed = 9}, path);
    uint64_t number = engine_load(f.g, 1, &(engine_model_options){.path = path, .name = "deep"});
    assert_true(number > 1);
    engine_job job = text_job("return", 1);
    while (f.loads < 2) {
        assert_int_equal(run(&f, &job)->status, OK);
        f.count = 0;
        assert_int_equal(f.failures, 0);
    }
    assert_true(f.done_beside > 3);
    job.slot = 1;
    assert_int_equal(run(&f, &job)->status, OK);
    /* A newer wish ends a load; jobs for its slot wait for what comes instead. */
    engine_load(f.g, 1, &(engine_model_options){.path = path, .name = "deep"});
    engine_load(f.g, 1, &(engine_model_options){.path = path, .name = "deep"});
    assert_int_equal(run(&f, &job)->status, OK);
    assert_int_equal(f.failures, 1);
    assert_int_equal(f.load_status, ERR_CANCELLED);
    engine_load(f.g, 1, &(engine_model_options){.path = path, .name = "x", .memory_max = 1 << 16});
    drain_until(&f, &f.failures, 2);
    assert_int_equal(f.load_status, ERR_LIMIT);
    assert_true(f.missing > 1000);
    assert_non_null(strstr(f.load_error.text, "what the settings leave it"));
    engine_load(f.g, 1, &(engine_model_options){.path = path, .name = "deep"});
    engine_stop(f.g); /* in the middle of it */
    unlink(path);
}

static void every_architecture_runs(void **state) {
    fixture *f = *state;
    static const char *const archs[] = {"deepseek2", "gemma",    "gemma2",  "gemma3",
                                        "granite",   "llama",    "phi3",    "qwen2",
                                        "qwen3",     "qwen3moe", "smollm3", "starcoder2"};
    for (size_t i = 0; i < COUNTOF(archs); i++) {
        load(f, 2, &(tiny_options){.arch = archs[i], .layers = 7});
        assert_string_equal(f->info.arch, archs[i]);
        engine_job job = text_job("return the int", 40);
        job.slot = 2;
        answer *a = run(f, &job);
        assert_int_equal(a->status, OK);
        assert_int_equal(a->n_tokens, 40);
    }
    assert_int_equal(f->unloads, (int)COUNTOF(archs) - 1);
    engine_unload(f->g, 2);
    drain_until(f, &f->unloads, (int)COUNTOF(archs));
    assert_null(engine_tokenizer(f->g, 2));
}

/* ---- sequences on disk ---------------------------------------------------------------------- */

/* Its tokens, or -1; then move_error says why. */
static int move(fixture *f, bool save, int slot, const char *path) {
    int before = f->moves;
    if (save)
        engine_save(f->g, slot, path);
    else
        engine_restore(f->g, slot, path);
    drain_until(f, &f->moves, before + 1);
    return f->move_error[0] ? -1 : f->moved_tokens;
}

static void change_byte(const char *path, long at, int from_end) {
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, at, from_end ? SEEK_END : SEEK_SET), 0);
    int c = fgetc(file);
    assert_int_equal(fseek(file, at, from_end ? SEEK_END : SEEK_SET), 0);
    fputc(c ^ 1, file);
    fclose(file);
}

static void a_sequence_survives_the_engine(void **state) {
    fixture *f = *state;
    static const char text[] = "def intermediate(self):\n    return the int = self and more, more";
    const tiny_options opt = {.context = 512, .seed = 8};
    char path[64];
    snprintf(path, sizeof path, "/tmp/inlined-kv-%ld", (long)getpid());
    load(f, 3, &opt);
    assert_int_equal(move(f, true, 3, path), -1);
    assert_non_null(strstr(f->move_error, "no sequence to save"));
    engine_job job = text_job(text, 20);
    job.slot = 3;
    answer *first = run(f, &job);
    assert_int_equal(move(f, true, 3, path), first->n_prompt + 19); /* the last was not computed */
    load(f, 3, &opt); /* a fresh model: nothing is cached */
    assert_int_equal(move(f, false, 3, path), first->n_prompt + 19);
    answer *again = run(f, &job);
    assert_int_equal(again->reused, first->n_prompt - 1);
    check_same(first, again);

    /* What cannot be believed is one sentence, and the next prompt is computed. */
    assert_int_equal(move(f, false, 3, "/nonexistent/kv"), -1);
    assert_int_equal(move(f, true, 3, "/nonexistent/kv"), -1);
    assert_int_equal(move(f, false, 4, path), -1);
    assert_non_null(strstr(f->move_error, "slot 4"));
    load(f, 3, &(tiny_options){.context = 512, .seed = 9});
    assert_int_equal(move(f, false, 3, path), -1);
    assert_non_null(strstr(f->move_error, "another model"));
    load(f, 3, &(tiny_options){.context = 256, .seed = 8});
    assert_int_equal(move(f, false, 3, path), -1); /* other metadata: another model */
    load(f, 3, &opt);
    static const struct {
        long at;
        int from_end;
    } places[] = {{0, 0}, {110, 0}, {5000, 0}, {-1, 1}, {-70, 1}};
    for (size_t i = 0; i < COUNTOF(places); i++) {
        change_byte(path, places[i].at, places[i].from_end);
        if (move(f, false, 3, path) != -1) fail_msg("byte %ld was not missed", places[i].at);
        assert_non_null(strstr(f->move_error, path));
        change_byte(path, places[i].at, places[i].from_end);
    }
    load(f, 3, &opt);
    engine_restore(f->g, 3, path); /* a job that comes meanwhile waits for it */
    again = run(f, &job);
    assert_int_equal(again->reused, first->n_prompt - 1);
    check_same(first, again);
    load(f, 3, &opt);
    assert_int_equal(truncate(path, 3000), 0);
    assert_int_equal(move(f, false, 3, path), -1);
    assert_non_null(strstr(f->move_error, "no whole saved sequence"));
    again = run(f, &job);
    assert_int_equal(again->reused, 0);
    check_same(first, again);
    unlink(path);
}

static void unloading_ends_running_jobs(void **state) {
    fixture *f = *state;
    load(f, 3, &(tiny_options){.context = 512});
    engine_job job = text_job("the", 400);
    job.slot = 3;
    job_id first = submit(f, &job), second = submit(f, &job);
    usleep(2000);
    engine_unload(f->g, 3);
    answer *a = wait_for(f, first), *b = wait_for(f, second);
    assert_true(a->status == ERR_CANCELLED || a->status == ERR_NOT_FOUND || a->status == OK);
    assert_true(b->status != OK || a->status == OK);
}

static void stopping_with_work_left_is_clean(void **state) {
    UNUSED(state);
    fixture *f = NULL;
    assert_int_equal(fixture_start((void **)&f), 0);
    for (int i = 0; i < 20; i++) {
        engine_job job = text_job("the end", 300);
        job.stream = true;
        submit(f, &job);
    }
    usleep(2000);
    fixture_stop((void **)&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(loading_says_what_was_loaded, fixture_start, fixture_stop),
        cmocka_unit_test_setup_teardown(greedy_is_deterministic_hit_or_miss, fixture_start,
                                        fixture_stop),
        cmocka_unit_test_setup_teardown(generated_tokens_are_reused_when_accepted, fixture_start,
                                        fixture_stop),
        cmocka_unit_test_setup_teardown(a_seed_gives_one_text, fixture_start, fixture_stop),
        cmocka_unit_test_setup_teardown(confidence_is_over_the_shown_tokens, fixture_start,
                                        fixture_stop),
        cmocka_unit_test_setup_teardown(alternatives_are_sorted_and_begin_with_the_greedy_one,
                                        fixture_start, fixture_stop),
        cmocka_unit_test_setup_teardown(guessing_changes_nothing, fixture_start, fixture_stop),
        cmocka_unit_test_setup_teardown(healing_reproduces_the_cut_bytes, fixture_start,
                                        fixture_stop),
        cmocka_unit_test_setup_teardown(a_grammar_binds_the_text, fixture_start, fixture_stop),
        cmocka_unit_test_setup_teardown(a_trigger_frees_what_is_before_it, fixture_start,
                                        fixture_stop),
        cmocka_unit_test_setup_teardown(chats_need_a_template, fixture_start, fixture_stop),
        cmocka_unit_test_setup_teardown(a_round_computes_only_what_is_new, fixture_start,
                                        fixture_stop),
        cmocka_unit_test_setup_teardown(streamed_text_is_the_result, fixture_start, fixture_stop),
        cmocka_unit_test_setup_teardown(doubt_ends_a_job, fixture_start, fixture_stop),
        cmocka_unit_test_setup_teardown(prompts_at_the_edges, fixture_start, fixture_stop),
        cmocka_unit_test_setup_teardown(wrong_orders_are_refused_at_once, fixture_start,
                                        fixture_stop),
        cmocka_unit_test_setup_teardown(typing_overtakes, fixture_start, fixture_stop),
        cmocka_unit_test_setup_teardown(cancelled_jobs_end_once_and_keep_the_cache, fixture_start,
                                        fixture_stop),
        cmocka_unit_test_setup_teardown(bursts_are_all_answered, fixture_start, fixture_stop),
        cmocka_unit_test_setup_teardown(failed_loads_are_one_sentence, fixture_start, fixture_stop),
        cmocka_unit_test_setup_teardown(a_sequence_survives_the_engine, fixture_start,
                                        fixture_stop),
        cmocka_unit_test(jobs_go_on_while_another_model_is_built),
        cmocka_unit_test_setup_teardown(every_architecture_runs, fixture_start, fixture_stop),
        cmocka_unit_test_setup_teardown(unloading_ends_running_jobs, fixture_start, fixture_stop),
        cmocka_unit_test(stopping_with_work_left_is_clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
