/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The families: character classes, patterns, and which name uses which.  Included by pretokenize.c
 * only, behind its types.  The regular expression of a pattern stands beside it where it is short.
 * Source: the models' tokenizer.json files. */

static size_t match_run(const pattern *p, const uchar *c, size_t i, size_t end);
static size_t match_word(const pattern *p, const uchar *c, size_t i, size_t end);
static size_t match_gpt2(const pattern *p, const uchar *c, size_t i, size_t end);

/* ---- classes ------------------------------------------------------------------------------- */

typedef struct {
    uint32_t first, last;
} cp_range;

static bool in_ranges(const cp_range *r, size_t n, uint32_t cp) {
    for (size_t i = 0; i < n && r[i].first <= cp; i++) {
        if (cp <= r[i].last) return true;
    }
    return false;
}

static bool in_number(const uchar *c) {
    return (c->class & UC_NUMBER) != 0;
}
static bool in_letter(const uchar *c) {
    return (c->class & UC_LETTER) != 0;
}
static bool in_punct(const uchar *c) {
    return (c->class & UC_PUNCT) != 0;
}
static bool in_space(const uchar *c) {
    return (c->class & UC_SPACE) != 0;
}
static bool in_newline(const uchar *c) {
    return c->cp == '\n' || c->cp == '\r';
}
static bool in_lf(const uchar *c) {
    return c->cp == '\n';
}
static bool in_not_lf(const uchar *c) {
    return c->cp != '\n';
}
static bool in_not_space(const uchar *c) {
    return !(c->class & UC_SPACE);
}
static bool in_ascii_digit(const uchar *c) {
    return c->cp >= '0' && c->cp <= '9';
}

/* [\p{P}$+<=>^~|] and the same with a back quote */
static bool in_punct_math(const uchar *c) {
    return in_punct(c) || (c->cp && c->cp < 128 && strchr("$+<=>^~|", (int)c->cp));
}
static bool in_punct_falcon(const uchar *c) {
    return in_punct_math(c) || c->cp == '`';
}

/* [\x{4E00}-\x{9FA5}\x{0800}-\x{4E00}\x{AC00}-\x{D7FF}]: how DeepSeek 1 and 2 spell CJK */
static bool in_deepseek_cjk(const uchar *c) {
    return (c->cp >= 0x800 && c->cp <= 0x9FA5) || (c->cp >= 0xAC00 && c->cp <= 0xD7FF);
}
/* Han, Hiragana, Katakana of DeepSeek 3 */
static bool in_cjk(const uchar *c) {
    return (c->cp >= 0x4E00 && c->cp <= 0x9FA5) || (c->cp >= 0x3040 && c->cp <= 0x30FF);
}

static bool in_deepseek_punct(const uchar *c) {
    static const cp_range r[] = {{'!', '/'},       {':', '~'},       {0x2018, 0x201F},
                                 {0x3000, 0x3002}, {0xFF01, 0xFF0F}, {0xFF1A, 0xFF5E}};
    return in_ranges(r, COUNTOF(r), c->cp);
}

static bool in_deepseek_cased(const uchar *c) {
    /* clang-format off */
    static const cp_range r[] = {
        {0x0041, 0x005A}, {0x0061, 0x007A}, {0x00B5, 0x00B5}, {0x00C0, 0x00D6}, {0x00D8, 0x00F6},
        {0x00F8, 0x01BA}, {0x01BC, 0x01BF}, {0x01C4, 0x0293}, {0x0295, 0x02AF}, {0x0370, 0x0373},
        {0x0376, 0x0376}, {0x0377, 0x0377}, {0x037B, 0x037D}, {0x037F, 0x037F}, {0x0386, 0x0386},
        {0x0388, 0x038A}, {0x038C, 0x038C}, {0x038E, 0x03A1}, {0x03A3, 0x03F5}, {0x03F7, 0x0481},
        {0x048A, 0x052F}, {0x0531, 0x0556}, {0x10A0, 0x10C5}, {0x13A0, 0x13F5}, {0x13F8, 0x13FD},
        {0x1C90, 0x1CBA}, {0x1CBD, 0x1CBF}, {0x1D00, 0x1D2B}, {0x1D6B, 0x1D77}, {0x1D79, 0x1D9A},
        {0x1E00, 0x1F15}, {0x1F18, 0x1F1D}, {0x1F20, 0x1F45}, {0x1F48, 0x1F4D}, {0x1F50, 0x1F57},
        {0x1F59, 0x1F59}, {0x1F5B, 0x1F5B}, {0x1F5D, 0x1F5D}, {0x1F5F, 0x1F7D}, {0x1F80, 0x1FB4},
        {0x1FB6, 0x1FBC}, {0x1FBE, 0x1FBE}, {0x1FC2, 0x1FC4}, {0x1FC6, 0x1FCC}, {0x1FD0, 0x1FD3},
        {0x1FD6, 0x1FDB}, {0x1FE0, 0x1FEC}, {0x1FF2, 0x1FF4}, {0x1FF6, 0x1FFC}, {0x2102, 0x2102},
        {0x2107, 0x2107}, {0x210A, 0x2113}, {0x2115, 0x2115}, {0x2119, 0x211D}, {0x2124, 0x2124},
        {0x2126, 0x2126}, {0x2128, 0x2128}, {0x212A, 0x212D}, {0x212F, 0x2134}, {0x2139, 0x2139},
        {0x213C, 0x213F}, {0x2145, 0x2149}, {0x214E, 0x214E}, {0x2183, 0x2183}, {0x2184, 0x2184},
        {0x2C00, 0x2C7B}, {0x2C7E, 0x2CE4}, {0x2CEB, 0x2CEE}, {0x2CF2, 0x2CF2}, {0x2CF3, 0x2CF3},
        {0xA640, 0xA66D}, {0xA680, 0xA69B}, {0xA722, 0xA76F}, {0xA771, 0xA787}, {0xA78B, 0xA78E},
        {0xAB70, 0xABBF}, {0xFB00, 0xFB06}, {0xFB13, 0xFB17}, {0xFF21, 0xFF3A}, {0xFF41, 0xFF5A},
        {0x10400, 0x1044F}, {0x104B0, 0x104D3}, {0x104D8, 0x104FB}, {0x10C80, 0x10CB2},
        {0x10CC0, 0x10CF2}, {0x118A0, 0x118DF}, {0x1E900, 0x1E943},
    };
    /* clang-format on */
    return in_ranges(r, COUNTOF(r), c->cp);
}

/* [^(\s|.,!?...)] of the Bloom family: everything but blanks, brackets, bar and full stops */
static bool in_bloom(const uchar *c) {
    static const uint32_t not [] = {'(',    ')',    '|',    '.',    ',',    '!',    '?',
                                    0x2026, 0x3002, 0xFF0C, 0x3001, 0x0964, 0x06D4, 0x060C};
    for (size_t i = 0; i < COUNTOF(not ); i++) {
        if (c->cp == not [i]) return false;
    }
    return !in_space(c);
}

/* ---- patterns ------------------------------------------------------------------------------ */

#define NOT_LETTER_NUMBER (UC_LETTER | UC_NUMBER)
#define NOT_SPACE_LETTER_NUMBER (UC_SPACE | UC_LETTER | UC_NUMBER)

static const pattern gpt2 = {.match = match_gpt2};

/* runs */
static const pattern one_number = {.match = match_run, .in = in_number, .max = 1};    /* \p{N} */
static const pattern three_numbers = {.match = match_run, .in = in_number, .max = 3}; /* {1,3} */
static const pattern numbers = {.match = match_run, .in = in_number};                 /* \p{N}+ */
static const pattern three_digits = {.match = match_run, .in = in_ascii_digit, .min = 3, .max = 3};
static const pattern punct_math = {.match = match_run, .in = in_punct_math};
static const pattern punct_falcon = {.match = match_run, .in = in_punct_falcon};
static const pattern newline = {.match = match_run, .in = in_newline, .max = 1};
static const pattern letters_lead = {.match = match_run, .in = in_letter, .lead = true};
static const pattern punct_lead = {.match = match_run, .in = in_punct, .lead = true};
static const pattern deepseek_cjk = {.match = match_run, .in = in_deepseek_cjk};
static const pattern deepseek_cased = {.match = match_run, .in = in_deepseek_cased, .lead = true};
static const pattern deepseek_punct = {.match = match_run, .in = in_deepseek_punct, .lead = true};
static const pattern spaces_at_end = {.match = match_run, .in = in_space, .at_end = true};
static const pattern cjk = {.match = match_run, .in = in_cjk};
static const pattern not_lf = {.match = match_run, .in = in_not_lf};
static const pattern lf = {.match = match_run, .in = in_lf};
static const pattern not_space = {.match = match_run, .in = in_not_space};
static const pattern bloom_words = {.match = match_run, .in = in_bloom, .lead_space = true};

/* words; what they have in common */
#define WORD                                                                                       \
 .match = match_word, .contraction = CONTRACTION_FIRST, .lead_not = NOT_LETTER_NUMBER,             \
 .letters = UC_LETTER, .punct_not = NOT_SPACE_LETTER_NUMBER, .tail = "\r\n"
#define CASED                                                                                      \
 .match = match_word, .lead_not = NOT_LETTER_NUMBER, .letters = UC_LETTER | UC_MARK,               \
 .cased = true, .punct_not = NOT_SPACE_LETTER_NUMBER, .tail = "\r\n/"

static const pattern qwen2 = {WORD, .digits = 1};
static const pattern llama3 = {WORD, .digits = 3};
static const pattern minicpm5 = {WORD, .digits = SIZE_MAX / 2};
static const pattern qwen35 = {.match = match_word,
                               .contraction = CONTRACTION_FIRST,
                               .lead_not = NOT_LETTER_NUMBER,
                               .letters = UC_LETTER | UC_MARK,
                               .digits = 1,
                               .punct_not = NOT_SPACE_LETTER_NUMBER | UC_MARK,
                               .tail = "\r\n"};
static const pattern seed_coder = {.match = match_word,
                                   .contraction = CONTRACTION_FIRST,
                                   .lead_not = NOT_LETTER_NUMBER,
                                   .letters = UC_LETTER,
                                   .digits = 1,
                                   .punct_not = NOT_SPACE_LETTER_NUMBER,
                                   .punct_no_newline = true,
                                   .tail = ""};
static const pattern ufakzeka = {.match = match_word,
                                 .lead_not = NOT_LETTER_NUMBER,
                                 .letters = UC_LETTER,
                                 .digits = 1,
                                 .punct_not = NOT_SPACE_LETTER_NUMBER,
                                 .tail = "\r\n"};
static const pattern deepseek3 = {.match = match_word,
                                  .ascii_lead = true,
                                  .lead_not = UC_LETTER | UC_PUNCT | UC_SYMBOL,
                                  .letters = UC_LETTER | UC_MARK,
                                  .punct = UC_PUNCT | UC_SYMBOL,
                                  .tail = "\r\n"};
static const pattern tekken = {CASED, .digits = 1};
static const pattern gpt4o = {CASED, .contraction = CONTRACTION_AFTER, .digits = 3};

/* ---- families ------------------------------------------------------------------------------ */

struct pretokenizer {
    const char *name, *names; /* names: all that a file may use, separated by blanks */
    const pattern *passes[8]; /* ends with NULL */
    bool ignores_merges, adds_bos;
};

/* clang-format off */
static const pretokenizer pretokenizers[] = {
    {"default", "default", {&punct_math, &gpt2, &numbers, &three_digits}, false, false},
    {"gpt-2", "gpt-2 phi-2 jina-es jina-de gigachat jina-v1-en jina-v2-es jina-v2-de jina-v2-code "
              "roberta-bpe a.x-4.0 mellum modern-bert mpt olmo jais trillion granite-docling "
              "exaone4",
     {&gpt2}, false, false},
    {"smollm", "smollm starcoder refact command-r codeshell exaone minerva-7b mellum2",
     {&one_number, &gpt2}, false, false},
    {"qwen2", "qwen2 deepseek-r1-qwen kormo f2llmv2 stablelm2 hunyuan megrez solar-open grok-2 "
              "bailingmoe bailingmoe2 llada-moe", {&qwen2}, false, false},
    {"qwen35", "qwen35", {&qwen35}, false, false},
    {"llama3", "llama3 llama-v3 llama-bpe falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano",
     {&llama3}, true, true},
    {"dbrx", "dbrx smaug-bpe glm4 chatglm-bpe", {&llama3}, false, false},
    {"minicpm5", "minicpm5", {&three_numbers, &minicpm5}, true, false},
    {"deepseek-coder", "deepseek-coder",
     {&newline, &letters_lead, &punct_lead, &deepseek_cjk, &one_number}, false, false},
    {"deepseek-llm", "deepseek-llm",
     {&newline, &deepseek_cased, &deepseek_punct, &spaces_at_end, &deepseek_cjk, &numbers},
     false, false},
    {"deepseek-v3", "deepseek-v3 hunyuan-dense joyai-llm hy_v4", {&three_numbers, &cjk, &deepseek3},
     false, false},
    {"tekken", "tekken", {&tekken}, true, true},
    {"gpt-4o", "gpt-4o llama4 kanana2 talkie minimax-m2", {&gpt4o}, false, false},
    {"granite-embed-multi-97m", "granite-embed-multi-97m", {&gpt4o}, true, false},
    {"seed-coder", "seed-coder", {&seed_coder}, false, false},
    {"falcon", "falcon", {&punct_falcon, &gpt2, &three_digits}, false, false},
    {"bloom", "bloom poro-chat gpt3-finnish", {&bloom_words}, false, false},
    {"viking", "viking", {&bloom_words, &one_number}, false, false},
    {"laguna", "laguna", {&not_lf, &lf, &qwen2}, false, false},
    {"ufakzeka", "ufakzeka", {&ufakzeka}, false, false},
    {"whitespace", "whitespace", {&not_space}, false, false},
    {"gemma4", "gemma4 granite-embed-multi-311m sarvam-moe", {&not_lf, &lf}, false, false},
};
/* clang-format on */
