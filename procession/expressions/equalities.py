"""Which values of the world a condition fixes: what lets an event be found by a key, and not by trying every wait."""

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from jinja2 import nodes
from jinja2.lexer import Token

from procession.expressions.outputs import names_below, names_in
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
    parts = [source[start:end] for start, end in _conjuncts(tree.words.tokens, source)]
    if len(parts) == 1:
        inner = _without_brackets(source)
        found = _equality(source, names)
        return (found,) if found else equalities(inner, names) if inner else ()
    return tuple(one for part in parts for one in equalities(part, names))


def compares(source: str, names: tuple[str, ...]) -> bool:
    """Whether a condition compares something of these names with something that has others in it."""
    node = read(source).node
    return node is not None and any(_is_mixed(each, {*names}) for each in _comparisons(node))


def _comparisons(node: nodes.Node) -> Iterator[nodes.Compare]:
    yield from node.find_all(nodes.Compare)
    if isinstance(node, nodes.Compare):
        yield node


def _is_mixed(compared: nodes.Compare, asked: set[str]) -> bool:
    sides = [
        {name.name for name in names_below(side)}
        for side in (compared.expr, *(one.expr for one in compared.ops))
    ]
    return any(side & asked for side in sides) and any(side and not side & asked for side in sides)


def _without_brackets(part: str) -> str:
    """What stands between brackets that are around the whole; empty if there are none."""
    tokens = read(part).words.tokens
    if len(tokens) < 3 or tokens[0].type != "lparen" or tokens[-1].type != "rparen":  # noqa: PLR2004  # ( x )
        return ""
    depth = 0
    for token in tokens[:-1]:
        depth += (token.type == "lparen") - (token.type == "rparen")
        if depth == 0:
            return ""
    return part[tokens[0].lineno + 1 : tokens[-1].lineno]


def _conjuncts(tokens: list[Token], source: str) -> list[tuple[int, int]]:
    """(beginning, end) of each; none if the whole is something else."""
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
