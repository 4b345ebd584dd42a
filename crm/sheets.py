"""CSV files as people have them: what a spreadsheet saved, with its header line.

Comma, semicolon, tab or bar between the cells; UTF-8, with or without a byte order mark, or UTF-16 with one;
`sep=;` in a line of its own before the header, as Excel likes it. Rows are numbered as spreadsheets do: the
header is row 1, so a cell of several lines does not count twice.
"""

import codecs
import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from typing_extensions import override

from crm.schema import SCHEMA
from procession.errors import InputError
from procession.records import Entity
from procession.spelling import did_you_mean

DELIMITERS = ",;\t|"
HEADER_ROW = 1
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a file. `column` is as its header says, empty if the whole row is meant."""

    row: int
    column: str
    message: str

    @override
    def __str__(self) -> str:
        return f"{self.column}: {self.message}" if self.column else self.message


@dataclass(frozen=True, slots=True)
class Sheet:
    """`rows` are (number, `{field: text}`), without empty cells and empty rows; `headers` are `{field: header}`."""

    entity: str
    delimiter: str
    headers: Mapping[str, str]
    rows: Sequence[tuple[int, Mapping[str, str]]]
    problems: Sequence[Problem]


def read(entity: str, path: Path) -> Sheet:
    """Read the file; what is wrong with its header and the shape of its rows is among `problems`.

    Raises:
        InputError: it cannot be read, is no text, or has no header line.
    """
    text = _text(path)
    delimiter, text = _delimiter(text)
    lines = enumerate(_records(text, delimiter, path), HEADER_ROW)
    _, header = next(lines, (HEADER_ROW, []))
    names = [name.strip() for name in header]
    if not any(names):
        raise InputError(f"{path} has no header line.", hint="Name the columns in its first line.")
    fields, problems = _fields(names, SCHEMA.entity(entity))
    rows: list[tuple[int, Mapping[str, str]]] = []
    for number, cells in lines:
        texts = [cell.strip() for cell in cells]
        if any(texts[len(names) :]):
            problems.append(Problem(number, "", f"it has {len(texts)} cells, the header has {len(names)}"))
        row = {field: text for field, text in zip(fields, texts, strict=False) if field and text}
        if any(texts):
            rows.append((number, row))
    headers = {field: name for field, name in zip(fields, names, strict=True) if field}
    return Sheet(entity, delimiter, headers, rows, problems)


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{path} is not UTF-8 text: see line {line}.", hint="Save it as “CSV UTF-8” (so Excel calls it)."
        ) from error


def _delimiter(text: str) -> tuple[str, str]:
    """What stands between the cells, and the text without a line that only says so."""
    first, _, rest = text.partition("\n")
    if first.casefold().startswith("sep=") and len(first.strip()) == len("sep=;"):
        return first[len("sep=")], rest
    counts = Counter(char for char in first if char in DELIMITERS)
    return (counts.most_common(1)[0][0] if counts else ","), text


def _records(text: str, delimiter: str, path: Path) -> Iterator[list[str]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        yield from reader
    except csv.Error as error:
        raise InputError(
            f"{path}, line {reader.line_num}: {error}.", hint="Look for a quotation mark that is not closed."
        ) from error


def _fields(headers: Sequence[str], entity: Entity) -> tuple[list[str], list[Problem]]:
    """The field of each column, empty where there is none, and what is wrong with the headers."""
    known = {_plain(name): name for name in entity.fields}
    known |= {
        _plain(field.title): name for name, field in entity.fields.items() if _plain(field.title) not in known
    }
    fields: list[str] = []
    problems: list[Problem] = []
    for header in headers:
        field = known.get(_plain(header), "") if header else ""
        if wrong := _wrong(header, field, fields, entity):
            problems.append(Problem(HEADER_ROW, header, wrong))
            field = ""
        fields.append(field)
    return fields, problems


def _wrong(header: str, field: str, before: Sequence[str], entity: Entity) -> str:
    if not header:
        return ""
    if not field:
        known = [*entity.fields, *(one.title for one in entity.fields.values())]
        return f"{entity.name} has no such field. {did_you_mean(header, known)}".rstrip()
    if not entity.fields[field].writable:
        return "this field cannot be imported: it follows from others"
    return "this column is there twice." if field in before else ""


def _plain(name: str) -> str:
    return "".join(char for char in name.casefold() if char.isalnum())
