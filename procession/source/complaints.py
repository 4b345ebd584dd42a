"""What ruamel has to say about a text it cannot read, in an author's words.

Each entry of `_WORDS` is for one message of `ruamel/yaml/scanner.py` or `parser.py`; most point at where the
mistake was made rather than at where it was noticed.
"""

import re
from collections.abc import Callable

from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.reader import ReaderError

from procession.source.document import Lines

Complaint = tuple[str, int, str]
"""(what is wrong, the offset where, what to do about it)."""

_Words = Callable[[MarkedYAMLError, Lines], Complaint]


def in_words(error: Exception, lines: Lines) -> Complaint:
    """One clear sentence for an error of the YAML reader."""
    if isinstance(error, ReaderError):
        code = error.character if isinstance(error.character, int) else ord(str(error.character)[:1])
        return f"the character U+{code:04X} has no place in a text", error.position, "Remove it."
    if not isinstance(error, MarkedYAMLError):
        return "an escape in this file cannot be read", _last_escape(lines), "Write the character itself."
    for pattern, words in _WORDS:
        if re.search(pattern, f"{error.context or ''}: {error.problem or ''}"):
            return words(error, lines)
    return "this cannot be read as YAML", _noticed(error), "Compare it with a line that works."


def _noticed(error: MarkedYAMLError) -> int:
    mark = error.problem_mark or error.context_mark
    return int(mark.index) if mark else 0


def _begun(error: MarkedYAMLError) -> int:
    mark = error.context_mark or error.problem_mark
    return int(mark.index) if mark else 0


def _last_escape(lines: Lines) -> int:
    found = re.search(r"\\[xuU]", lines.text)
    return found.start() if found else 0


def _before(index: int, lines: Lines) -> str:
    """The line up to there."""
    return lines.text[lines.start(lines.number(index)) : index]


def _value_start(index: int, lines: Lines) -> int:
    """Where the value begins in which something was noticed: after the last `key: ` or `- ` of its line."""
    before = _before(index, lines)
    opening = [found.end() for found in re.finditer(r"(?:: |- |[{\[,])\s*", before)]
    return index - len(before) + (opening[-1] if opening else len(before) - len(before.lstrip()))


def _bad_start(error: MarkedYAMLError, lines: Lines) -> Complaint:
    at = _noticed(error)
    letter = lines.text[at]
    if letter != "\t":
        return f"a text cannot begin with {letter!r}", at, "Put the text in quotes."
    if _before(at, lines).strip():
        return "a tab stands here", at, "Use spaces instead."
    return "the line is indented with a tab", at, "Indent with spaces."


def _no_colon(error: MarkedYAMLError, lines: Lines) -> Complaint:
    return _line_without_colon(_begun(error), lines)


def _line_without_colon(start: int, lines: Lines) -> Complaint:
    line = lines.text[start:].split("\n", 1)[0]
    if tight := re.match(r"[\w-]+:(?=\S)", line):
        return "a space is missing after ':'", start + tight.end(), f"Write `{tight.group()} …`."
    word = re.match(r"[\w-]*", line)
    hint = f"Write `{word.group()}: …`, or indent the line if it goes on with the text above." if word else ""
    return "a ':' is missing in this line", start, hint


def _second_colon(error: MarkedYAMLError, lines: Lines) -> Complaint:
    at = _noticed(error)
    before = _before(at, lines)
    if re.search(r":\s", before):
        return "a text with ': ' in it must be in quotes", at, "Put the whole text in quotes."
    number = lines.number(at) - 1
    while number > 0 and not lines.line(number).strip():
        number -= 1
    if number == 0:
        return "this ':' is not expected here", at, "Put the whole text in quotes."
    above = lines.line(number)
    if re.search(r":\s+\S", above) and _indent(above) < _indent(before):
        start = at - len(before) + _indent(before)
        return "this line is indented further than the one above", start, _TOGETHER
    key = re.match(r"[\s-]*", above)
    return _line_without_colon(lines.start(number) + (key.end() if key else 0), lines)


_TOGETHER = "Lines that belong together begin in the same column."


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _list_here(error: MarkedYAMLError, _lines: Lines) -> Complaint:
    return (
        "a list cannot begin in the line of its key",
        _noticed(error),
        "Begin it in the next line, or write [a, b].",
    )


def _question_mark(error: MarkedYAMLError, _lines: Lines) -> Complaint:
    return "a text cannot begin with '? '", _noticed(error), "Put the text in quotes."


def _open_quote(error: MarkedYAMLError, lines: Lines) -> Complaint:
    quote = lines.text[_begun(error)]
    inside = "''" if quote == "'" else '\\"'
    return (
        "this quote is not closed",
        _begun(error),
        f"Close the text with {quote}; inside, a {quote} is written {inside}.",
    )


def _unexpected(error: MarkedYAMLError, lines: Lines) -> Complaint:
    """Something in the way of a block: mostly indentation, or more text behind a closing quote."""
    at, found = _noticed(error), str(error.problem)
    before = _before(at, lines)
    closing = re.search(r"([\"'}\]])\s*$", before)
    if closing and re.search(r"scalar|'\{'|'\['", found):
        message = f"there is more text behind the closing {closing[1]}"
        return message, at, "Put the whole value in quotes of the other kind."
    if found.endswith(("'}'", "']'")):
        return (
            f"nothing is open that {lines.text[at]} could close",
            at,
            "Remove it, or put the text in quotes.",
        )
    if found.endswith("'?'") and "collection" in str(error.context):
        return (
            "this line stands among the entries of a list",
            at,
            "Begin it with '- ', or indent it as what it belongs to.",
        )
    if found.endswith("'-'"):
        return "this entry of a list stands among keys", at, "Indent it as what it belongs to."
    return "this line is indented differently from those above", at, _TOGETHER


def _open_bracket(error: MarkedYAMLError, lines: Lines) -> Complaint:
    begun, at = _begun(error), _noticed(error)
    opening = lines.text[begun]
    closing = "}" if opening == "{" else "]"
    if at >= len(lines.text.rstrip()) or lines.number(at) > lines.number(begun):
        return f"this {opening} is not closed", begun, f"Close it with {closing}."
    if lines.text[at] in "}]":
        return (
            f"the {opening} of column {lines.place(begun).column} is closed with {lines.text[at]}",
            at,
            f"Close it with {closing}.",
        )
    word = re.search(r"[^\s,{\[:]*\s*$", lines.text[begun + 1 : at])
    start = begun + 1 + word.start() if word and word.group().strip() else at
    return "this is not expected here", start, "Put a ',' before it, or the whole text in quotes."


def _star(error: MarkedYAMLError, lines: Lines) -> Complaint:
    at = _value_start(_noticed(error), lines)
    return (
        f"a text that begins with {lines.text[at]!r} must be in quotes",
        at,
        "Put the whole text in quotes.",
    )


def _escape(error: MarkedYAMLError, lines: Lines) -> Complaint:
    at = lines.text.rfind("\\", 0, _noticed(error))
    written = lines.text[at : at + 2]
    return (
        f"'{written}' is no escape that double quotes know",
        at,
        f"Write '\\{written}' for a backslash, or use single quotes.",
    )


def _block(error: MarkedYAMLError, lines: Lines) -> Complaint:
    at = _begun(error)
    return (
        f"a text that begins with {lines.text[at]!r} must be in quotes",
        at,
        f"Put it in quotes; a text of several lines begins below the {lines.text[at]}.",
    )


def _not_the_start(error: MarkedYAMLError, _lines: Lines) -> Complaint:
    return "this does not belong to what stands above", _noticed(error), "Keys at the top begin in column 1."


def _no_content(error: MarkedYAMLError, lines: Lines) -> Complaint:
    at = _noticed(error)
    if at >= len(lines.text):
        return "the file ends too early", at, "Something is missing here."
    return (
        f"{lines.text[at]!r} is not expected here",
        at,
        "A value is missing, or the text must be in quotes.",
    )


def _percent(error: MarkedYAMLError, _lines: Lines) -> Complaint:
    return "a line cannot begin with '%'", _begun(error), "Put the text in quotes."


def _document_end(error: MarkedYAMLError, _lines: Lines) -> Complaint:
    return "nothing may follow '...'", _noticed(error), "Remove the '...'."


_WORDS: tuple[tuple[str, _Words], ...] = (
    (r"cannot start any token", _bad_start),
    (r"could not find expected ':'", _no_colon),
    (r"mapping values are not allowed", _second_colon),
    (r"sequence entries are not allowed", _list_here),
    (r"mapping keys are not allowed", _question_mark),
    (r"quoted scalar: found unexpected", _open_quote),
    (r"double-quoted scalar", _escape),
    (r"block scalar", _block),
    (r"expected <block end>", _unexpected),
    (r"flow (mapping|sequence): expected ','", _open_bracket),
    (r"scanning an? (alias|anchor|tag)|parsing a tag|tag handle", _star),
    (r"expected the node content", _no_content),
    (r"expected '<document start>'", _not_the_start),
    (r"document end marker", _document_end),
    (r"directive|incompatible YAML", _percent),
)
