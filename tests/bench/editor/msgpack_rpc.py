# SPDX-License-Identifier: Apache-2.0
"""Enough of MessagePack for Neovim's RPC: what a user interface sends and gets."""
import struct


def pack(value):
    if value is None:
        return b"\xc0"
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return struct.pack(">Bq", 0xd3, value)
    if isinstance(value, str):
        data = value.encode()
        return struct.pack(">BI", 0xdb, len(data)) + data
    if isinstance(value, (list, tuple)):
        return struct.pack(">BI", 0xdd, len(value)) + b"".join(map(pack, value))
    if isinstance(value, dict):
        pairs = b"".join(pack(k) + pack(v) for k, v in value.items())
        return struct.pack(">BI", 0xdf, len(value)) + pairs
    raise TypeError(type(value))


NUMBERS = {0xca: ">f", 0xcb: ">d", 0xcc: ">B", 0xcd: ">H", 0xce: ">I", 0xcf: ">Q",
           0xd0: ">b", 0xd1: ">h", 0xd2: ">i", 0xd3: ">q"}
# Tag: (form of the length, kind).
SIZED = {0xc4: (">B", "raw"), 0xc5: (">H", "raw"), 0xc6: (">I", "raw"),
         0xd9: (">B", "raw"), 0xda: (">H", "raw"), 0xdb: (">I", "raw"),
         0xdc: (">H", "list"), 0xdd: (">I", "list"), 0xde: (">H", "map"), 0xdf: (">I", "map"),
         0xc7: (">B", "ext"), 0xc8: (">H", "ext"), 0xc9: (">I", "ext")}


class Reader:
    """Values out of bytes that come in pieces."""

    def __init__(self):
        self.data, self.at = b"", 0

    def feed(self, data):
        """All values that are whole now."""
        self.data += data
        found = []
        while True:
            self.at = 0
            try:
                found.append(self.value())
            except IndexError:
                return found
            self.data = self.data[self.at:]

    def take(self, count):
        if self.at + count > len(self.data):
            raise IndexError
        self.at += count
        return self.data[self.at - count:self.at]

    def number(self, form):
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def value(self):
        tag = self.take(1)[0]
        if tag < 0x80 or tag >= 0xe0:
            return tag if tag < 0x80 else tag - 0x100
        if tag < 0x90:
            return self.sized("map", tag & 15)
        if tag < 0xa0:
            return self.sized("list", tag & 15)
        if tag < 0xc0:
            return self.sized("raw", tag & 31)
        if tag <= 0xc3:
            return {0xc0: None, 0xc2: False, 0xc3: True}[tag]
        if tag in NUMBERS:
            return self.number(NUMBERS[tag])
        if tag in SIZED:
            form, kind = SIZED[tag]
            return self.sized(kind, self.number(form))
        return self.sized("ext", 1 << (tag - 0xd4))

    def sized(self, kind, count):
        if kind == "raw":
            return self.take(count).decode(errors="replace")
        if kind == "ext":
            return self.take(count + 1)
        if kind == "list":
            return [self.value() for _ in range(count)]
        return {self.value(): self.value() for _ in range(count)}
