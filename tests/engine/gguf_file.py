# SPDX-License-Identifier: Apache-2.0
"""Reads and writes the metadata of GGUF files, for test scripts (no tensors)."""
import struct

U32, I32, F32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9
FORMATS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?",
           10: "Q", 11: "q", 12: "d"}


class _Reader:
    def __init__(self, path):
        self.file = open(path, "rb")

    def numbers(self, fmt, count=1):
        size = struct.calcsize("<" + fmt)
        return struct.unpack(f"<{count}{fmt}", self.file.read(size * count))

    def string(self):
        return self.file.read(self.numbers("Q")[0])

    def value(self, kind):
        if kind == STRING:
            return self.string()
        if kind != ARRAY:
            return self.numbers(FORMATS[kind])[0]
        elem, count = self.numbers("I")[0], self.numbers("Q")[0]
        if elem == STRING:
            return [self.string() for _ in range(count)]
        return list(self.numbers(FORMATS[elem], count))


def read_metadata(path):
    """Keys (str) to values; strings are bytes."""
    r = _Reader(path)
    if r.file.read(4) != b"GGUF":
        raise ValueError(f"{path} is not a GGUF file")
    _version, _tensors, pairs = r.numbers("I"), r.numbers("Q"), r.numbers("Q")[0]
    found = {}
    for _ in range(pairs):
        key = r.string().decode()
        found[key] = r.value(r.numbers("I")[0])
    return found


def _pack_string(s):
    return struct.pack("<Q", len(s)) + s


def _pack_value(value):
    if isinstance(value, bool):
        return struct.pack("<I?", BOOL, value)
    if isinstance(value, int):
        return struct.pack("<II", U32, value)
    if isinstance(value, bytes):
        return struct.pack("<I", STRING) + _pack_string(value)
    if value and isinstance(value[0], bytes):
        head = struct.pack("<IIQ", ARRAY, STRING, len(value))
        return head + b"".join(_pack_string(s) for s in value)
    kind, fmt = (F32, "f") if value and isinstance(value[0], float) else (I32, "i")
    return struct.pack(f"<IIQ{len(value)}{fmt}", ARRAY, kind, len(value), *value)


def write_metadata(path, pairs):
    """bool, int (u32), bytes, lists of bytes, floats or ints (i32)."""
    with open(path, "wb") as f:
        f.write(b"GGUF" + struct.pack("<IQQ", 3, 0, len(pairs)))
        for key, value in pairs.items():
            f.write(_pack_string(key.encode()) + _pack_value(value))
