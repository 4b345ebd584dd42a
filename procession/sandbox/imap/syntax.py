"""IMAP's syntax (RFC 3501 section 9): a command read into words and lists, values written as strings and literals."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

Value = "str | bytes | list[Value] | None"
_ATOM_END = re.compile(rb"[ ()\r\n]")
_LITERAL = re.compile(rb"\{(\d+)(\+?)\}$")
_SECTION = re.compile(rb"[A-Za-z0-9.]+\[[^\]]*\](?:<\d+\.\d+>)?")


class Malformed(Exception):
    """The client's line is not IMAP."""


@dataclass(frozen=True, slots=True)
class Command:
    """`words` are str for atoms, bytes for strings and literals, lists for parentheses."""

    tag: str
    name: str
    words: list[object]


def pending_literal(line: bytes) -> tuple[int, bool] | None:
    """(size, whether the client waits for a go-ahead) of a literal announced at a line's end."""
    match = _LITERAL.search(line.rstrip(b"\r\n"))
    return (int(match[1]), not match[2]) if match else None


class Reader:
    """Reads one command from its bytes, literals included in place."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def command(self) -> Command:
        """Raises Malformed."""
        words = self._words(b"")
        if len(words) < 2 or not all(isinstance(word, str) for word in words[:2]):  # noqa: PLR2004 - a tag and a name
            raise Malformed("A command has a tag and a name.")
        return Command(str(words[0]), str(words[1]).upper(), words[2:])

    def _words(self, closing: bytes) -> list[object]:
        words: list[object] = []
        while True:
            self._skip_spaces()
            letter = self._data[self._at : self._at + 1]
            if letter in {b"", b"\r", b"\n"} or letter == closing:
                if letter != closing:
                    raise Malformed("A parenthesis is not closed.")
                self._at += 1
                return words
            if letter == b")":
                raise Malformed("A parenthesis is closed that was not opened.")
            words.append(self._word(letter))

    def _skip_spaces(self) -> None:
        while self._data[self._at : self._at + 1] == b" ":
            self._at += 1
        if self._data[self._at :] in {b"\r\n", b"\n"}:
            self._at = len(self._data)

    def _word(self, letter: bytes) -> object:
        if letter == b"(":
            self._at += 1
            return self._words(b")")
        if letter == b'"':
            return self._quoted()
        if letter == b"{":
            return self._literal()
        section = _SECTION.match(self._data, self._at)
        if section:
            self._at = section.end()
            return section[0].decode("ascii", "replace")
        match = _ATOM_END.search(self._data, self._at)
        end = match.start() if match else len(self._data)
        atom, self._at = self._data[self._at : end], end
        return atom.decode("utf-8", "replace")

    def _quoted(self) -> bytes:
        text, at = bytearray(), self._at + 1
        while at < len(self._data):
            letter = self._data[at : at + 1]
            if letter == b'"':
                self._at = at + 1
                return bytes(text)
            if letter == b"\\":
                at += 1
                letter = self._data[at : at + 1]
            text += letter
            at += 1
        raise Malformed("A string is not closed.")

    def _literal(self) -> bytes:
        end = self._data.find(b"\n", self._at)
        match = _LITERAL.search(self._data[self._at : end].rstrip(b"\r")) if end >= 0 else None
        if match is None:
            raise Malformed("A literal has no size.")
        size = int(match[1])
        self._at = end + 1 + size
        return self._data[end + 1 : end + 1 + size]


def text(word: object) -> str:
    """A word as text.

    Raises:
        Malformed: it is a list.
    """
    if isinstance(word, bytes):
        return word.decode("utf-8", "replace")
    if isinstance(word, str):
        return word
    raise Malformed("A string was expected.")


def quoted(value: str | None) -> bytes:
    """A string as IMAP writes it: NIL, quoted, or a literal when it must be."""
    if value is None:
        return b"NIL"
    data = value.encode("utf-8", "replace")
    if data.isascii() and not set(b'"\\\r\n\0') & set(data):
        return b'"' + data + b'"'
    return literal(data)


def literal(data: bytes) -> bytes:
    return b"{%d}\r\n%b" % (len(data), data)


def listed(parts: Iterable[bytes]) -> bytes:
    return b"(" + b" ".join(parts) + b")"


@dataclass(frozen=True, slots=True)
class NumberSet:
    """A sequence set: `1:3,7,9:*`. 0 stands for the star."""

    ranges: tuple[tuple[int, int], ...]

    def picks(self, numbers: list[int]) -> list[int]:
        """The numbers of an ascending list that are in the set; `*` is its last."""
        last = numbers[-1] if numbers else 0
        spans = [(low or last, high or last) for low, high in self.ranges]
        spans = [(min(span), max(span)) for span in spans]
        return [number for number in numbers if any(low <= number <= high for low, high in spans)]


def number_set(word: object) -> NumberSet:
    """Raises Malformed."""
    ranges = []
    for part in text(word).split(","):
        low, colon, high = part.partition(":")
        try:
            first = 0 if low == "*" else int(low)
            ranges.append((first, (0 if high == "*" else int(high)) if colon else first))
        except ValueError:
            raise Malformed(f"'{text(word)}' is not a set of numbers.") from None
    return NumberSet(tuple(ranges))
