/* SPDX-License-Identifier: Apache-2.0 */
/* Language table and the few lexical questions that need no syntax tree.
 *
 * The lexical questions look at one line.  They are what is left when a document has no tree (plain
 * text, a language without grammar, a file above LIMIT_PARSE_BYTES, a parse that is not finished),
 * and they must be right most of the time, not always: the worst case is one suggestion too many or
 * too few.  A line above LIMIT_CURSOR_LINE_BYTES is data, and every answer about it is no.  Thread:
 * any; everything is const.
 */
#include "context/language.h"

#include "context/context.h"
#include "engine/base/limits.h"

#define QUOTES_C "\"'"
#define QUOTES_JS "\"'`"
#define COMMENT_C .line_comment = {"//"}, .block_comment = {"/*", "*/"}
#define COMMENT_HASH .line_comment = {"#"}

/* clang-format off */
static const language table[] = {
    {.name = "text", .ids = {"plaintext"}, .files = {".txt"}},
    {.name = "python", .imports = {"import", "from"}, .files = {".py", ".pyi", ".pyw", ".bzl",
     "SConstruct"}, COMMENT_HASH,
     .quotes = QUOTES_C, .blocks = BLOCKS_INDENT,
     .middles = {"else", "elif", "except", "finally"},
     .headers = {"def", "class", "if", "elif", "else", "for", "while", "with", "try", "except",
                 "finally", "async", "match", "case", ")", "]"}},
    {.name = "c", .imports = {"#include"}, .files = {".c", ".h"}, COMMENT_C, .quotes = QUOTES_C,
     .blocks = BLOCKS_BRACE,
     .semicolons = true, .macros = true},
    {.name = "typescript", .imports = {"import"}, .files = {".ts", ".mts", ".cts"}, COMMENT_C,
     .quotes = QUOTES_JS,
     .blocks = BLOCKS_BRACE, .semicolons = true},
    {.name = "tsx", .imports = {"import"}, .ids = {"typescriptreact"}, .files = {".tsx"},
     COMMENT_C, .quotes = QUOTES_JS,
     .blocks = BLOCKS_BRACE, .semicolons = true},
    {.name = "go", .imports = {"package", "import"}, .files = {".go"}, COMMENT_C,
     .quotes = QUOTES_JS, .blocks = BLOCKS_BRACE},
    {.name = "javascript", .imports = {"import"}, .ids = {"javascriptreact"}, .files = {".js",
     ".jsx", ".mjs", ".cjs"},
     COMMENT_C, .quotes = QUOTES_JS, .blocks = BLOCKS_BRACE, .semicolons = true},
    {.name = "cpp", .imports = {"#include", "using"}, .ids = {"c++", "cuda-cpp", "cuda"},
     .files = {".cpp", ".cc", ".cxx", ".hpp", ".hh", ".hxx", ".cu", ".cuh", ".ipp", ".inl"},
     COMMENT_C, .quotes = QUOTES_C, .blocks = BLOCKS_BRACE,
     .macros = true, .semicolons = true},
    {.name = "rust", .imports = {"use"}, .files = {".rs"}, COMMENT_C, .quotes = "\"",
     .blocks = BLOCKS_BRACE,
     .semicolons = true},
    {.name = "java", .imports = {"package", "import"}, .files = {".java"}, COMMENT_C,
     .quotes = QUOTES_C, .blocks = BLOCKS_BRACE,
     .semicolons = true},
    {.name = "csharp", .imports = {"using"}, .files = {".cs"}, COMMENT_C, .quotes = QUOTES_C,
     .blocks = BLOCKS_BRACE,
     .semicolons = true},
    {.name = "ruby", .imports = {"require", "require_relative"}, .files = {".rb", ".rake",
     ".gemspec", "Rakefile", "Gemfile"}, COMMENT_HASH,
     .quotes = QUOTES_C, .blocks = BLOCKS_WORD, .closers = {"end", "else", "elsif", "rescue"}},
    {.name = "php", .imports = {"use"}, .files = {".php"}, .line_comment = {"//", "#"},
     .block_comment = {"/*", "*/"},
     .quotes = QUOTES_C, .blocks = BLOCKS_BRACE, .semicolons = true},
    {.name = "lua", .files = {".lua"}, .line_comment = {"--"}, .quotes = QUOTES_C,
     .blocks = BLOCKS_WORD, .closers = {"end", "else", "elseif", "until"}},
    {.name = "bash", .ids = {"shellscript", "sh", "zsh"},
     .files = {".sh", ".bash", ".zsh", ".bashrc", ".profile"}, COMMENT_HASH, .quotes = QUOTES_C,
     .blocks = BLOCKS_WORD, .closers = {"fi", "done", "esac", "else", "elif"}},
    {.name = "json", .ids = {"jsonc"}, .files = {".json", ".jsonc"}, .line_comment = {"//"},
     .quotes = "\"", .blocks = BLOCKS_BRACE},
    {.name = "html", .files = {".html", ".htm"}, .block_comment = {"<!--", "-->"}, .quotes = "\""},
    {.name = "css", .imports = {"@import"}, .ids = {"scss", "less"}, .files = {".css"},
     .block_comment = {"/*", "*/"},
     .quotes = QUOTES_C, .blocks = BLOCKS_BRACE, .semicolons = true},
    {.name = "yaml", .files = {".yaml", ".yml"}, COMMENT_HASH, .quotes = QUOTES_C,
     .blocks = BLOCKS_INDENT},
    {.name = "make", .ids = {"makefile"}, .files = {".mk", "Makefile"}, COMMENT_HASH},
    {.name = "cmake", .files = {".cmake", "CMakeLists.txt"}, COMMENT_HASH, .quotes = "\""},
    {.name = "toml", .files = {".toml"}, COMMENT_HASH, .quotes = QUOTES_C},
    {.name = "sql", .files = {".sql"}, .line_comment = {"--"}, .block_comment = {"/*", "*/"},
     .quotes = QUOTES_C},
    {.name = "markdown", .files = {".md"}},
};
/* clang-format on */

/* Words behind which the body of a block follows, at the end of a header line. */
static const char *const opener_words[] = {"then", "do", "else", "repeat", "begin", "ensure", "in"};
/* Words that begin a header line whose body follows without an opener at its end. */
static const char *const header_words[] = {
    "def",   "class", "module", "function", "local function", "if",     "unless", "while",
    "until", "for",   "elsif",  "case",     "when",           "rescue", "begin"};

const language *language_at(size_t index) {
    return index < COUNTOF(table) ? &table[index] : NULL;
}

static bool is_id_of(const language *l, str id) {
    if (str_eq_ignore_case(str_of(l->name), id)) return true;
    for (size_t i = 0; i < COUNTOF(l->ids) && l->ids[i]; i++) {
        if (str_eq_ignore_case(str_of(l->ids[i]), id)) return true;
    }
    return false;
}

static bool is_file_of(const language *l, str base) {
    for (size_t i = 0; i < COUNTOF(l->files) && l->files[i]; i++) {
        str pattern = str_of(l->files[i]);
        if (pattern.ptr[0] == '.' ? str_ends_with(base, pattern) : str_eq(base, pattern))
            return true;
    }
    return false;
}

const language *language_find(str path, str id) {
    for (size_t i = 1; i < COUNTOF(table); i++) {
        if (is_id_of(&table[i], id)) return &table[i];
    }
    ptrdiff_t slash = str_rfind_char(path, '/');
    str base = str_sub(path, slash < 0 ? 0 : (size_t)slash + 1, path.len);
    for (size_t i = 1; i < COUNTOF(table); i++) {
        if (is_file_of(&table[i], base)) return &table[i];
    }
    return &table[0];
}

const grammar *language_grammar(const language *l) {
    for (size_t i = 0; i < grammars_count; i++) {
        if (strcmp(grammars[i].name, l->name) == 0) return &grammars[i];
    }
    return NULL;
}

static bool is_word_char(char c) {
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (unsigned char)c >= 0x80;
}

static bool starts_with_word(str s, const char *word) {
    str w = str_of(word);
    if (!str_starts_with(s, w)) return false;
    return s.len == w.len || !is_word_char(word[w.len - 1]) || !is_word_char(s.ptr[w.len]);
}

static bool ends_with_word(str s, const char *word) {
    str w = str_of(word);
    return str_ends_with(s, w) && (s.len == w.len || !is_word_char(s.ptr[s.len - w.len - 1]));
}

static bool opens_indent_block(const language *l, str line) {
    if (line.ptr[line.len - 1] != ':') return false;
    for (size_t i = 0; i < COUNTOF(l->headers) && l->headers[i]; i++) {
        if (starts_with_word(line, l->headers[i])) return true;
    }
    int open = 0; /* the last line of a header: "b) -> int:" */
    for (size_t i = 0; i < line.len; i++)
        open += (line.ptr[i] == '(') - (line.ptr[i] == ')');
    return open < 0 || l->headers[0] == NULL;
}

static bool opens_word_block(str line) {
    for (size_t i = 0; i < COUNTOF(opener_words); i++) {
        if (ends_with_word(line, opener_words[i])) return true;
    }
    if (line.ptr[line.len - 1] == '{') return true;
    for (size_t i = 0; i < COUNTOF(header_words); i++) {
        if (starts_with_word(line, header_words[i])) return !str_ends_with(line, STR("end"));
    }
    /* x = function(a) ... and list.each do |item| */
    return str_find(line, STR("function(")) >= 0 ||
           (line.ptr[line.len - 1] == '|' && str_find(line, STR(" do |")) >= 0);
}

bool language_opens_block(const language *l, str line) {
    if (line.len > LIMIT_CURSOR_LINE_BYTES) return false;
    line = str_trim(str_sub(line, 0, language_comment_start(l, line)));
    if (line.len == 0) return false;
    char last = line.ptr[line.len - 1];
    switch (l->blocks) {
    case BLOCKS_NONE: return false;
    case BLOCKS_BRACE: return last == '{';
    case BLOCKS_INDENT: return opens_indent_block(l, line);
    case BLOCKS_WORD: return opens_word_block(line);
    }
    ASSERT(0);
    return false;
}

bool language_closes_block(const language *l, str line) {
    line = str_trim(line);
    if (line.len == 0) return false;
    if (strchr("})]", line.ptr[0])) return true;
    for (size_t i = 0; i < COUNTOF(l->closers) && l->closers[i]; i++) {
        if (starts_with_word(line, l->closers[i])) return true;
    }
    return false;
}

bool language_continues_block(const language *l, str line) {
    line = str_trim(line);
    for (size_t i = 0; i < COUNTOF(l->middles) && l->middles[i]; i++) {
        if (starts_with_word(line, l->middles[i])) return true;
    }
    return language_closes_block(l, line);
}

bool language_is_import(const language *l, str line) {
    for (size_t i = 0; i < COUNTOF(l->imports) && l->imports[i]; i++) {
        if (starts_with_word(line, l->imports[i])) return true;
    }
    return false;
}

/* Walks a line once; `*comment` is where a line comment begins (or line.len), the result is the
 * quote that is open at the end or 0. */
static char scan_line(const language *l, str line, size_t *comment) {
    char quote = 0;
    *comment = line.len;
    if (line.len > LIMIT_CURSOR_LINE_BYTES) return 0;
    for (size_t i = 0; i < line.len; i++) {
        char c = line.ptr[i];
        if (quote) {
            if (c == '\\')
                i++;
            else if (c == quote)
                quote = 0;
            continue;
        }
        if (l->quotes && c && strchr(l->quotes, c)) {
            quote = c;
            continue;
        }
        for (size_t k = 0; k < COUNTOF(l->line_comment) && l->line_comment[k]; k++) {
            if (!str_starts_with(str_sub(line, i, line.len), str_of(l->line_comment[k]))) continue;
            *comment = i;
            return 0;
        }
    }
    return quote;
}

size_t language_comment_start(const language *l, str line) {
    size_t at;
    scan_line(l, line, &at);
    return at;
}

bool language_in_string(const language *l, str line) {
    size_t at;
    return scan_line(l, line, &at) != 0;
}

const char *context_language(str path, str language_id) {
    return language_find(path, language_id)->name;
}
