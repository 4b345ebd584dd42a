"""Which steps an expression or a template reads from: the ids in its `outputs.<id>`."""

from collections.abc import Iterator

from jinja2 import nodes

from procession.expressions.syntax import read

ALL = "*"
"""Stands for every step: `outputs` is read as a whole, or by a name that only the run knows."""


def steps_named(source: str) -> frozenset[str]:
    """The ids of the steps whose outputs an expression reads, or `ALL` among them."""
    node = read(source).node
    return frozenset(steps_below(node)) if node is not None else frozenset()


def steps_below(node: nodes.Node) -> Iterator[str]:
    """The same of a tree of Jinja's. A name of that spelling which a template binds itself counts, too."""
    match node:
        case nodes.Getattr(node=nodes.Name(name="outputs"), attr=id_):
            yield id_
        case nodes.Getitem(node=nodes.Name(name="outputs"), arg=nodes.Const(value=str() as id_)):
            yield id_
        case nodes.Name(name="outputs", ctx="load"):
            yield ALL
        case _:
            for child in node.iter_child_nodes():
                yield from steps_below(child)


def names_in(source: str) -> frozenset[str]:
    """The names that an expression reads, without what is below them."""
    node = read(source).node
    return frozenset(name.name for name in names_below(node)) if node is not None else frozenset()


def names_below(node: nodes.Node) -> Iterator[nodes.Name]:
    """The names in a tree; not those of functions that it calls."""
    if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name):
        for argument in (*node.args, *node.kwargs):
            yield from names_below(argument)
        return
    if isinstance(node, nodes.Name):
        yield node
    for child in node.iter_child_nodes():
        yield from names_below(child)
