"""The Jinja environment that mail templates run in: what they may call, and how much they may do.

A template reads plain data and writes text. It calls only macros, the filters listed here, `range` and
the functions it was handed; it changes nothing, and it ends: loops run over lists of the data or over a
`range`, and all ranges and calls of a mail share one budget (`procession.mail.formats.spend`).
"""

from collections.abc import Callable, Mapping
from types import BuiltinFunctionType, MethodType
from typing import Any

from jinja2 import FunctionLoader, StrictUndefined, Undefined, nodes
from jinja2.exceptions import SecurityError
from jinja2.filters import FILTERS
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.tests import TESTS
from markupsafe import Markup, escape
from typing_extensions import override

from procession.mail.formats import FORMATS, budgeted_range, spend
from procession.records import Record, fields_of
from procession.spelling import did_you_mean

JINJA_FILTERS = (
    "abs", "capitalize", "count", "e", "escape", "first", "float", "groupby", "int", "items",
    "join", "last", "length", "list", "lower", "map", "max", "min", "reject", "rejectattr", "replace", "reverse",
    "round", "select", "selectattr", "sort", "string", "striptags", "sum", "title", "trim", "truncate",
    "unique", "upper", "urlencode", "wordcount",
)  # fmt: skip
"""Jinja's filters that write nothing unescaped, pad nothing and are the same every time."""

MAX_POWER = 100


class Missing(StrictUndefined):
    """What a name or field that is not there gives: an error as soon as it is used, and in words."""

    @property
    @override
    def _undefined_message(self) -> str:
        name = str(self._undefined_name)
        owner: Any = self._undefined_obj
        if isinstance(owner, Record):
            guess = did_you_mean(name, fields_of(owner))
            return f"{owner!r} has no field {name!r}" + (f". {guess}" if guess else "")
        if owner is None:
            return f"there is no {name!r} here, since what it is read from is empty"
        if self._undefined_hint:
            return self._undefined_hint
        if isinstance(owner, Mapping):
            return f"there is no {name!r} here"
        return f"{name!r} is not known here"


class MailSandbox(ImmutableSandboxedEnvironment):
    """An immutable sandbox with these filters, this budget and these errors."""

    intercepted_binops = frozenset(("*", "**", "%"))

    def __init__(self, load: Callable[[str], tuple[str, str, Callable[[], bool]] | None]) -> None:
        super().__init__(
            loader=FunctionLoader(load), autoescape=_is_html, undefined=Missing, auto_reload=False,
            cache_size=-1, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=False,
        )  # fmt: skip
        self.filters = {**{name: FILTERS[name] for name in JINJA_FILTERS}, **OURS}
        self.tests = dict(TESTS)
        self.globals = {"range": budgeted_range}

    @override
    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        """`x if y` without an `else` is empty, as people expect, and not undefined."""
        tree = super()._parse(source, name, filename)
        for node in tree.find_all(nodes.CondExpr):
            if node.expr2 is None:
                node.expr2 = nodes.Const("", lineno=node.lineno, environment=self)
        return tree

    @override
    def getattr(self, obj: Any, attribute: str) -> Any:
        """A record has fields and nothing else; a name below a mapping (`outputs.items`) is its entry, never a method."""
        entries = fields_of(obj) if isinstance(obj, Record) else obj
        if isinstance(entries, Mapping):
            try:
                return entries[attribute]
            except KeyError:
                return self.undefined(obj=obj, name=attribute)
        if isinstance(obj, str):  # Jinja would hand out `format`, which pads to any length
            return self.undefined(f"a text has no {attribute!r}; use a filter", name=attribute)
        return super().getattr(obj, attribute)

    @override
    def getitem(self, obj: Any, argument: Any, /) -> Any:
        return self.getattr(obj, argument) if isinstance(argument, str) else super().getitem(obj, argument)

    @override
    def is_safe_callable(self, obj: Any) -> bool:
        """No method of a plain value: `'x'.ljust(10**9)` is a bomb, and the filters say all that is needed."""
        if isinstance(obj, BuiltinFunctionType) and obj.__self__ is not None:
            return False
        if isinstance(obj, MethodType) and isinstance(obj.__self__, str | Mapping | Record):
            return False
        return super().is_safe_callable(obj)

    @override
    def call(self, context: Any, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Every call costs a round, so that a macro that calls itself ends too. What is missing fails here, where
        the template names it, and not somewhere in a shared macro."""
        spend(1)
        for given in (*args, *kwargs.values()):
            if isinstance(given, Missing):
                str(given)
        return super().call(context, obj, *args, **kwargs)

    @override
    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if any(isinstance(side, str | bytes | list | tuple) for side in (left, right)):
            raise SecurityError(f"'{operator}' is for numbers")
        if operator == "**" and (abs(left) > MAX_POWER or abs(right) > MAX_POWER):
            raise SecurityError(f"'**' is for numbers up to {MAX_POWER}")
        return super().call_binop(context, operator, left, right)


def default(value: Any, fallback: Any) -> Any:
    """Stands in for what is empty or not there, as in the conditions of a process."""
    return fallback if isinstance(value, Undefined) or value is None or value == "" else value


def lines(text: str) -> Markup:
    """Text of several lines in HTML: escaped, with a break for each line end."""
    return Markup("<br>\n").join(escape(line) for line in str(text).splitlines())


def _is_html(name: str | None) -> bool:
    return bool(name and name.endswith(".html.j2"))


OURS: Mapping[str, Callable[..., Any]] = {"default": default, "lines": lines, **FORMATS}
"""The filters that are not Jinja's."""
