#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Delta models: a fine-tuned GGUF as a small file over a public base GGUF. Reference
implementation (numpy, PyPI gguf).

    delta.py make  BASE.gguf TRAINED.gguf OUT.delta.gguf --source TEXT [--rows 0,3,5,8,9,10]
    delta.py apply BASE.gguf IN.delta.gguf OUT.gguf            # writes Q8_0 and checks the
    tensors' SHA-256

A delta is a GGUF v3 file with general.architecture "delta" and
  delta.version u32 = 1; delta.base.sha256, delta.base.source, delta.result.sha256 strings;
  delta.group u32 = 64;
  delta.levels f32[4] ascending; delta.keys str[]: names of keys that the result carries instead of
  the base's own
  (each stored under "delta.key." + name, same type); delta.drop str[]: base keys that the result
  does not carry.
Tensors, for a base tensor NAME:
  2-D: NAME.code  i8 [n/4]   2-bit codes, weight i in byte i/4 at bits 2*(i%4); n = number of
  weights, row-major
       NAME.scale f16 [n/64] one per group of 64 consecutive weights
       NAME.row_ids i32 [r], NAME.row_values f16 [r * ne0]   rows that are stored whole (optional)
  1-D: NAME       f32        stored whole
Result: f32 w = dequantise(base) + levels[code] * scale (scale widened to f32, product in f32),
whole rows replace it;
then Q8_0: blocks of 32, d = max|w| / 127 (f32), q = round half away from zero of w * (1/d) with
1/d taken before d is
rounded to f16 (0 where d is 0). delta.result.sha256 is over the result's tensor data in the base
file's tensor order
(1-D as f32, 2-D as Q8_0 blocks), without padding.
"""

import argparse, hashlib, sys
import numpy as np
import gguf
from gguf import GGUFReader, GGUFWriter, GGMLQuantizationType as Q, GGUFValueType as T

LEVELS = np.array([-1.5104, -0.4528, 0.4528, 1.5104], np.float32)
GROUP = 64


def f32(t):
    return (
        gguf.quants.dequantize(t.data, t.tensor_type)
        .astype(np.float32)
        .reshape(tuple(int(x) for x in reversed(t.shape)))
    )


def q8_0(w):
    b = w.reshape(-1, 32).astype(np.float32)
    d = np.abs(b).max(1, keepdims=True) / np.float32(127)
    with np.errstate(divide="ignore"):
        i = np.where(d == 0, np.float32(0), np.float32(1) / d)
    x = b * i
    q = (np.trunc(x + np.copysign(np.float32(0.5), x))).astype(np.int8)
    return np.concatenate([d.astype(np.float16).view(np.uint8), q.view(np.uint8)], 1).reshape(
        w.shape[0], -1
    )


def sha(path):
    h = hashlib.sha256()
    with open(path, "rb") as f:
        while b := f.read(1 << 20):
            h.update(b)
    return h.hexdigest()


def put(w, name, field):
    w.add_key_value(
        name,
        field.contents(),
        field.types[0],
        field.types[-1] if field.types[0] == T.ARRAY else None,
    )


def result_tensors(base, delta):
    d = {t.name: t for t in delta.tensors}
    lv = np.array(delta.fields["delta.levels"].contents(), np.float32)
    for t in base.tensors:
        if len(t.shape) == 1:
            yield t.name, np.array(d[t.name].data, np.float32)
            continue
        w = f32(t)
        packed = d[t.name + ".code"].data.view(np.uint8).reshape(-1)
        code = (packed[:, None] >> np.array([0, 2, 4, 6], np.uint8)) & 3
        s = d[t.name + ".scale"].data.astype(np.float32).reshape(-1, 1)
        w = w + (lv[code.reshape(-1, GROUP)] * s).reshape(w.shape)
        if t.name + ".row_ids" in d:
            w[d[t.name + ".row_ids"].data] = (
                d[t.name + ".row_values"].data.astype(np.float32).reshape(-1, w.shape[1])
            )
        yield t.name, q8_0(w)


def make(a):
    b, t = GGUFReader(a.base), GGUFReader(a.trained)
    tt = {x.name: x for x in t.tensors}
    rows = [int(x) for x in a.rows.split(",")] if a.rows else []

    def write(path, result_sha):
        w = GGUFWriter(path, "delta")
        w.add_uint32("delta.version", 1)
        w.add_string("delta.base.sha256", sha(a.base))
        w.add_string("delta.base.source", a.source)
        w.add_string("delta.result.sha256", result_sha)
        w.add_uint32("delta.group", GROUP)
        w.add_array("delta.levels", [float(x) for x in LEVELS])
        own = [
            k
            for k, f in t.fields.items()
            if not k.startswith("GGUF.")
            and k != "general.architecture"
            and (k not in b.fields or b.fields[k].contents() != f.contents())
        ]
        gone = [k for k in b.fields if not k.startswith("GGUF.") and k not in t.fields]
        w.add_array("delta.keys", own)
        if gone:
            w.add_array("delta.drop", gone)
        for k in own:
            put(w, "delta.key." + k, t.fields[k])
        for x in b.tensors:
            if len(x.shape) == 1:
                w.add_tensor(x.name, f32(tt[x.name]))
                continue
            d = (f32(tt[x.name]) - f32(x)).reshape(-1, GROUP)
            if x.name == "token_embd.weight" and rows:
                d = d.reshape(f32(x).shape)
                d[rows] = 0
                d = d.reshape(-1, GROUP)
            s = np.sqrt((d * d).mean(1, keepdims=True)).astype(np.float16)
            sf = np.maximum(s.astype(np.float32), np.float32(1e-12))
            code = (
                np.searchsorted((LEVELS[1:] + LEVELS[:-1]) / 2, d / sf)
                .astype(np.uint8)
                .reshape(-1, 4)
            )
            packed = (code << np.array([0, 2, 4, 6], np.uint8)).sum(1).astype(np.uint8)
            w.add_tensor(x.name + ".code", packed.view(np.int8))
            w.add_tensor(x.name + ".scale", s.reshape(-1))
            if x.name == "token_embd.weight" and rows:
                w.add_tensor(x.name + ".row_ids", np.array(rows, np.int32))
                w.add_tensor(
                    x.name + ".row_values", f32(tt[x.name])[rows].astype(np.float16).reshape(-1)
                )
        w.write_header_to_file()
        w.write_kv_data_to_file()
        w.write_tensors_to_file()
        w.close()

    write(a.out, "0" * 64)
    h = hashlib.sha256()
    for _, x in result_tensors(b, GGUFReader(a.out)):
        h.update(np.ascontiguousarray(x).tobytes())
    write(a.out, h.hexdigest())
    print("result tensors sha256", h.hexdigest())


def apply(a):
    b, d = GGUFReader(a.base), GGUFReader(a.delta)
    if sha(a.base) != d.fields["delta.base.sha256"].contents():
        sys.exit(
            "%s is not the base that this delta was made for (%s)"
            % (a.base, d.fields["delta.base.source"].contents())
        )
    w = GGUFWriter(a.out, b.fields["general.architecture"].contents())
    own = list(d.fields["delta.keys"].contents())
    drop = set(d.fields["delta.drop"].contents()) if "delta.drop" in d.fields else set()
    for k, f in b.fields.items():
        if (
            not k.startswith("GGUF.")
            and k != "general.architecture"
            and k not in own
            and k not in drop
        ):
            put(w, k, f)
    for k in own:
        put(w, k, d.fields["delta.key." + k])
    h = hashlib.sha256()
    for name, x in result_tensors(b, d):
        h.update(np.ascontiguousarray(x).tobytes())
        w.add_tensor(name, x, raw_dtype=Q.Q8_0 if x.dtype == np.uint8 else None)
    if h.hexdigest() != d.fields["delta.result.sha256"].contents():
        sys.exit("the result's tensors do not have the promised SHA-256")
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    print("ok", h.hexdigest())


p = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
)
s = p.add_subparsers(required=True)
m = s.add_parser("make")
m.add_argument("base"), m.add_argument("trained"), m.add_argument("out"), m.add_argument(
    "--source", required=True
), m.add_argument("--rows", default="")
m.set_defaults(f=make)
m = s.add_parser("apply")
m.add_argument("base"), m.add_argument("delta"), m.add_argument("out")
m.set_defaults(f=apply)
a = p.parse_args()
a.f(a)
