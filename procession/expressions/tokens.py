"""An expression's words, each with its place, and the slips of the pen that show before any grammar does.

The scanner writes the *offset* of every word where Jinja keeps a line number, so that each node of
Jinja's tree says exactly where it stands (an expression has no lines worth counting). What people write
from other languages (`=`, `&&`, `AND`) is reported and read as what was meant, so that one slip does not
hide the next mistake.
"""

import re
from dataclasses import dataclass, field
from typing import Any

from jinja2.lexer import Token, operators

from procession.expressions.parts import Finding
from procession.times import parse_any_duration

LONGEST_SOURCE = 2_000
LONGEST_NAME = 100
MOST_WORDS = 300
DEEPEST_BRACKETS = 12
LARGEST_LITERAL = 10**15

_WORD = re.compile(
    r"(?P<space>\s+)"
    r"|(?P<string>'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")"
    r"|(?P<open>['\"].*)"
    r"|(?P<duration>[0-9]+(?:\.[0-9]+)?[^\W\d_]\w*)"
    r"|(?P<float>[0-9]+\.[0-9]+)"
    r"|(?P<integer>[0-9]+)"
    r"|(?P<name>[^\W\d]\w*)"
    r"|(?P<slip>\{\{|\}\}|&&|\|\||===|!==|<>|=>|=<|\*\*|!(?!=)|[“”„‘’‚`´]|[{}?;&^\\@$#])"
    r"|(?P<operator>//|==|!=|>=|<=|[-+/*%~\[\]()><=.:|,])"
    r"|(?P<other>.)",
    re.DOTALL,
)
_SPLIT = "Give parts of it a name with `set`."
_SLIPS = {
    "&&": ("'&&' is not known here", "Write 'and'.", "and"),
    "&": ("'&' is not known here", "Write 'and', or '~' to join texts.", "and"),
    "||": ("'||' is not known here", "Write 'or'.", "or"),
    "!": ("'!' is not known here", "Write 'not'.", "not"),
    "===": ("'===' is not known here", "Write '=='.", "=="),
    "!==": ("'!==' is not known here", "Write '!='.", "!="),
    "<>": ("'<>' is not known here", "Write '!='.", "!="),
    "=>": ("'=>' is not known here", "Write '>='.", ">="),
    "=<": ("'=<' is not known here", "Write '<='.", "<="),
    "**": ("there are no powers here", "Multiply with '*'.", "*"),
    "?": ("'?' is not known here", "Write 'this if condition else that'.", ""),
    "{{": ("braces do not belong inside an expression", "Write it without '{{' and '}}'.", ""),
    "}}": ("braces do not belong inside an expression", "Write it without '{{' and '}}'.", ""),
    "{": ("there are no groups in braces here", "Write each value as a YAML field of its own.", ""),
    "}": ("there are no groups in braces here", "Write each value as a YAML field of its own.", ""),
}  # fmt: skip
_CURLY = "“”„‘’‚`´"
_SMALL = {"and", "or", "not", "in", "is", "if", "else"}
_ESCAPES = {"n": "\n", "t": "\t", "\\": "\\", "'": "'", '"': '"'}
_CLOSING = {"(": ")", "[": "]"}


@dataclass(slots=True)
class Words:
    """The words as Jinja's parser takes them (`lineno` is the offset), and what was found wrong.

    After a `broken` one the rest cannot be read."""

    source: str
    tokens: list[Token] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    broken: bool = False

    def wrong(self, message: str, offset: int, hint: str = "", *, broken: bool = True) -> None:
        """Note a mistake. The same one twice, such as both braces of a pair, is one where nothing can be read."""
        if not broken or not any(known.message == message for known in self.findings):
            self.findings.append(Finding(message, offset, hint))
        self.broken |= broken

    def index(self, offset: int) -> int:
        """The number of the word that stands at this offset."""
        return next(i for i, token in enumerate(self.tokens) if token.lineno == offset)


def scan(source: str) -> Words:
    """Cut an expression into words. Raises nothing."""
    words = Words(source)
    if len(source) > LONGEST_SOURCE:
        words.wrong(f"the expression is longer than {LONGEST_SOURCE} characters", 0, _SPLIT)
        return words
    for found in _WORD.finditer(source):
        _read(found, words)
    _match_brackets(words)
    _match_equals(words)
    if len(words.tokens) > MOST_WORDS:
        words.wrong(f"the expression has more than {MOST_WORDS} words", 0, _SPLIT)
    if not words.tokens and not words.findings:
        words.wrong("the expression is empty", 0, "Name a value.")
    return words


def _read(found: re.Match[str], words: Words) -> None:
    kind, text, at = found.lastgroup, found.group(), found.start()
    match kind:
        case "space":
            return
        case "string":
            words.tokens.append(Token(at, "string", _unescape(text[1:-1], at + 1, words)))
        case "name":
            words.tokens.append(Token(at, "name", _name(text, at, words)))
        case "integer" | "float":
            number: Any = _number(text, at, words)  # Jinja's lexer puts numbers there too
            words.tokens.append(Token(at, kind, number))
        case "operator":
            words.tokens.append(Token(at, operators[text], text))
        case "slip":
            _slip(text, at, words)
        case "open":
            words.wrong("the text that begins here is not closed", at, f"Close it with {text[0]}.")
        case "duration":
            _unit(text, at, words)
        case _:
            words.wrong(f"{text!r} is not known here", at, "Remove it, or put it into quotes.")


def _unescape(text: str, at: int, words: Words) -> str:
    for found in re.finditer(r"\\(.)", text, re.DOTALL):
        if found[1] not in _ESCAPES:
            hint = rf"Write '\\{found[1]}' for a backslash."
            words.wrong(f"'\\{found[1]}' has no meaning in a text", at + found.start(), hint, broken=False)
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[0]), text, flags=re.DOTALL)


def _name(text: str, at: int, words: Words) -> str:
    if len(text) > LONGEST_NAME:
        words.wrong(
            f"a name is longer than {LONGEST_NAME} characters", at, "If it is a text, put it into quotes."
        )
    if not text.isascii():
        words.wrong(f"{text[:40]!r} is no name", at, "If it is a text, put it into quotes.")
    if text != text.lower() and text.lower() in _SMALL:
        words.wrong(f"{text!r} is written in small letters", at, f"Write {text.lower()!r}.", broken=False)
        return text.lower()
    return text


def _number(text: str, at: int, words: Words) -> int | float:
    number = float(text[:400]) if "." in text else int(text[:400])
    if number > LARGEST_LITERAL:
        words.wrong("the number is too large", at, "Numbers go up to a million billions.", broken=False)
        return 0
    return number


def _unit(text: str, at: int, words: Words) -> None:
    try:
        parse_any_duration(text)
        hint = f"A duration is written as duration('{text}')."
    except ValueError:
        hint = "Write digits only, or put it into quotes."
    words.wrong(f"{text!r} is not a number", at, hint)


def _slip(text: str, at: int, words: Words) -> None:
    if text in _CURLY:
        words.wrong("quotation marks must be straight", at, "Write 'text'.")
        return
    message, hint, meant = _SLIPS.get(
        text, (f"{text!r} is not known here", "Remove it, or put it into quotes.", "")
    )
    words.wrong(message, at, hint, broken=not meant)
    if meant:
        words.tokens.append(Token(at, operators.get(meant, "name"), meant))


def _match_brackets(words: Words) -> None:
    opened: list[Token] = []
    for token in words.tokens:
        if token.type in ("lparen", "lbracket"):
            opened.append(token)
        elif token.type in ("rparen", "rbracket"):
            _close(token, opened, words)
        if len(opened) > DEEPEST_BRACKETS:
            words.wrong("the brackets are nested too deeply", token.lineno, _SPLIT)
            return
    for token in opened:
        _never_closed(token, words)


def _close(token: Token, opened: list[Token], words: Words) -> None:
    fitting = next((i for i, left in enumerate(opened) if _CLOSING[left.value] == token.value), None)
    if not opened:
        words.wrong(f"'{token.value}' closes nothing", token.lineno, "Remove it, or add the opening one.")
    elif fitting is None:
        shut = _CLOSING[opened.pop().value]
        words.wrong(f"'{token.value}' stands where '{shut}' is needed", token.lineno, f"Write '{shut}'.")
    else:
        while _CLOSING[(left := opened.pop()).value] != token.value:
            _never_closed(left, words)


def _never_closed(token: Token, words: Words) -> None:
    words.wrong(f"'{token.value}' is never closed", token.lineno, f"Add '{_CLOSING[token.value]}'.")


def _match_equals(words: Words) -> None:
    """`=` gives an argument its name (`sort(attribute='start')`); anywhere else `==` was meant."""
    inside: list[bool] = []
    for number, token in enumerate(words.tokens):
        before = words.tokens[number - 1] if number else None
        if token.type in ("lparen", "lbracket"):
            inside.append(token.type == "lparen" and before is not None and before.type == "name")
        elif token.type in ("rparen", "rbracket") and inside:
            inside.pop()
        elif token.type == "assign" and not (inside and inside[-1] and _names_argument(words.tokens, number)):
            words.wrong("'=' does not compare", token.lineno, "Write '=='.", broken=False)
            words.tokens[number] = Token(token.lineno, "eq", "==")


def _names_argument(tokens: list[Token], number: int) -> bool:
    before = [token.type for token in tokens[:number][-2:]]
    return before in (["lparen", "name"], ["comma", "name"])
