/* SPDX-License-Identifier: Apache-2.0 */
/* The actions that a model edits with, as data.  Thread: any. */
#include "lsp/actions.h"

static bool is_definition(const document *d, const change_target *t) {
    UNUSED(d);
    return t->kind != TARGET_LINES;
}

static bool is_function(const document *d, const change_target *t) {
    UNUSED(d);
    return t->kind == TARGET_FUNCTION;
}

static bool is_undocumented(const document *d, const change_target *t) {
    static const char *const languages[] = {"bash", "c",          "cpp", "csharp",    "go",
                                            "java", "javascript", "lua", "php",       "python",
                                            "ruby", "rust",       "tsx", "typescript"};
    if (!is_definition(d, t) || t->doc_to > t->doc_from) return false;
    for (size_t i = 0; i < COUNTOF(languages); i++) {
        if (!strcmp(document_language(d), languages[i])) return true;
    }
    return false;
}

static bool has_optional_types(const document *d, const change_target *t) {
    static const char *const languages[] = {"php", "python", "tsx", "typescript"};
    for (size_t i = 0; i < COUNTOF(languages); i++) {
        if (!strcmp(document_language(d), languages[i])) return t->syntax;
    }
    return false;
}

static bool is_code(const document *d, const change_target *t) {
    UNUSED(d);
    return t->syntax;
}

/* Some lines of a function were selected. */
static bool is_part(const document *d, const change_target *t) {
    UNUSED(d);
    return t->kind == TARGET_LINES && t->syntax && t->name.len > 0;
}

/* The menu has these where the tree can do them: action_tree.c. */
static bool is_tree_only(const document *d, const change_target *t) {
    UNUSED(d);
    UNUSED(t);
    return false;
}

/* clang-format off */
static const code_action table[] = {
    {"improve", "refactor.rewrite", "Improve", "", ACTION_EDIT,
     "Improve this code: make it clearer, more robust and more idiomatic. Keep its behaviour, its "
     "name and its parameters.", NULL},
    {"simplify", "refactor.rewrite", "Simplify", "", ACTION_EDIT,
     "Simplify this code: fewer lines, less nesting, no repetition. Keep its behaviour, its name "
     "and its parameters.", is_code},
    {"rewrite", "refactor.rewrite", "Rewrite", " with instruction...", ACTION_EDIT,
     "Change this code as follows: ", NULL},
    {"errors", "refactor.rewrite", "Add error handling to", "", ACTION_EDIT,
     "Add error handling to this code: check what can fail and handle it in the way that the code "
     "around it does. Keep its name and its parameters.", is_code},
    {"types", "refactor.rewrite", "Add types to", "", ACTION_EDIT,
     "Add type annotations to this code. Change nothing else.",
     has_optional_types},
    {"document", "refactor.rewrite.document", "Document", "", ACTION_COMMENT,
     "Write the documentation comment of this code: one sentence that says what it does, then, if "
     "they are not obvious, its parameters, its result and its errors.",
     is_undocumented},
    {"tests", "refactor.rewrite.tests", "Generate tests for", "", ACTION_TESTS,
     "Write unit tests for this code with the usual test library of the language: usual values, "
     "limits, errors. Write a whole test file with its imports.", is_function},
    {"extract", "refactor.extract", "Extract a function from", "", ACTION_EDIT,
     "Move the marked lines into a new function with a good name in front of this one, and call it "
     "instead of them. Change nothing else. Write both functions.", is_part},
    {"nameVariable", "refactor.extract", "Extract variable", "", ACTION_NAME,
     "The marked code becomes the value of a new variable in front of its statement. What is a good "
     "name for the variable?", is_tree_only},
    {"nameFunction", "refactor.extract", "Extract function", "", ACTION_NAME,
     "The marked lines become the body of a new function. What is a good name for the function?",
     is_tree_only},
    {"explain", "inlined.explain", "Explain", "", ACTION_EXPLAIN, "", NULL},
    {"review", "inlined.review", "Review", "", ACTION_REVIEW, "", NULL},
    {"reviewFile", "inlined.review", "Review this file", "", ACTION_REVIEW, "", NULL},
    {"reviewChanges", "inlined.review", "Review changes against git", "", ACTION_REVIEW, "", NULL},
    {"fix", "quickfix", "Fix", "", ACTION_EDIT,
     "Fix the problems that are listed. Change nothing else.", NULL},
};
/* clang-format on */

const code_action *action_at(size_t i) {
    return i < COUNTOF(table) ? &table[i] : NULL;
}

const code_action *action_find(str word) {
    for (size_t i = 0; i < COUNTOF(table); i++) {
        if (str_eq(word, str_of(table[i].word))) return &table[i];
    }
    return NULL;
}

void action_label(const document *d, const change_target *t, char out[static 96]) {
    size_t first = document_line_of(d, t->from) + 1, last = document_line_of(d, t->to) + 1;
    char lines[48];
    if (first == last)
        snprintf(lines, sizeof lines, "line %zu", first);
    else
        snprintf(lines, sizeof lines, "lines %zu-%zu", first, last);
    if (t->kind != TARGET_LINES)
        snprintf(out, 96, "%.*s", (int)MIN(t->name.len, 60), t->name.ptr);
    else if (t->name.len)
        snprintf(out, 96, "%s of %.*s", lines, (int)MIN(t->name.len, 40), t->name.ptr);
    else
        snprintf(out, 96, "%s", lines);
}
