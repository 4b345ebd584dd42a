"""What an expression can come to, where that is written out in it, and where it asks the time."""

from collections.abc import Iterator

from jinja2 import nodes

from procession.expressions import Expression, Fillable
from procession.expressions.syntax import name_of, operation_of, read, start
from procession.model import Leaf


def results(value: Fillable) -> tuple[str, ...]:
    """The texts that a value is or may be: `'a' if late else 'b'` gives a and b."""
    return tuple(text for text, _ in _placed(value))


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


def written_in(leaf: Leaf) -> tuple[tuple[str, int], ...]:
    """The texts that a leaf is or may be, each with the character of the leaf at which it stands."""
    if not isinstance(leaf.value, Expression):
        return _placed(leaf.value)
    behind_the_quote = leaf.spans[0][1] + 1
    return tuple((text, behind_the_quote + offset) for text, offset in _placed(leaf.value))


def _placed(value: Fillable) -> tuple[tuple[str, int], ...]:
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
        case nodes.Filter(name="default", node=nodes.Expr() as value):
            yield from _results(value)
            for argument in node.args:
                yield from _results(argument)


def asking_the_time(expression: Expression) -> tuple[int, ...]:
    """The characters at which it calls what gives something else a moment later: `now()`, `is past`."""
    tree = read(expression.source)
    if tree.node is None:
        return ()
    calls = (node for node in _every(tree.node) if (known := operation_of(node)) and known.asks_the_time)
    return tuple(name_of(node, tree.words) for node in calls)


def _every(node: nodes.Node) -> Iterator[nodes.Node]:
    yield node
    for child in node.iter_child_nodes():
        yield from _every(child)
