"""Runs expressions on values."""

from collections.abc import Mapping
from typing import Any

from jinja2 import StrictUndefined, Undefined
from jinja2.exceptions import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from procession.errors import ExpressionError
from procession.expressions.parts import Expression, Fillable, Text

_SANDBOX = ImmutableSandboxedEnvironment(undefined=StrictUndefined)


def evaluate(expression: Expression, names: Mapping[str, Any]) -> Any:
    """The value of an expression.

    Raises:
        ExpressionError: it failed on these values.
    """
    try:
        value = _SANDBOX.compile_expression(expression.source, undefined_to_none=False)(names)
    except (TemplateError, TypeError, ValueError, ArithmeticError) as error:
        raise ExpressionError(f"{expression.source}: {error}", at=expression.at) from error
    if isinstance(value, Undefined):
        raise ExpressionError(f"{expression.source}: there is no such value", at=expression.at)
    return value


def fill(value: Fillable, names: Mapping[str, Any]) -> Any:
    """A field's value with its expressions worked out.

    Raises:
        ExpressionError: one of them failed.
    """
    if isinstance(value, Expression):
        return evaluate(value, names)
    if isinstance(value, Text):
        return "".join(part if isinstance(part, str) else str(evaluate(part, names)) for part in value.parts)
    if isinstance(value, Mapping):
        return {name: fill(item, names) for name, item in value.items()}
    if isinstance(value, tuple):
        return tuple(fill(item, names) for item in value)
    return value
