"""A document that was read: its value is plain, positions stand beside it (as in Dagster's `source_position.py`)."""

import bisect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from procession.errors import Place
from procession.source.scalars import index_of

_LINE_BREAK = re.compile(r"\r\n|\n|\r")


class Node(NamedTuple):
    """Where one value stands: offsets into the text. `key` is where its key begins (-1: it has none);
    `style` is the quote of a scalar, `|`, `>` or empty."""

    start: int
    key: int
    style: str
    scalar: str | None
    children: Mapping[str | int, "Node"]


class Lines:
    """A text's lines, to turn offsets into places."""

    def __init__(self, text: str, file: str) -> None:
        self.text, self.file = text, file
        self._starts = [0, *(found.end() for found in _LINE_BREAK.finditer(text))]

    def place(self, index: int) -> Place:
        index = max(0, min(index, len(self.text)))
        number = bisect.bisect_right(self._starts, index)
        start = self._starts[number - 1]
        return Place(self.file, number, index - start + 1, self.line(number))

    def line(self, number: int) -> str:
        """The text of a line (from 1), with every tab as one blank, so that carets stand right."""
        ends = self._starts[number] if number < len(self._starts) else len(self.text)
        return self.text[self._starts[number - 1] : ends].rstrip("\r\n").replace("\t", " ")

    def number(self, index: int) -> int:
        return bisect.bisect_right(self._starts, index)

    def start(self, number: int) -> int:
        return self._starts[number - 1]


@dataclass(frozen=True)
class Document:
    """`value` is what the YAML says: text, numbers, true and false, None, lists and dicts with text keys."""

    file: str
    text: str
    value: Any
    root: Node = field(repr=False)

    @cached_property
    def _lines(self) -> Lines:
        return Lines(self.text, self.file)

    def place(self, path: Sequence[str | int], *, key: bool = False, offset: int | None = None) -> Place:
        """Where the value at `path` stands, or its key, or that character of a text.

        A segment that names no child is passed over, so a missing key leads to the mapping that lacks it.
        """
        node = self.root
        for segment in path:
            node = node.children.get(segment, node)
        if key and node.key >= 0:
            return self._lines.place(node.key)
        if offset is not None and node.scalar is not None:
            return self._lines.place(index_of(self.text, node.start, node.style, node.scalar, offset))
        return self._lines.place(node.start)
