"""Archives that no honest tool writes, made byte by byte."""

import gzip
import io
import json
import zlib
from collections.abc import Callable
from random import Random

__all__ = [
    "BROKEN",
    "END",
    "GOOD",
    "MARKER",
    "TOO_LARGE",
    "UNSAFE",
    "archive",
    "entry",
    "header",
    "long_name",
    "packed",
    "pax",
]

MARKER = "kombuse-escape-marker.txt"
"""The name of every file that must never be outside of a package."""

END = bytes(1024)
_NOTE = b"this file must never appear outside the package\n"
_MANIFEST = {
    "name": "hello-minimal",
    "version": "0.1.0",
    "kombuse": {"plugin_system_version": "kombuse-plugin-v1"},
}


def header(
    name: bytes, size: int, kind: bytes = b"0", link: bytes = b"", prefix: bytes = b""
) -> bytes:
    """A POSIX header with a right checksum, whatever is in it."""
    fields = (
        *(name.ljust(100, b"\0"), b"0000644\0", b"0000000\0", b"0000000\0"),
        *(b"%011o\0" % size, b"00000000000\0", b" " * 8, kind, link.ljust(100, b"\0")),
        *(b"ustar\0", b"00", bytes(32), bytes(32), b"0000000\0", b"0000000\0"),
        *(prefix.ljust(155, b"\0"), bytes(12)),
    )
    block = b"".join(fields)
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def entry(name: bytes, content: bytes = _NOTE, kind: bytes = b"0", link: bytes = b"") -> bytes:
    return header(name, len(content), kind, link) + _blocks(content)


def pax(records: dict[bytes, bytes], kind: bytes = b"x") -> bytes:
    """An extended header for the entry after it."""
    return entry(b"PaxHeader", b"".join(_record(*item) for item in records.items()), kind)


def long_name(name: bytes) -> bytes:
    """GNU's header for a name of any length."""
    return entry(b"././@LongLink", name + b"\0", b"L")


def archive(*entries: bytes) -> bytes:
    """A package that would be good without these entries."""
    return packed(GOOD + b"".join(entries) + END)


def packed(tar: bytes) -> bytes:
    out = io.BytesIO()
    with gzip.GzipFile("", "wb", 9, out, mtime=0) as file:
        file.write(tar)
    return out.getvalue()


def _record(key: bytes, value: bytes) -> bytes:
    length = len(key) + len(value) + 3
    while len(b"%d" % length) + len(key) + len(value) + 3 != length:
        length += 1
    return b"%d %b=%b\n" % (length, key, value)


def _blocks(content: bytes) -> bytes:
    return content + bytes(-len(content) % 512)


def _zeros(mebibytes: int) -> bytes:
    """A stream of zeros that repeats one compressed piece; its checksum is never reached."""
    squeeze = zlib.compressobj(9, wbits=-15)
    piece = squeeze.compress(bytes(1 << 20)) + squeeze.flush(zlib.Z_FULL_FLUSH)
    return packed(b"")[:10] + piece * mebibytes + squeeze.flush() + bytes(8)


def _many(number: int) -> bytes:
    """Entries of which the first 2,001 have names of their own."""
    distinct = [entry(b"./files/%06d" % index, b"") for index in range(2001)]
    return archive(*distinct, *distinct[-1:] * (number - 2001))


def _broken_checksum() -> bytes:
    damaged = bytearray(GOOD + entry(b"./files/a.md") + entry(b"./files/b.md") + END)
    damaged[len(GOOD) + 1024] ^= 1
    return packed(bytes(damaged))


def _incompressible(size: int) -> bytes:
    return Random(size).randbytes(size)


def _huge() -> bytes:
    block = bytearray(header(b"files/a.md", 0))
    block[124:136] = b"\x80" + (1 << 63).to_bytes(11, "big")
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


GOOD = entry(b"./.kombuse-plugin/plugin.json", json.dumps(_MANIFEST).encode())
_ESCAPE = MARKER.encode()
_NESTED = [b"/".join([b"d" * 247] * depth) for depth in (1, 2)]
_UNSAFE_ENTRIES = {
    "dots": [entry(b"../../" + _ESCAPE)],
    "dots inside": [entry(b"./files/../../" + _ESCAPE)],
    "dots at the end": [entry(b"./files/..", b"", b"5")],
    "dots in a long name": [long_name(b"files/../../" + _ESCAPE), entry(b"x")],
    "dots in a pax name": [pax({b"path": b"../" + _ESCAPE}), entry(b"x")],
    "dots in the prefix": [
        header(_ESCAPE, len(_NOTE), prefix=b"../..") + _blocks(_NOTE),
    ],
    "absolute": [entry(b"/" + _ESCAPE)],
    "absolute in a pax name": [pax({b"path": b"/tmp/" + _ESCAPE}), entry(b"x")],
    "two leading slashes": [entry(b".//" + _ESCAPE)],
    "drive letter": [entry(b"C:\\" + _ESCAPE)],
    "drive letter without backslash": [entry(b"c:" + _ESCAPE)],
    "backslashes": [entry(b"files\\..\\..\\" + _ESCAPE)],
    "empty name": [entry(b"")],
    "empty segment": [entry(b"files//a.md")],
    "dot segment": [entry(b"files/./a.md")],
    "NUL in a pax name": [pax({b"path": b"files/a.md\0.png"}), entry(b"x")],
    "NUL in a long name": [long_name(b"files/a.md\0.png"), entry(b"x")],
    "line feed": [entry(b"files/a\nb.md")],
    "escape": [entry(b"files/\x1b[2J.md")],
    "C1 control": [entry("files/\x9b.md".encode())],
    "not UTF-8": [entry(b"files/\xff\xfe.md")],
    "surrogate": [entry(b"files/\xed\xa0\x80.md")],
    "not NFC": [entry("files/u\u0308.md".encode())],
    "4,096 bytes": [long_name(b"files/" + b"a" * 4090), entry(b"x")],
    "4,096 bytes in segments": [long_name((b"abcdefg/" * 512)[:-1]), entry(b"x")],
    "long segment": [long_name(b"files/" + b"a" * 256), entry(b"x")],
    "realpath of more than PATH_MAX (CVE-2025-4517)": [
        *(part for name in _NESTED for part in (long_name(name), entry(b"x", b"", b"5"))),
        entry(b"a", b"", b"2", b"d" * 247),
        entry(b"escape", b"", b"2", b"a/../../../" + _ESCAPE),
        entry(b"escape"),
    ],
    "device name": [entry(b"files/CON")],
    "device name with extension": [entry(b"files/nul.txt")],
    "dot at the end": [entry(b"files./a.md")],
    "blank at the end": [entry(b"files/.. /a.md")],
    "symbolic link": [entry(b"files/host.txt", b"", b"2", b"/etc/hostname")],
    "symbolic link inside": [entry(b"files/a", b"", b"2", b"b"), entry(b"files/b")],
    "symbolic link to nothing": [entry(b"files/a", b"", b"2", b"")],
    "symbolic link, then through it": [
        entry(b"files", b"", b"2", b"/tmp"),
        entry(b"files/" + _ESCAPE),
    ],
    "symbolic link named like a folder": [entry(b"files/", b"", b"2", b"/tmp")],
    "hard link": [entry(b"files/host.txt", b"", b"1", b"/etc/hostname")],
    "hard link inside": [entry(b"files/a", b"", b"1", b".kombuse-plugin/plugin.json")],
    "character device": [entry(b"files/null", b"", b"3")],
    "block device": [entry(b"files/disk", b"", b"4")],
    "named pipe": [entry(b"files/pipe", b"", b"6")],
    "contiguous": [entry(b"files/a.md", _NOTE, b"7")],
    "sparse of GNU": [entry(b"files/a.md", _NOTE, b"S")],
    "sparse of pax": [pax({b"GNU.sparse.major": b"1"}), entry(b"files/a.md")],
    "unknown type": [entry(b"files/a.md", _NOTE, b"Z")],
    "twice": [entry(b"files/a.md", b"1"), entry(b"files/a.md", b"2")],
    "folder twice": [entry(b"files/", b"", b"5"), entry(b"./files/", b"", b"5")],
    "twice but for case": [entry(b"files/a.md"), entry(b"files/A.md")],
    "folders twice but for case": [entry(b"files/a/x.md"), entry(b"files/A/y.md")],
    "twice but for folding": [
        entry("files/stra\u00dfe.md".encode()),
        entry(b"files/strasse.md"),
    ],
    "file, then folder": [entry(b"files/a"), entry(b"files/a/b.md")],
    "folder, then file": [entry(b"files/a/b.md"), entry(b"files/a")],
    "folder entry, then file": [entry(b"files/a/", b"", b"5"), entry(b"files/a")],
    "two names": [pax({b"path": b"files/a.md"}), long_name(b"files/b.md"), entry(b"x")],
    "a key twice": [
        entry(b"PaxHeader", _record(b"path", b"a") + _record(b"path", b"b"), b"x"),
        entry(b"x"),
    ],
    "a name for all": [pax({b"path": b"files/a.md"}, b"g"), entry(b"x")],
    "endless header": [entry(b"PaxHeader", b"a" * 70_000, b"x"), entry(b"x")],
}
UNSAFE: dict[str, bytes] = {name: archive(*parts) for name, parts in _UNSAFE_ENTRIES.items()}
"""400 UNSAFE_ARCHIVE_ENTRY, by what is unsafe about them."""

_WHOLE = archive(entry(b"./files/a.md"))
BROKEN: dict[str, bytes] = {
    "empty": b"",
    "not gzip": b"this is plain text, not an archive\n",
    "gzip of text": packed(b"text " * 400),
    "gzip of little text": packed(b"this is plain text inside gzip\n"),
    "gzip of nothing": packed(b""),
    "plain tar": GOOD + END,
    "cut in the header": _WHOLE[:6],
    "cut in the data": _WHOLE[: len(_WHOLE) * 2 // 3],
    "cut in the checksum": _WHOLE[:-6],
    "wrong checksum": _WHOLE[:-8] + bytes([_WHOLE[-8] ^ 1]) + _WHOLE[-7:],
    "wrong length": _WHOLE[:-1] + bytes([_WHOLE[-1] ^ 1]),
    "two members": _WHOLE + _WHOLE,
    "an empty second member": _WHOLE + packed(b""),
    "garbage after the stream": _WHOLE + b"garbage",
    "zeros after the stream": _WHOLE + bytes(512),
    "damaged header after others": _broken_checksum(),
    "no end": packed(GOOD),
    "half an end": packed(GOOD + bytes(512)),
    "content after the end": packed(GOOD + END + entry(b"./files/hidden.md") + END),
    "cut in an entry": packed(GOOD + header(b"files/a.md", 4096) + bytes(1024)),
    "size of a folder": archive(entry(b"files/", _NOTE, b"5")),
    "size beyond the end": archive(header(b"files/a.md", 0o7777777)),
    "size of 8 EiB": archive(_huge()),
    "size that is no number": archive(pax({b"size": b"-1"}), entry(b"files/a.md")),
    "damaged extended header": archive(entry(b"PaxHeader", b"99 path=a\n", b"x"), entry(b"x")),
    "extended header of nothing": packed(GOOD + pax({b"path": b"a"}) + END),
}
"""400 INVALID_ARCHIVE."""

TOO_LARGE: dict[str, Callable[[], bytes]] = {
    "64 MiB of zeros in one file": lambda: archive(entry(b"files/zeros", bytes(64 << 20))),
    "10 GB of zeros in 10 MB": lambda: _zeros(10_000),
    "a file of 6 MiB": lambda: archive(entry(b"files/big", _incompressible(6 << 20))),
    "52 MiB in small files": lambda: archive(
        *(entry(b"files/%d" % index, _incompressible(1 << 14) * 64) for index in range(52))
    ),
    "16 MiB compressed": lambda: archive(
        *(entry(b"files/%d" % index, _incompressible(4 << 20)) for index in range(4))
    ),
    "500,000 folders": lambda: archive(
        *(long_name(b"%04d/" % index + b"a/" * 253 + b"a") + entry(b"x") for index in range(2000))
    ),
    "2,001 entries": lambda: _many(2001),
    "100,000 members": lambda: _many(100_000),
}
"""413 ARCHIVE_TOO_LARGE; made when they are asked for."""
