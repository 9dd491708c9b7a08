#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Our ids against Hugging Face's `tokenizers` package, for every BPE pre-tokeniser.

    hf_truth.py TOKENIZE_TOOL SOURCE-FILE...

The vocabulary and the merges are those of the plain base model (or of the GGUF with GPT-2 spelling
that INLINED_MODEL names).  For each family a copy of them
with that family's tokenizer.ggml.pre is written, the same tokenizer is put together from the
package's parts and the regular expressions of the published tokenizer.json files, and both encode
the same source files and random Unicode strings.  Every id must be the same.
"""
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile

import gguf_file

try:
    import tokenizers
    from tokenizers import Regex, Tokenizer
    from tokenizers.models import BPE
    from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence, Split
except ImportError:
    tokenizers = None

SKIP = 77
STRINGS = int(os.environ.get("HF_TRUTH_STRINGS", "10000"))
SEED = 20240613
BASE = "smollm2-135m-instruct"

CONTRACTION = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
BLANKS = r"\s*[\r\n]+|\s+(?!\S)|\s+"
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
WORD = r"[^\r\n\p{L}\p{N}]?\p{L}+"
PUNCT = r" ?[^\s\p{L}\p{N}]+[\r\n]*"
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
LEAD = r"[^\r\n\p{L}\p{N}]?"
CASED = rf"{LEAD}{UPPER}*{LOWER}+%s|{LEAD}{UPPER}+{LOWER}*%s"
CASED_PUNCT = r" ?[^\s\p{L}\p{N}]+[\r\n/]*"
LLAMA3 = rf"{CONTRACTION}|{WORD}|\p{{N}}{{1,3}}|{PUNCT}|{BLANKS}"
QWEN2 = rf"{CONTRACTION}|{WORD}|\p{{N}}|{PUNCT}|{BLANKS}"
DEEPSEEK3 = (r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+"""
             r"""|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|""" + BLANKS)
BLOOM = " ?[^(\\s|.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c)]+"
DEEPSEEK_CASED = (
    "A-Za-z\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u01bc-\u01bf\u01c4-\u0293"
    "\u0295-\u02af\u0370-\u0373\u0376\u0377\u037b-\u037d\u037f\u0386\u0388-\u038a\u038c"
    "\u038e-\u03a1\u03a3-\u03f5\u03f7-\u0481\u048a-\u052f\u0531-\u0556\u10a0-\u10c5"
    "\u13a0-\u13f5\u13f8-\u13fd\u1c90-\u1cba\u1cbd-\u1cbf\u1d00-\u1d2b\u1d6b-\u1d77"
    "\u1d79-\u1d9a\u1e00-\u1f15\u1f18-\u1f1d\u1f20-\u1f45\u1f48-\u1f4d\u1f50-\u1f57\u1f59"
    "\u1f5b\u1f5d\u1f5f-\u1f7d\u1f80-\u1fb4\u1fb6-\u1fbc\u1fbe\u1fc2-\u1fc4\u1fc6-\u1fcc"
    "\u1fd0-\u1fd3\u1fd6-\u1fdb\u1fe0-\u1fec\u1ff2-\u1ff4\u1ff6-\u1ffc\u2102\u2107"
    "\u210a-\u2113\u2115\u2119-\u211d\u2124\u2126\u2128\u212a-\u212d\u212f-\u2134\u2139"
    "\u213c-\u213f\u2145-\u2149\u214e\u2183\u2184\u2c00-\u2c7b\u2c7e-\u2ce4\u2ceb-\u2cee"
    "\u2cf2\u2cf3\ua640-\ua66d\ua680-\ua69b\ua722-\ua76f\ua771-\ua787\ua78b-\ua78e"
    "\uab70-\uabbf\ufb00-\ufb06\ufb13-\ufb17\uff21-\uff3a\uff41-\uff5a\U00010400-\U0001044f"
    "\U000104b0-\U000104d3\U000104d8-\U000104fb\U00010c80-\U00010cb2\U00010cc0-\U00010cf2"
    "\U000118a0-\U000118df\U0001e900-\U0001e943")

# name -> regular expressions, applied one after the other
FAMILIES = {
    "gpt-2": [GPT2],
    "smollm": ["\\p{N}", GPT2],
    "llama-bpe": [LLAMA3],
    "dbrx": [LLAMA3],
    "qwen2": [QWEN2],
    "qwen35": [rf"{CONTRACTION}|[^\r\n\p{{L}}\p{{N}}]?[\p{{L}}\p{{M}}]+|\p{{N}}"
               rf"| ?[^\s\p{{L}}\p{{M}}\p{{N}}]+[\r\n]*|{BLANKS}"],
    "seed-coder": [rf"{CONTRACTION}|{WORD}|\p{{N}}{{1}}| ?[^\s\p{{L}}\p{{N}}\r\n]+|{BLANKS}"],
    "deepseek-coder": [r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+",
                       "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+", r"\p{N}"],
    "deepseek-llm": [r"[\r\n]", rf"\s?[{DEEPSEEK_CASED}]+",
                     "\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+", r"\s+$",
                     "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+", r"\p{N}+"],
    "bloom": [BLOOM],
    "viking": [BLOOM, r"\p{N}"],
    "deepseek-v3": [r"\p{N}{1,3}", "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+", DEEPSEEK3],
    "tekken": [CASED % ("", "") + rf"|\p{{N}}|{CASED_PUNCT}|{BLANKS}"],
    "gpt-4o": [CASED % (CONTRACTION + "?", CONTRACTION + "?")
               + rf"|\p{{N}}{{1,3}}|{CASED_PUNCT}|{BLANKS}"],
    "falcon": [r"[\p{P}\$\+<=>\^~\|`]+", GPT2, "[0-9][0-9][0-9]"],
    "default": [r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", "[0-9][0-9][0-9]"],
    "minicpm5": [r"\p{N}{1,3}", rf"{CONTRACTION}|{WORD}|\p{{N}}+|{PUNCT}|{BLANKS}"],
    "laguna": [r"[^\n]+|[\n]+", QWEN2],
    "ufakzeka": [rf"{WORD}|\p{{N}}|{PUNCT}|{BLANKS}"],
}
IGNORE_MERGES = {"llama-bpe", "tekken", "minicpm5"}


# ---- strings ------------------------------------------------------------------------------------

WORDS = ["def", " return", "self.x", "it's", "WE'LL", "don'T", "i'Ve", "HTTPServer", "camelCase",
         "x_1", "0x1F", "1234567", "\u00bd", "\u0663\u0664", "\u4f60\u597d", "\u3042\u30ab",
         "\ud55c\uae00", "caf\u00e9", "cafe\u0301", "\u0915\u094d\u0937",
         "\u0e20\u0e32\u0e29\u0e32", "\U0001f999", "\u200d", "//", "/*", "*/", "->", "===",
         "\u2026", "\u3002", "\u017f", "'\u017f", "\u01c5", "\u02b0", "\u00aa", "<|im_start|",
         "\ufffd", "\x00", "\x1c", "\x7f", "\u00a0", "\u0085", "\u2028", "\u3000"]
BLANK = [" ", "  ", "    ", "\t", "\n", "\n\n", "\r\n", "\r", " \n", "\n    ", "\u00a0", "\x0b"]


def random_text(rng):
    parts = []
    for _ in range(rng.randint(1, 14)):
        kind = rng.random()
        if kind < 0.35:
            parts.append(rng.choice(WORDS))
        elif kind < 0.6:
            parts.append(rng.choice(BLANK))
        elif kind < 0.8:
            parts.append(chr(rng.randint(32, 126)) * rng.choice([1, 1, 1, 2, 5]))
        elif kind < 0.9:
            parts.append(chr(rng.choice([rng.randint(0x80, 0x2FFF), rng.randint(0x3000, 0xD7FF)])))
        else:
            parts.append(chr(rng.randint(0xE000, 0x1FFFF)))
    return "".join(parts)


# ---- both sides ---------------------------------------------------------------------------------

def reference(vocab, merges, name):
    model = BPE(vocab=vocab, merges=merges, ignore_merges=name in IGNORE_MERGES)
    made = Tokenizer(model)
    if name == "smollm":
        made.pre_tokenizer = Sequence([Digits(individual_digits=True),
                                       ByteLevel(add_prefix_space=False, use_regex=True)])
    else:
        splits = [Split(Regex(r), "isolated") for r in FAMILIES[name]]
        made.pre_tokenizer = Sequence(splits + [ByteLevel(add_prefix_space=False, use_regex=False)])
    return made


def ours(tool, model, texts):
    frames = b"".join(struct.pack("<I", len(t)) + t for t in (s.encode() for s in texts))
    done = subprocess.run([tool, model, "--frames"], input=frames, capture_output=True, check=True)
    return [[int(i) for i in line.split()] for line in done.stdout.decode().split("\n")[:-1]]


def check(tool, meta, name, texts, folder):
    tokens = [t.decode() for t in meta["tokenizer.ggml.tokens"]]
    merges = [tuple(m.decode().split(" ")) for m in meta["tokenizer.ggml.merges"]]
    made = reference({t: i for i, t in enumerate(tokens)}, merges, name)
    path = os.path.join(folder, f"{name}.gguf")
    keys = ("model", "tokens", "merges", "token_type")
    pairs = {f"tokenizer.ggml.{k}": meta[f"tokenizer.ggml.{k}"] for k in keys}
    gguf_file.write_metadata(path, {**pairs, "tokenizer.ggml.pre": name.encode()})
    have = ours(tool, path, texts)
    want = [e.ids for e in made.encode_batch(texts, add_special_tokens=False)]
    bad = [(t, w, h) for t, w, h in zip(texts, want, have) if w != h]
    print(f"{name}: {len(texts) - len(bad)} of {len(texts)} texts right", flush=True)
    for text, w, h in bad[:3]:
        print(f"  {text[:200]!r}\n    wanted {w[:60]}\n    have   {h[:60]}")
    return not bad and len(have) == len(texts)


def find_model():
    """INLINED_MODEL, or where the program keeps the plain base model; or an empty string."""
    if os.environ.get("INLINED_MODEL"):
        return os.environ["INLINED_MODEL"]
    program = os.path.join(os.environ.get("INLINED_BUILD", "build"), "inlined")
    if not os.access(program, os.X_OK):
        return ""
    done = subprocess.run([program, "models", "path", BASE], capture_output=True, text=True,
                          check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def main():
    tool, *sources = sys.argv[1:]
    if tokenizers is None:
        print("SKIP: this python has no tokenizers package")
        return SKIP
    model = find_model()
    if not os.path.isfile(model):
        print(f"SKIP: no model here; fetch it with: build/inlined models pull {BASE}, "
              "or set INLINED_MODEL")
        return SKIP
    rng = random.Random(SEED)
    meta = gguf_file.read_metadata(model)
    texts = [pathlib.Path(s).read_bytes().decode() for s in sources]
    texts += [random_text(rng) for _ in range(STRINGS)]
    with tempfile.TemporaryDirectory() as folder:
        results = [check(tool, meta, name, texts, folder) for name in FAMILIES]
    print(f"{sum(results)} of {len(results)} families right")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
