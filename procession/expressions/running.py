"""Runs expressions on values, in Jinja's sandbox.

What runs is the tree that `syntax.read` allowed, made safer still: every operator, call, comparison and
subscript becomes a registered operation that knows types and counts what it builds; a field is read of
records and mappings only, never as an attribute of a Python object.
"""

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from jinja2 import StrictUndefined, Undefined, nodes, pass_context
from jinja2.exceptions import SecurityError, TemplateError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing
from jinja2.visitor import NodeTransformer
from typing_extensions import override

from procession.errors import ExpressionError
from procession.expressions.arithmetic import compute, negate
from procession.expressions.budget import Ledger, Mistake, charge
from procession.expressions.comparing import compare
from procession.expressions.kinds import kind_of, said
from procession.expressions.operations import FILTERS, FUNCTIONS, TESTS
from procession.expressions.parts import Deferred, Expression, Fillable, Text
from procession.expressions.seen import seen
from procession.expressions.syntax import read
from procession.expressions.writing import as_text
from procession.records import Record, read_field

_GUARD = "Guard it with an 'if', or give a '| default(…)'."


def evaluate(expression: Expression, names: Mapping[str, Any]) -> Any:
    """The value of an expression; a list comes as a tuple.

    `names` is the scope: plain values, records, and mappings for `inputs`, `outputs` and so on. `now()`
    asks its `now` (a moment, or a function that gives one), and the zone is `process.timezone`.

    Raises:
        ExpressionError: it failed on these values, or is no expression; says where, and what it saw.
    """
    try:
        return _settled(_run(_compiled(expression.source), names))
    except Mistake as error:
        raise _failed(expression, names, str(error)) from error
    except TemplateError as error:
        why = error.message or "it cannot be worked out"
        raise _failed(expression, names, why, _GUARD if "empty" in why else "") from error
    except (TypeError, ValueError, ArithmeticError, LookupError, RecursionError) as error:
        raise _failed(expression, names, "it does not fit these values") from error


def fill(value: Fillable, names: Mapping[str, Any]) -> Any:
    """A field's value with its expressions worked out: an `Expression` gives its value, a `Text` text
    (see `writing` for how each type reads), mappings and tuples are gone through; a `Deferred` gives its expression.

    Raises:
        ExpressionError: one of the expressions failed.
    """
    if isinstance(value, Expression):
        return evaluate(value, names)
    if isinstance(value, Text):
        return "".join(part if isinstance(part, str) else _written(part, names) for part in value.parts)
    if isinstance(value, Deferred):
        return value.expression
    if isinstance(value, Mapping):
        return {name: fill(item, names) for name, item in value.items()}
    if isinstance(value, tuple):
        return tuple(fill(item, names) for item in value)
    return value


def write(value: Any, names: Mapping[str, Any]) -> str:
    """A value as mixed text shows it (see `writing`).

    Raises:
        ValueError: a value that is no text.
    """
    return as_text(value, _context(names))


def _written(expression: Expression, names: Mapping[str, Any]) -> str:
    try:
        return write(evaluate(expression, names), names)
    except Mistake as error:
        raise _failed(expression, names, str(error)) from error


def _failed(expression: Expression, names: Mapping[str, Any], why: str, hint: str = "") -> ExpressionError:
    """The expression, why it failed, and the values it saw."""
    source = " ".join(expression.source.split())
    short = source if len(source) <= 120 else f"{source[:119]}…"  # noqa: PLR2004
    saw = seen(expression.source, names)
    values = f" (it saw {saw})" if saw else ""
    return ExpressionError(f"'{short}' failed: {why}{values}", at=expression.at, hint=hint)


class Missing(StrictUndefined):
    """A name or field that is not there: an error as soon as it is used, except by `default` and `is empty`."""

    @property
    @override
    def _undefined_message(self) -> str:
        name, owner = str(self._undefined_name), self._undefined_obj
        if owner is missing:
            return f"there is no {name!r} here"
        if owner is None:
            return f"{name!r} is read from something empty"
        if isinstance(owner, Record):
            return f"{owner!r} has no {name!r}"
        return f"there is no {name!r} in {said(owner)}"


class Sandbox(ImmutableSandboxedEnvironment):
    """Knows the registered operations and nothing else."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%"})
    intercepted_unops = frozenset({"+", "-"})
    context_class = Ledger

    def __init__(self) -> None:
        super().__init__(undefined=Missing, optimized=False, cache_size=0)
        self.globals.clear()
        self.filters = {name: pass_context(operation.run) for name, operation in FILTERS.items()}
        self.filters |= {f"{name}()": pass_context(operation.run) for name, operation in FUNCTIONS.items()}
        self.filters |= {"~": pass_context(_concat), "<": pass_context(compare), "[]": pass_context(_part)}
        self.tests = {name: pass_context(operation.run) for name, operation in TESTS.items()}

    @override
    def getattr(self, obj: Any, attribute: str) -> Any:
        try:
            if isinstance(obj, Record):
                return read_field(obj, attribute)
            if isinstance(obj, Mapping):
                return obj[attribute]
        except KeyError:
            return Missing(obj=obj, name=attribute)
        return obj if isinstance(obj, Undefined) else Missing(obj=obj, name=attribute)

    @override
    def getitem(self, _obj: Any, _argument: Any, /) -> Any:
        raise SecurityError("brackets are not read like that")

    @override
    def call(self, _context: Context, _object: Any, /, *_args: Any, **_kwargs: Any) -> Any:
        raise SecurityError("nothing is called like that")

    @override
    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        return compute(context, operator, left, right)

    @override
    def call_unop(self, _context: Context, operator: str, arg: Any, /) -> Any:
        return negate(operator, arg)


class _Lower(NodeTransformer):
    """Turns calls, comparisons, joins and subscripts into operations of the sandbox."""

    def visit_Call(self, node: nodes.Call) -> nodes.Node:  # noqa: N802  (Jinja's naming, here and below)
        self.generic_visit(node)
        name = node.node.name if isinstance(node.node, nodes.Name) else ""
        return _operation(f"{name}()", nodes.Const(None), node.args, node.kwargs)

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _operation("~", nodes.List(node.nodes), [], [])

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        pairs = [part for operand in node.ops for part in (nodes.Const(operand.op), operand.expr)]
        return _operation("<", node.expr, pairs, [])

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        if isinstance(node.arg, nodes.Slice):
            ends = [end or nodes.Const(None) for end in (node.arg.start, node.arg.stop)]
            return _operation("[]", node.node, ends, [])
        return _operation("[]", node.node, [node.arg], [])

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return nodes.List(node.items)


def _operation(
    name: str, value: nodes.Expr, args: list[nodes.Expr], kwargs: list[nodes.Keyword]
) -> nodes.Filter:
    return nodes.Filter(value, name, args, kwargs, None, None)


_RESULT = "_result"

RenderFunction = Callable[[Context], Iterator[str]]


@functools.lru_cache(maxsize=4096)
def _compiled(source: str) -> RenderFunction:
    """The same as `Environment.compile_expression`, but from the very tree that was allowed.

    Raises:
        Mistake: it is no expression, or none that is allowed.
    """
    tree = read(source)
    if tree.node is None or tree.findings:
        raise Mistake(tree.findings[0].message)
    node = _Lower().visit(tree.node)
    node.set_environment(_SANDBOX)
    body = nodes.Assign(nodes.Name(_RESULT, "store"), node, lineno=1)
    return _SANDBOX.from_string(nodes.Template([body], lineno=1)).root_render_func


def _context(names: Mapping[str, Any]) -> Ledger:
    return Ledger(_SANDBOX, names, None, {})  # type: ignore[arg-type]  # only read, never written


def _run(render: RenderFunction, names: Mapping[str, Any]) -> Any:
    context = _context(names)
    for _ in render(context):
        pass
    return context.vars[_RESULT]


def _settled(value: Any) -> Any:
    """A result that can be kept: nothing undefined in it, lists as tuples."""
    if isinstance(value, Undefined):
        bool(value)  # raises UndefinedError, which says what is missing
    if isinstance(value, list | tuple):
        return tuple(_settled(item) for item in value)
    return value


def _concat(context: Context, values: list[Any]) -> str:
    parts = [as_text(value, context) for value in values]
    charge(context, sum(map(len, parts)))
    return "".join(parts)


def _part(context: Context, value: Any, *place: Any) -> Any:
    """`value[1]` or `value[0:3]`."""
    if not isinstance(value, str | list | tuple):
        raise Mistake(f"{said(value)} has no parts")
    if any(at is not None and kind_of(at) != "int" for at in place):
        raise Mistake("a place in a list is a whole number")
    try:
        found = value[place[0]] if len(place) == 1 else value[place[0] : place[1]]
    except IndexError:
        raise Mistake(f"there is no number {place[0]} in a list of {len(value)}") from None
    charge(context, len(found) if isinstance(found, str | list | tuple) and len(place) > 1 else 1)
    return found


_SANDBOX = Sandbox()
