"""Scalars: what a plain one means (YAML 1.2, section 10.3.2), and where each character of one stands.

A scalar's value and its text differ by blanks (folding, indentation, chomping) and, in quotes, by
escapes. So a character is found by counting the visible characters before it, on both sides.
"""

import re
from collections.abc import Iterator

BLANKS = " \t\r\n\x85\u2028\u2029"

_WORDS: dict[str, bool | float | None] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
    ".inf": float("inf"), ".Inf": float("inf"), "+.inf": float("inf"), "-.inf": float("-inf"),
    ".nan": float("nan"), ".NaN": float("nan"),
}  # fmt: skip
_MAYBE_NUMBER = frozenset("0123456789+-.")
_INTEGER = re.compile(r"[-+]?[0-9]+")
_OTHER_BASE = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
LONGEST_NUMBER = 40


def plain(text: str) -> str | int | float | bool | None:
    """The value of a scalar without quotes; dates, times and `yes` stay text.

    Raises:
        ValueError: a number too long to be one.
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _MAYBE_NUMBER:
        return text
    for pattern, number in ((_INTEGER, int), (_OTHER_BASE, _other_base), (_FLOAT, float)):
        if pattern.fullmatch(text):
            if len(text) > LONGEST_NUMBER:
                raise ValueError("the number is too long")
            return number(text)
    return text


def _other_base(text: str) -> int:
    return int(text, 0)


def index_of(text: str, start: int, style: str, value: str, offset: int) -> int:
    """Where in `text` character `offset` of a scalar's value stands. The scalar begins at `start`;
    `style` is its quote, `|`, `>`, or empty."""
    before = value[:offset]
    visible = before.translate(_NO_BLANKS)
    units = _visible_units(text, start, style)
    last_end = start
    for _ in visible:
        last_end = next(units, (0, last_end))[1]
    next_start = next(units, (last_end, last_end))[0]
    if value[offset : offset + 1].strip(BLANKS):
        return next_start
    blanks = len(before) - len(before.rstrip(BLANKS))
    return min(last_end + blanks, next_start) if visible else next_start


_NO_BLANKS = dict.fromkeys(map(ord, BLANKS))
_UNITS = {
    "'": re.compile(r"''|[^']"),
    '"': re.compile(r'\\(?:x(?P<x>..)|u(?P<u>.{4})|U(?P<U>.{8})|\r\n|.)|[^"\\]', re.DOTALL),
}
_ANY = re.compile(".", re.DOTALL)
_BLANK_ESCAPES = ("\\n", "\\r", "\\t", "\\\t", "\\ ", "\\N", "\\L", "\\P", "\\\n", "\\\r", "\\\r\n")


def _visible_units(text: str, start: int, style: str) -> Iterator[tuple[int, int]]:
    """(start, end) of each visible character of the scalar, and of what follows it."""
    if style in ("|", ">"):
        start = text.find("\n", start) + 1 or len(text)
    elif style:
        start += 1
    pattern = _UNITS.get(style, _ANY)
    while unit := pattern.match(text, start):
        if not _is_blank(unit):
            yield unit.span()
        start = unit.end()


def _is_blank(unit: re.Match[str]) -> bool:
    written = unit.group()
    code = next((digits for digits in unit.groupdict().values() if digits), "")
    return (chr(int(code, 16)) if code else written) in BLANKS or written in _BLANK_ESCAPES
