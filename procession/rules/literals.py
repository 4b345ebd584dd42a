"""What an expression can come to, where that is written out in it."""

from collections.abc import Iterator

from jinja2 import nodes

from procession.expressions import Expression, Fillable
from procession.expressions.syntax import read, start


def results(value: Fillable) -> tuple[str, ...]:
    """The texts that a value is or may be: `'a' if late else 'b'` gives a and b."""
    return tuple(text for text, _ in placed_results(value))


def is_complete(value: Fillable) -> bool:
    """Whether `results` are all that a value can be."""
    if not isinstance(value, Expression):
        return isinstance(value, str)
    tree = read(value.source)
    return tree.node is not None and _only_results(tree.node)


def _only_results(node: nodes.Node) -> bool:
    match node:
        case nodes.Const():
            return True
        case nodes.CondExpr():
            return _only_results(node.expr1) and node.expr2 is not None and _only_results(node.expr2)
    return False


def placed_results(value: Fillable) -> tuple[tuple[str, int], ...]:
    """The same, each with the character of the value's source at which it stands."""
    if isinstance(value, str):
        return ((value, 0),)
    if not isinstance(value, Expression):
        return ()
    tree = read(value.source)
    return tuple(_results(tree.node)) if tree.node is not None and not tree.findings else ()


def _results(node: nodes.Node) -> Iterator[tuple[str, int]]:
    match node:
        case nodes.Const(value=str() as text):
            yield text, start(node)
        case nodes.CondExpr():
            yield from _results(node.expr1)
            if node.expr2 is not None:
                yield from _results(node.expr2)
        case nodes.Or():
            yield from _results(node.left)
            yield from _results(node.right)
