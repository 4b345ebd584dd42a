"""Filters for values of any kind, for texts, and for lists.

Each takes time in proportion to what it is given, and counts what it builds (`procession.expressions.budget`).
"""

from collections.abc import Callable, Iterator, Mapping
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from jinja2.runtime import Context, Undefined

from procession.expressions.budget import LARGEST, MOST_BUILT, MOST_ITEMS, Mistake, built, charge, in_range
from procession.expressions.comparing import equal, key
from procession.expressions.kinds import kind_of, said
from procession.expressions.known import UNKNOWN, Known, either, gives, item, same
from procession.expressions.operation import Operation, TextLike
from procession.expressions.writing import as_text
from procession.records import BOOL, INT, NUMBER, TEXT, Record, TypeName, list_of, read_field

_MOST_DIGITS = 9
_LONGEST_NUMBER = 60


def _below(value: Any, name: str) -> Any:
    """A field of a record, or what is below a name.

    Raises:
        Mistake: there is none of that name.
    """
    try:
        if isinstance(value, Record):
            return read_field(value, name)
        if isinstance(value, Mapping):
            return value[name]
    except KeyError:
        pass
    if value is None:
        raise Mistake(f"{name!r} is read from something empty")
    raise Mistake(f"there is no {name!r} in {said(value)}")


def is_empty(_context: Context, value: Any) -> bool:
    """Nothing, a path that leads over something empty, a text or a list without anything in it."""
    return (
        isinstance(value, Undefined) or value is None or (isinstance(value, str | list | tuple) and not value)
    )


def _default(context: Context, value: Any, default: Any) -> Any:
    return default if is_empty(context, value) else value


def _round(_context: Context, value: Any, digits: Any = 0) -> Any:
    if kind_of(digits) != "int" or not 0 <= digits <= _MOST_DIGITS:
        raise Mistake(f"'digits' goes from 0 to {_MOST_DIGITS}")
    number = in_range(_number(_context, value))
    rounded = Decimal(str(number)).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
    return int(rounded) if not digits else rounded if isinstance(number, Decimal) else float(rounded)


def _number(_context: Context, value: Any) -> Any:
    kind = kind_of(value)
    if kind in ("int", "number"):
        return value
    if kind != "text":
        raise Mistake(f"{said(value)} is no number")
    try:
        number = Decimal(value.strip()[:_LONGEST_NUMBER])
    except InvalidOperation:
        raise Mistake("the text is no number, such as 12.5") from None
    if not number.is_finite() or abs(number) > LARGEST:
        raise Mistake("the text is no number, such as 12.5")
    return int(number) if number == int(number) else float(number)


def _int(context: Context, value: Any) -> int:
    return int(in_range(_number(context, value)))


def _text_filter(change: Callable[[str], str]) -> Callable[[Context, Any], str]:
    def run(context: Context, value: Any) -> str:
        text = _text(context, value)
        charge(context, len(text))
        return change(text)

    return run


def _text(context: Context, value: Any) -> str:
    if value is None:
        raise Mistake("it is empty where a text is needed")
    if isinstance(value, list | tuple):
        raise Mistake("a list is no text")
    return as_text(value, context)


def _truncate(context: Context, value: Any, length: Any = 80) -> str:
    text = _text(context, value)
    if kind_of(length) != "int" or not 1 <= length <= MOST_BUILT:
        raise Mistake("'length' is a number of characters")
    return text if len(text) <= length else built(context, text[: length - 1].rstrip() + "…")


def _length(_context: Context, value: Any) -> int:
    if not isinstance(value, str | list | tuple):
        raise Mistake(f"{said(value)} has no length")
    return len(value)


def _list(context: Context, value: Any) -> list[Any] | tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise Mistake(f"a list is needed, not {said(value)}")
    if len(value) > MOST_ITEMS:
        raise Mistake(f"the list is longer than {MOST_ITEMS:,}")
    charge(context, len(value))
    return value


def _first(context: Context, value: Any) -> Any:
    return next(iter(_list(context, value)), None)


def _last(context: Context, value: Any) -> Any:
    return next(reversed(_list(context, value)), None)


def _join(context: Context, value: Any, separator: Any = ", ") -> str:
    parts = [as_text(one, context) for one in _list(context, value)]
    between = _text(context, separator)
    charge(context, sum(map(len, parts)) + len(between) * len(parts))
    return between.join(parts)


def _along(value: Any, path: Any) -> Any:
    """The field at the end of a path; nothing if it leads over something empty."""
    for name in str(path)[:200].split("."):
        value = None if value is None else _below(value, name)
    return value


def _map(context: Context, value: Any, attribute: Any) -> list[Any]:
    return [_along(one, attribute) for one in _list(context, value)]


def _where(context: Context, value: Any, /, **fields: Any) -> list[Any]:
    return [
        one
        for one in _list(context, value)
        if all(equal(_below(one, name), want) for name, want in fields.items())
    ]


def _sort(context: Context, value: Any, attribute: Any = None, reverse: Any = False) -> list[Any]:  # noqa: FBT002
    """Empty values come last either way."""
    placed = [(_along(one, attribute) if attribute else one, one) for one in _list(context, value)]
    filled = [pair for pair in placed if pair[0] is not None]
    try:
        filled.sort(key=lambda pair: key(pair[0]), reverse=bool(reverse))
    except TypeError:
        raise Mistake("the values of the list have no order among each other") from None
    return [one for _, one in filled] + [one for by, one in placed if by is None]


def _unique(context: Context, value: Any) -> list[Any]:
    try:
        found: dict[Any, Any] = {}
        for one in _list(context, value):
            found.setdefault(key(one), one)
        return list(found.values())
    except TypeError:
        raise Mistake("the values of the list cannot be compared") from None


def _sum(context: Context, value: Any) -> Any:
    total: Any = 0
    for one in _filled(context, value):
        if kind_of(one) not in ("int", "number"):
            raise Mistake(f"{said(one)} cannot be added up")
        total = total + (Decimal(repr(one)) if isinstance(one, float) else one)
    in_range(total)
    return int(total) if total == int(total) else float(total)


def _filled(context: Context, value: Any) -> Iterator[Any]:
    return (one for one in _list(context, value) if one is not None)


def _extreme(choose: Callable[..., Any]) -> Callable[[Context, Any], Any]:
    def run(context: Context, value: Any) -> Any:
        try:
            return choose(_filled(context, value), key=key, default=None)
        except TypeError:
            raise Mistake("the values of the list have no order among each other") from None

    return run


def _mapped(_value: Known, args: Mapping[str, Known]) -> Known:
    field = args.get("attribute", UNKNOWN)
    return Known(list_of(field.type), field.origins)


def _or_default(value: Known, args: Mapping[str, Known]) -> Known:
    return either(value, args.get("default", UNKNOWN))


_NUMBERS: tuple[TypeName, ...] = ("int", "number")

VALUE_FILTERS = (
    Operation(
        "default", _default, _or_default, "Stands in for what is empty, or is read over something empty.",
        "contact.first_name | default('there')", (), ("default",), ("default",),
    ),
    Operation("text", lambda context, value: as_text(value, context), gives(TEXT), "The value as text.", "amount | text"),
    Operation(
        "number", _number, gives(NUMBER), "A text as a number.", "'12.5' | number", ("text", "int", "number")
    ),
    Operation(
        "int", _int, gives(INT), "A whole number; what is behind the point is cut off.", "'12' | int",
        ("text", "int", "number"),
    ),
    Operation(
        "round", _round, lambda _value, args: Known(NUMBER if "digits" in args else INT),
        "Rounds half up, to whole numbers or so many digits.", "amount | round(2)", _NUMBERS, ("digits",),
        wants={"digits": ("int",)},
    ),
)  # fmt: skip

TEXT_FILTERS = (
    Operation("lower", _text_filter(str.lower), gives(TEXT), "In small letters.", "name | lower", TextLike),
    Operation("upper", _text_filter(str.upper), gives(TEXT), "In capitals.", "name | upper", TextLike),
    Operation("title", _text_filter(str.title), gives(TEXT), "Every Word With A Capital.", "name | title", TextLike),
    Operation("trim", _text_filter(str.strip), gives(TEXT), "Without blanks at both ends.", "name | trim", TextLike),
    Operation(
        "truncate", _truncate, gives(TEXT), "Cuts a text to a length, with … at the end.", "subject | truncate(40)",
        TextLike, ("length",), wants={"length": ("int",)},
    ),
    Operation(
        "length", _length, gives(INT), "How long a text or a list is.", "contacts | length", ("text", "list")
    ),
)  # fmt: skip

LIST_FILTERS = (
    Operation("first", _first, item, "The first of a list; empty if it has none.", "contacts | first", ("list",)),
    Operation("last", _last, item, "The last of a list; empty if it has none.", "contacts | last", ("list",)),
    Operation(
        "join", _join, gives(TEXT), "The items as one text.", "names | join(' and ')", ("list",), ("separator",),
        wants={"separator": ("text",)},
    ),
    Operation(
        "sort", _sort, same, "In order, by themselves or by a field.", "calls | sort(attribute='due', reverse=true)",
        ("list",), ("attribute", "reverse"), wants={"attribute": ("text",), "reverse": ("bool",)},
        attribute="attribute",
    ),
    Operation("unique", _unique, same, "Each only once.", "owners | unique", ("list",)),
    Operation(
        "map", _map, _mapped, "One field of every item; empty if its path leads over something empty.", "contacts | map(attribute='account.name')", ("list",),
        ("attribute",), ("attribute",), wants={"attribute": ("text",)}, attribute="attribute",
    ),
    Operation(
        "where", _where, same, "The items whose fields have these values.", "calls | where(status='planned')",
        ("list",), any_names=True,
    ),
    Operation("sum", _sum, lambda value, _args: value.item, "All numbers added up.", "amounts | sum", ("list",)),
    Operation("min", _extreme(min), item, "The smallest.", "[a, b] | min", ("list",)),
    Operation("max", _extreme(max), item, "The largest.", "[a, b] | max", ("list",)),
)  # fmt: skip

VALUE_TESTS = (
    Operation("empty", is_empty, gives(BOOL), "Whether there is nothing.", "meeting.contact.email is empty"),
)
