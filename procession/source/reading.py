"""Composes a document out of the events of ruamel's YAML 1.2 parser.

Refused, each with its place: anchors, aliases, tags, merge keys, doubled keys, keys that are no text,
directives and several documents. Only what the parser itself cannot read ends the reading at once.
"""

from collections.abc import Iterator
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml import events as yaml
from ruamel.yaml.error import YAMLError

from procession.errors import Place, ProcessErrors, SyntaxProblem
from procession.source import complaints
from procession.source.document import Document, Lines, Node
from procession.source.scalars import plain

LARGEST_FILE = 500_000
"""Characters; a process of a thousand steps has a fifth of that."""
DEEPEST = 60

_BROKEN_READER = (ValueError, OverflowError, LookupError, TypeError, AttributeError, AssertionError)
"""What ruamel raises, besides its own errors, on some malformed escapes and tags."""


def read(text: str | bytes, file: str) -> Document:
    """Read one YAML file. Bytes must be UTF-8.

    Raises:
        ProcessErrors: of `SyntaxProblem`s, each with its place.
    """
    if isinstance(text, bytes):
        text = _decoded(text, file)
    text = text.removeprefix("\ufeff")
    if len(text) > LARGEST_FILE:
        message = f"the file has {len(text):,} characters; {LARGEST_FILE:,} are allowed"
        raise failed([SyntaxProblem(message, at=Place(file, 1, 1), hint="Split the process.")])
    return _Reading(text, file).document()


def failed(problems: list[SyntaxProblem]) -> ProcessErrors:
    return ProcessErrors(
        f"{problems[0].at.file if problems[0].at else ''} cannot be read", problems=tuple(problems)
    )


def _decoded(data: bytes, file: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        line, start = before.count("\n") + 1, before.rfind("\n") + 1
        message = f"the file is not UTF-8 text: byte 0x{data[error.start]:02x} is no character"
        excerpt = data.decode("utf-8", "replace").split("\n")[line - 1].rstrip("\r").replace("\t", " ")
        at = Place(file, line, len(before) - start + 1, excerpt)
        raise failed([SyntaxProblem(message, at=at, hint="Save it as UTF-8.")]) from error


class _Reading:
    """One text on its way to a document; `problems` fills up on the way."""

    def __init__(self, text: str, file: str) -> None:
        self.text, self.file = text, file
        self.lines = Lines(text, file)
        self.problems: list[SyntaxProblem] = []
        self.depth = 0

    def document(self) -> Document:
        """Raises:
        ProcessErrors: the text cannot be used as it is written.
        """
        value, root = None, None
        try:
            value, root = self._compose()
        except _TooDeep as error:
            self.wrong("the lists and mappings are nested too deeply", error.index, "Split the process.")
        except (YAMLError, *_BROKEN_READER) as error:
            self._unreadable(error)
        if not self.problems and (root is None or (value is None and root.scalar == "")):
            self.wrong("the file is empty", 0, "A process begins with `process: name_of_the_process`.")
        if self.problems or root is None:
            raise failed(self.problems)
        return Document(self.file, self.text, value, root)

    def wrong(self, message: str, index: int, hint: str) -> None:
        self.problems.append(SyntaxProblem(message, at=self.lines.place(index), hint=hint))

    def _unreadable(self, error: Exception) -> None:
        message, index, hint = complaints.in_words(error, self.lines)
        line = self.lines.number(index)
        if all(problem.at is None or problem.at.line != line for problem in self.problems):
            self.wrong(message, index, hint)

    def _compose(self) -> tuple[Any, Node | None]:
        # without `plug_ins`, ruamel searches the disk for plug-ins every time
        events = YAML(typ="safe", pure=True, plug_ins=[]).parse(self.text)
        next(events)
        event = next(events)
        if isinstance(event, yaml.StreamEndEvent):
            return None, None
        if event.version or event.tags:
            self.wrong("lines that begin with '%' are not used here", 0, "Remove them.")
        result = self._node(next(events), events, -1)
        next(events)
        if not isinstance(more := next(events), yaml.StreamEndEvent):
            self.wrong(
                "a second document begins here", more.start_mark.index,
                "Write one process per file, and remove this '---'.",
            )  # fmt: skip
        return result

    def _node(self, event: Any, events: Iterator[Any], key: int) -> tuple[Any, Node]:
        self._refuse(event)
        start = event.start_mark.index
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event), Node(start, key, event.style or "", event.value, {})
        if isinstance(event, yaml.AliasEvent):
            return None, Node(start, key, "", None, {})
        self.depth += 1
        if self.depth > DEEPEST:
            raise _TooDeep(start)
        compose = self._mapping if isinstance(event, yaml.MappingStartEvent) else self._sequence
        value, children = compose(start, events)
        self.depth -= 1
        return value, Node(start, key, "", None, children)

    def _mapping(self, start: int, events: Iterator[Any]) -> tuple[dict[str, Any], dict[str | int, Node]]:
        values: dict[str, Any] = {}
        children: dict[str | int, Node] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            name = self._key(event, events, start)
            value, node = self._node(next(events), events, event.start_mark.index)
            if name is None:
                continue
            if name in values:
                first = self.lines.place(children[name].key)
                self.wrong(
                    f"the key {name!r} is here twice", node.key,
                    f"Remove one; the first is in line {first.line}, column {first.column}.",
                )  # fmt: skip
                continue
            values[name], children[name] = value, node
        return values, children

    def _sequence(self, _start: int, events: Iterator[Any]) -> tuple[list[Any], dict[str | int, Node]]:
        values: list[Any] = []
        children: dict[str | int, Node] = {}
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            value, node = self._node(event, events, -1)
            children[len(values)] = node
            values.append(value)
        return values, children

    def _key(self, event: Any, events: Iterator[Any], mapping: int) -> str | None:
        """The name of a key, None if it cannot be one."""
        start = event.start_mark.index
        if not isinstance(event, yaml.ScalarEvent):
            self._node(event, events, -1)
            if self.text.startswith("{{", mapping):
                self._unquoted(mapping)
            elif not isinstance(event, yaml.AliasEvent):
                self.wrong("a key must be a word", start, "Write it as `key: value`.")
            return None
        self._refuse(event)
        if event.value == "<<" and not event.style:
            self.wrong("'<<' does not merge mappings here", start, "Write the keys out.")
            return None
        if not event.value:
            self.wrong("a key is missing here", start, "Write it as `key: value`.")
            return None
        return str(event.value)

    def _unquoted(self, start: int) -> None:
        line = self.text[start : start + 200].split("\n")[0]
        end = line.find("}}")
        example = f'"{line[: end + 2]}"' if end > 0 else '"{{ … }}"'
        self.wrong("a value that begins with '{{' must be in quotes", start, f"Write {example}.")

    def _scalar(self, event: Any) -> Any:
        if not event.style:
            try:
                return plain(event.value)
            except ValueError as error:
                self.wrong(str(error), event.start_mark.index, "Put it in quotes if it is no number.")
                return None
        if event.style == '"' and any("\ud800" <= letter <= "\udfff" for letter in event.value):
            self.wrong(
                "an escape in this text is no character",
                event.start_mark.index,
                "Write the character itself.",
            )
        return event.value

    def _refuse(self, event: Any) -> None:
        start = event.start_mark.index
        if isinstance(event, yaml.AliasEvent):
            self.wrong("YAML aliases are not used here", start, _QUOTES.format("*"))
        elif event.anchor is not None:
            self.wrong("YAML anchors are not used here", start, _QUOTES.format("&"))
        elif event.ctag is not None:
            self.wrong("YAML tags are not used here", start, _QUOTES.format("!"))


_QUOTES = "Write it out; a text that begins with '{}' must be in quotes."


class _TooDeep(Exception):
    """Nested deeper than `DEEPEST`."""

    def __init__(self, index: int) -> None:
        super().__init__(index)
        self.index = index
