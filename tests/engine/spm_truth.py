#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Our ids against other libraries for vocabularies that are no byte-level BPE.

    spm_truth.py TOKENIZE_TOOL [LLAMA_CPP_FOLDER]

SentencePiece (llama-spm, also without its space prefix, phi-3, baichuan): the `sentencepiece`
package, given the file's own pieces and scores.  Gemma 4 and BERT: Hugging Face's `tokenizers`,
given the file's merges or pieces.  The vocabularies are those of vocab_truth.py.  Random Unicode
strings and source files; every id must be the same.
"""
import pathlib
import random
import struct
import sys
import tempfile
import unicodedata

import gguf_file
import hf_truth
import vocab_truth

try:
    import sentencepiece
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
except ImportError:
    sentencepiece = None

KEY = "tokenizer.ggml."
TYPE_OF_KIND = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6}  # GGUF took its numbers from SentencePiece


# ---- a SentencePiece model file, by hand: it is a protocol buffer --------------------------------

def varint(n):
    out = b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def field(number, value):
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    return varint(number << 3) + varint(value)


def spm_reference(meta, prefix):
    pieces = zip(meta[KEY + "tokens"], meta[KEY + "scores"], meta[KEY + "token_type"])
    seen, unknown, out = set(), False, b""
    for i, (text, score, kind) in enumerate(pieces):
        if text in seen or (kind == 2 and unknown) or kind == 4:
            kind, text = 5, b"<unused-%d>" % i  # what SentencePiece would refuse to load
        unknown |= kind == 2
        seen.add(text)
        out += field(1, field(1, text) + field(2, score) + field(3, TYPE_OF_KIND[kind]))
    trainer = field(3, 2) + field(35, 1) + field(40, 0)  # BPE, byte fallback
    normal = field(1, b"identity") + field(3, int(prefix)) + field(4, 0) + field(5, 1)
    made = sentencepiece.SentencePieceProcessor()
    made.LoadFromSerializedProto(out + field(2, trainer) + field(3, normal))
    return lambda texts: [made.EncodeAsIds(t) for t in texts]


# ---- Hugging Face ---------------------------------------------------------------------------

def gemma_reference(meta, _prefix):
    tokens = [t.decode() for t in meta[KEY + "tokens"]]
    merges = [tuple(m.decode().replace(" ", "\0", 1).split("\0")) if not m.startswith(b" ")
              else None for m in meta[KEY + "merges"]]
    made = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(tokens)}, merges=merges,
                                byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
    made.normalizer = normalizers.Replace(" ", "\u2581")
    return lambda texts: [e.ids for e in made.encode_batch(texts, add_special_tokens=False)]


def bert_reference(meta, _prefix):
    words = [t.decode() for t in meta[KEY + "tokens"]]
    words = [w[1:] if w[0] == "\u2581" else w if w[0] + w[-1] == "[]" else "##" + w for w in words]
    made = Tokenizer(models.WordPiece(vocab={w: i for i, w in enumerate(words)}, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return lambda texts: [e.ids for e in made.encode_batch(texts, add_special_tokens=False)]


def for_bert(text):
    """Only scripts on whose characters all versions of Unicode agree."""
    agreed = [(0, 0x24F), (0x370, 0x4FF), (0x1E00, 0x206F), (0x3040, 0x9FFF), (0xAC00, 0xD7A3)]
    return "".join(c for c in text if any(a <= ord(c) <= b for a, b in agreed)
                   and unicodedata.category(c) != "Cn")


# As Gemma up to 3 has it: SentencePiece without a blank before the first word.
WITHOUT_PREFIX = "llama-spm, no space prefix"
VOCABULARIES = {WITHOUT_PREFIX: spm_reference, "llama-spm": spm_reference,
                "phi-3": spm_reference, "baichuan": spm_reference,
                "gemma-4": gemma_reference, "bert-bge": bert_reference}


def check(tool, folder, name, texts, scratch):
    path = f"{folder}/models/ggml-vocab-{name.split(',')[0]}.gguf"
    meta = gguf_file.read_metadata(path)
    if name == WITHOUT_PREFIX:
        path = f"{scratch}/without.gguf"
        meta[KEY + "add_space_prefix"] = False
        keys = ("model", "tokens", "scores", "token_type", "add_space_prefix")
        gguf_file.write_metadata(path, {KEY + k: meta[KEY + k] for k in keys})
    if name == "bert-bge":
        texts = [for_bert(t) for t in texts]
    want = VOCABULARIES[name](meta, meta.get(KEY + "add_space_prefix", True))(texts)
    have = hf_truth.ours(tool, path, texts)
    bad = [(t, w, h) for t, w, h in zip(texts, want, have) if w != h]
    print(f"{name}: {len(texts) - len(bad)} of {len(texts)} texts right", flush=True)
    for text, w, h in bad[:3]:
        print(f"  {text[:200]!r}\n    wanted {w[:60]}\n    have   {h[:60]}")
    return not bad and len(have) == len(texts)


def main():
    tool, folder = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""
    folder = folder or vocab_truth.clone_from_peers()
    if sentencepiece is None:
        print("SKIP: this python has no sentencepiece or no tokenizers package")
        return hf_truth.SKIP
    if not folder:
        print("SKIP: no llama.cpp vocabularies; configure with -DINLINED_LLAMA_CPP=CLONE, or with "
              "-DINLINED_PEERS=node_modules of tests/peers")
        return hf_truth.SKIP
    rng = random.Random(hf_truth.SEED + 1)
    texts = [pathlib.Path(__file__).read_text(encoding="utf-8")]
    texts += [hf_truth.random_text(rng) for _ in range(hf_truth.STRINGS)]
    with tempfile.TemporaryDirectory() as scratch:
        results = [check(tool, folder, name, texts, scratch) for name in VOCABULARIES]
    print(f"{sum(results)} of {len(results)} vocabularies right")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
