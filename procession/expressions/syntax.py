"""Words → tree, and the allow-list: what is not listed here is not in the language.

The tree is Jinja's own, made by Jinja's parser. What `read` returns without findings can be run: it
calls nothing but the registered operations, reads no attribute that begins with `_`, and is small.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from jinja2 import Environment, TemplateSyntaxError, nodes
from jinja2.lexer import Token, TokenStream
from jinja2.parser import Parser

from procession.expressions.operations import FILTERS, FUNCTIONS, TESTS, Operation
from procession.expressions.parts import Finding
from procession.expressions.tokens import Words, scan
from procession.spelling import did_you_mean

DEEPEST_TREE = 40

_ALLOWED = (
    nodes.Add, nodes.And, nodes.Call, nodes.Compare, nodes.Concat, nodes.CondExpr, nodes.Const, nodes.Div,
    nodes.Filter, nodes.FloorDiv, nodes.Getattr, nodes.Getitem, nodes.Keyword, nodes.List, nodes.Mod,
    nodes.Mul, nodes.Name, nodes.Neg, nodes.Not, nodes.Operand, nodes.Or, nodes.Pos, nodes.Slice, nodes.Sub,
    nodes.Test, nodes.Tuple,
)  # fmt: skip
_GRAMMAR = Environment()  # noqa: S701  (parses only; nothing is rendered)
_VALUES = ("name", "string", "integer", "float", "rparen", "rbracket")
JINJAS_OWN = ("self", "super", "loop", "caller", "varargs", "kwargs")
"""Names that Jinja's compiler gives a meaning of its own."""

_OTHER_NAMES = {
    "none": "empty", "defined": "empty", "undefined": "empty", "null": "empty", "blank": "empty",
    "d": "default", "capitalize": "title", "count": "length", "size": "length", "len": "length", "string": "text",
    "str": "text", "float": "number", "selectattr": "where", "select": "where", "filter": "where", "uppercase": "upper",
    "lowercase": "lower", "strip": "trim", "strftime": "date", "format": "date", "order": "sort", "tz": "in_zone",
    "timezone": "in_zone", "timedelta": "duration", "date": "day", "datetime": "moment", "average": "sum",
}  # fmt: skip
"""Names from elsewhere, and what they are called here."""


@dataclass(frozen=True, slots=True)
class Tree:
    """An expression read: its tree (None if it is no expression at all) and what is wrong with it."""

    words: Words
    node: nodes.Expr | None
    findings: tuple[Finding, ...]


def read(source: str) -> Tree:
    """Read an expression. Raises nothing."""
    words = scan(source)
    try:
        node = None if words.broken else _parse(words)
    except RecursionError:
        return Tree(words, None, (_TOO_DEEP,))
    refused = list(_refused(node, words)) if node else []
    findings = in_order([*words.findings, *refused])
    return Tree(words, None if _TOO_DEEP in refused else node, findings)


def in_order(findings: list[Finding]) -> tuple[Finding, ...]:
    """By their place, each once."""
    return tuple(sorted(dict.fromkeys(findings), key=lambda finding: finding.offset))


def start(node: nodes.Node) -> int:
    """The offset of a node's first word: no word of it stands before, brackets aside."""
    return min(_offsets(node))


def name_of(node: nodes.Node, words: Words) -> int:
    """The offset of the word that names what a node does: the field, filter, test or function."""
    if isinstance(node, nodes.Getattr):
        return words.tokens[words.index(node.lineno) + 1].lineno
    if isinstance(node, nodes.Test):
        after = words.index(node.lineno) + 1
        return words.tokens[after + (words.tokens[after].value == "not")].lineno
    return start(node) if isinstance(node, nodes.Call) else node.lineno


def named_arguments(node: nodes.Filter | nodes.Test | nodes.Call) -> dict[str, nodes.Keyword]:
    return {str(keyword.key): keyword for keyword in node.kwargs if isinstance(keyword, nodes.Keyword)}


def argument_name(node: nodes.Keyword, words: Words) -> int:
    """The offset of a named argument's name."""
    before = words.index(start(node.value))
    while words.tokens[before].type != "assign" or words.tokens[before - 1].value != node.key:
        before -= 1
    return words.tokens[before - 1].lineno


def operation_of(node: nodes.Node) -> Operation | None:
    """The registered operation a node calls, if it is one."""
    if isinstance(node, nodes.Filter):
        return FILTERS.get(node.name)
    if isinstance(node, nodes.Test):
        return TESTS.get(node.name)
    if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name):
        return FUNCTIONS.get(node.node.name)
    return None


_TOO_DEEP = Finding("the expression is nested too deeply", 0, "Give parts of it a name with `set`.")


def _parse(words: Words) -> nodes.Expr | None:
    parser = Parser(_GRAMMAR, "", state="variable")
    parser.stream = stream = TokenStream(iter(words.tokens), None, None)
    try:
        node = parser.parse_expression()
    except TemplateSyntaxError as error:
        _unexpected(words, None if stream.current.type == "eof" else error.lineno)
        return None
    if stream.current.type != "eof":
        _unexpected(words, stream.current.lineno)
        return None
    return node


def _unexpected(words: Words, offset: int | None) -> None:
    if offset is None:
        last = words.tokens[-1]
        words.wrong(
            "the expression ends too early",
            last.lineno,
            f"Something is missing after {_written(last, words)}.",
        )
        return
    number = words.index(offset)
    token = words.tokens[number]
    before = words.tokens[number - 1] if number else None
    words.wrong(f"{_written(token, words)} is not expected here", offset, _missing(before, token))


def _missing(before: Token | None, token: Token) -> str:
    """What to do about a word that does not belong where it stands."""
    if before is None or before.type not in _VALUES or token.type not in (*_VALUES, "lparen"):
        return "Something is missing before it."
    if before.type == "integer" and token.type == "name":
        return f"A duration is written as duration('{before.value} {token.value}')."
    return "Something such as 'and', '==' or '~' is missing before it."


def _written(token: Token, words: Words) -> str:
    text = words.source[token.lineno :]
    return f"'{text[: len(str(token.value))]}'" if token.type != "string" else "the text"


def _offsets(node: nodes.Node) -> Iterator[int]:
    yield node.lineno
    for child in node.iter_child_nodes():
        if not isinstance(child, nodes.Operand):
            yield from _offsets(child)


def _refused(node: nodes.Node, words: Words, depth: int = 0) -> Iterator[Finding]:
    if depth > DEEPEST_TREE:
        yield _TOO_DEEP
        return
    problem = _refusal(node, words)
    if problem:
        yield problem
    for child in node.iter_child_nodes():
        if isinstance(node, nodes.Call) and child is node.node:
            continue
        yield from _refused(child, words, depth + 1)


def _refusal(node: nodes.Node, words: Words) -> Finding | None:
    match node:
        case nodes.Getattr() if node.attr.startswith("_"):
            return Finding(f"{node.attr!r} is private", name_of(node, words), "Fields do not begin with '_'.")
        case nodes.Name() if node.name.startswith("_") or node.name in JINJAS_OWN:
            return Finding(f"{node.name!r} is private", node.lineno, "It is no name that a process can have.")
        case nodes.CondExpr() if node.expr2 is None:
            return Finding("this 'if' has no 'else'", start(node), "Write 'this if condition else that'.")
        case nodes.Slice() if node.step is not None:
            return Finding(
                "a part is taken from one place to another, without steps", start(node), "Write [0:3]."
            )
        case nodes.Getitem() if not isinstance(node.arg, nodes.Slice) and _is_text(node.arg):
            return Finding("a field is not read with brackets", start(node.arg), f"Write .{_text(node.arg)}.")
        case nodes.Filter() | nodes.Test() | nodes.Call():
            return _refused_call(node, words)
    if isinstance(node, _ALLOWED):
        return None
    return Finding("this is not known here", start(node))


def _is_text(node: nodes.Expr) -> bool:
    return isinstance(node, nodes.Const) and isinstance(node.value, str)


def _text(node: nodes.Expr) -> str:
    return str(node.value) if isinstance(node, nodes.Const) else ""


def _refused_call(node: nodes.Filter | nodes.Test | nodes.Call, words: Words) -> Finding | None:
    operation = operation_of(node)
    if operation is None:
        return _unknown(node, words)
    if node.dyn_args is not None or node.dyn_kwargs is not None:
        return Finding("values cannot be spread with '*'", start(node), "Write every value by itself.")
    return _wrong_arguments(node, operation, words)


def _unknown(node: nodes.Filter | nodes.Test | nodes.Call, words: Words) -> Finding:
    at = name_of(node, words)
    match node:
        case nodes.Filter():
            return Finding(f"there is no filter {node.name!r}", at, _guess(node.name, FILTERS))
        case nodes.Test():
            return Finding(f"there is no test {node.name!r}", at, _guess(node.name, TESTS))
        case nodes.Call(node=nodes.Name(name=name)):
            if name in FILTERS:
                return Finding(f"{name!r} is not called like that", at, _behind(name))
            return Finding(f"there is no function {name!r}", at, _guess(name, FUNCTIONS))
        case nodes.Call(node=nodes.Getattr(attr=name) as method):
            there = name_of(method, words)
            hint = _behind(name) if name in FILTERS else "Leave out the brackets."
            return Finding(f"{name!r} cannot be called", there, hint)
    return Finding("this cannot be called", start(node), "Leave out the brackets.")


def _behind(name: str) -> str:
    return f"Write it after the value and a bar: … | {name}."


def _guess(name: str, known: dict[str, Operation]) -> str:
    other = _OTHER_NAMES.get(name.lower(), "")
    if other in known:
        return f"Write {other!r}."
    return did_you_mean(name, known) or f"There are: {', '.join(sorted(known))}."


def _wrong_arguments(
    node: nodes.Filter | nodes.Test | nodes.Call, operation: Operation, words: Words
) -> Finding | None:
    at = name_of(node, words)
    names = operation.arguments
    if len(node.args) > len(names):
        most = f"at most {len(names)} of them" if names else "none"
        return Finding(
            f"too many values: {operation.name!r} takes {most}", at, f"Example: {operation.example}."
        )
    given = set(names[: len(node.args)])
    for name, keyword in named_arguments(node).items():
        if name in given or (name not in names and not operation.any_names):
            hint = did_you_mean(name, names) or f"Example: {operation.example}."
            said = "is given twice" if name in given else f"is nothing that {operation.name!r} takes"
            return Finding(f"{name!r} {said}", argument_name(keyword, words), hint)
        given.add(name)
    missing = [name for name in operation.required if name not in given]
    if missing:
        return Finding(f"{operation.name!r} needs a value", at, f"Example: {operation.example}.")
    return None
