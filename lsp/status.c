/* SPDX-License-Identifier: Apache-2.0 */
/* The status as a sentence.  "Nothing happens, and nobody says why" is the complaint that every
 * tool of this kind gets; so every request without a suggestion has a reason, the reason is stable
 * for programs and has words for people.  Thread: loop; pure. */
#include "lsp/status.h"

typedef struct {
    const char *reason, *words;
} reason_words;

/* clang-format off */
static const reason_words words_of[] = { /* tidy: sorted */
    {"busy",              "the engine has too much to do"},
    {"cancelled",         "the request was cancelled"},
    {"comment",           "the cursor is in a comment"},
    {"confidence",        "the model was not sure enough"},
    {"denied-file",        "the file is on the list of private files"},
    {"disabled",          "the setting inlined.enable is false"},
    {"disabled-language", "this language is in inlined.completion.disabledLanguages"},
    {"duplicates-prefix", "it would only repeat the line above"},
    {"duplicates-suffix", "the text after the cursor says it already"},
    {"empty",             "the model had nothing to add"},
    {"empty-document",    "the file is empty"},
    {"engine",            "the engine failed"},
    {"ignored-file",       "a .gitignore names the file"},
    {"late",              "the model was too slow"},
    {"line-complete",     "the line is complete already"},
    {"line-too-long",     "the line is too long"},
    {"menu-off",          "the setting inlined.completion.menu is false"},
    {"mid-line",          "there is code right of the cursor"},
    {"mid-word",          "the cursor is inside a word"},
    {"model-failed",      "the model cannot be used"},
    {"model-loading",     "the model is still loading"},
    {"not-invoked",       "inlined.completion.auto is false and nobody asked by hand"},
    {"privacy-unreadable", "a file that says what is private cannot be read"},
    {"repetition",        "the model began to repeat itself"},
    {"secret",             "it would be, or the cursor is in, what looks like a secret"},
    {"selected-item",     "nothing fits the item that is selected in the menu"},
    {"stale",             "the text has changed since"},
    {"string",            "the cursor is in a string"},
    {"syntax",            "it would have broken the syntax"},
    {"unknown-document",  "the file is not open here"},
    {"unknown-name",      "it would have used a name that is defined nowhere"},
};
/* clang-format on */

const char *status_reason_words(const char *reason) {
    for (size_t i = 0; i < COUNTOF(words_of); i++) {
        if (!strcmp(words_of[i].reason, reason)) return words_of[i].words;
    }
    return reason;
}

#define MESSAGE_BYTES 512

static void ready(const model *m, const status_reason *why, char *message, lsp_status *out) {
    out->state = "ready";
    if (why->reason[0])
        snprintf(message, MESSAGE_BYTES, "%s: no suggestion, %s", m->name,
                 why->detail[0] ? why->detail : status_reason_words(why->reason));
    else
        snprintf(message, MESSAGE_BYTES, "%s ready (%s)%s", m->name, m->info.backend,
                 m->info.fim == FIM_NONE
                     ? "; it was not trained to fill in the middle and sees only what stands "
                       "before the cursor"
                     : "");
}

void status_describe(const model *m, const settings *s, const status_reason *why, char *message,
                     lsp_status *out) {
    *out = (lsp_status){.state = "starting",
                        .kind = "Normal",
                        .model = m->state == MODEL_NONE ? "" : m->name,
                        .backend = m->state == MODEL_READY ? m->info.backend : "",
                        .backend_why = m->state == MODEL_READY ? m->info.why : "",
                        .reason = why->reason,
                        .uri = str_of(why->uri),
                        .message = message,
                        .progress = -1};
    if (!s->enable) {
        out->state = "off";
        out->kind = "Inactive";
        snprintf(message, MESSAGE_BYTES, "off: the setting inlined.enable is false");
        return;
    }
    switch (m->state) {
    case MODEL_NONE: snprintf(message, MESSAGE_BYTES, "starting"); break;
    case MODEL_LOADING:
        out->state = "loading";
        out->busy = true;
        out->progress = m->percent;
        snprintf(message, MESSAGE_BYTES, "loading %s (%d %%)", m->name, m->percent);
        break;
    case MODEL_READY: ready(m, why, message, out); break;
    case MODEL_FAILED:
        out->state = "error";
        out->kind = "Error";
        snprintf(message, MESSAGE_BYTES, "%s", m->error.text);
        break;
    }
}
