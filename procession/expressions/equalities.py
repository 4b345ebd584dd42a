"""Which values of the world a condition fixes: what lets an event be found by a key, and not by trying every wait."""

import functools
import re
from dataclasses import dataclass

from jinja2.lexer import Token

from procession.expressions.outputs import names_in
from procession.expressions.syntax import read

_PATH = re.compile(r"\s*([a-z_]\w*(?:\.\w+)*)\s*")
_ELSEWHERE = ("or", "if", "else")
_OTHER_TESTS = ("ne", "lt", "lteq", "gt", "gteq")


@dataclass(frozen=True, slots=True)
class Equality:
    """`path` is one of the asked names or something below it (`record.contact`); `other` is an expression without these."""

    path: str
    other: str


@functools.lru_cache(maxsize=1024)
def equalities(source: str, names: tuple[str, ...]) -> tuple[Equality, ...]:
    """The equalities that hold whenever a condition does: the condition itself, or what it joins by `and`."""
    tree = read(source)
    if tree.node is None or tree.findings:
        return ()
    parts = _conjuncts(tree.words.tokens, source)
    return tuple(found for start, end in parts if (found := _equality(source[start:end], names)))


def _conjuncts(tokens: list[Token], source: str) -> list[tuple[int, int]]:
    """(beginning, end) of each; none if the whole is no conjunction. Brackets around the whole are not looked into."""
    depth, begin, found = 0, 0, []
    for token in tokens:
        depth += (token.type in ("lparen", "lbracket")) - (token.type in ("rparen", "rbracket"))
        if depth or token.type != "name":
            continue
        if token.value in _ELSEWHERE:
            return []
        if token.value == "and":
            found.append((begin, token.lineno))
            begin = token.lineno + len("and")
    return [*found, (begin, len(source))]


def _equality(part: str, names: tuple[str, ...]) -> Equality | None:
    tree = read(part)
    if tree.node is None or tree.findings:
        return None
    signs, depth = [], 0
    for token in tree.words.tokens:
        depth += (token.type in ("lparen", "lbracket")) - (token.type in ("rparen", "rbracket"))
        if depth == 0 and (token.type in ("eq", *_OTHER_TESTS) or token.value in ("not", "in", "is")):
            signs.append(token)
    if len(signs) != 1 or signs[0].type != "eq":
        return None
    at = signs[0].lineno
    left, right = part[:at], part[at + 2 :]
    for path, other in ((left, right), (right, left)):
        found = _PATH.fullmatch(path)
        if found and found[1].partition(".")[0] in names and not names_in(other) & {*names}:
            return Equality(found[1], other.strip())
    return None
