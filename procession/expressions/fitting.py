"""Which types go together, and what to write where they do not."""

from jinja2 import nodes

from procession import times
from procession.expressions.arithmetic import SIGNS
from procession.expressions.comparing import comparable
from procession.expressions.kinds import ARTICLES
from procession.expressions.known import Known, NotLiteral
from procession.records import ANY, Type, list_of
from procession.spelling import did_you_mean, one_of

Problem = tuple[str, str]
"""(what is wrong, what to do about it)."""

_CALLED = {
    "lt": "<", "lteq": "<=", "gt": ">", "gteq": ">=", "eq": "==", "ne": "!=", "in": "in", "notin": "not in",
}  # fmt: skip
_WORKS_ON = {
    nodes.Add: "+",
    nodes.Sub: "-",
    nodes.Mul: "*",
    nodes.Div: "/",
    nodes.FloorDiv: "//",
    nodes.Mod: "%",
}
_WRITTEN_AS = {"datetime": "moment", "date": "day", "duration": "duration"}
_READERS = {
    "datetime": lambda text: times.parse_moment(text, times.zone("UTC")),
    "date": times.parse_day,
    "duration": times.parse_any_duration,
}


def article(known: Known) -> str:
    if known.type.name == "record" and known.type.of:
        return f"a record ({known.type.of})"
    return ARTICLES[known.type.name]


def sign_of(node: nodes.BinExpr) -> str:
    return _WORKS_ON[type(node)]


def computed(sign: str, left: Known, right: Known) -> Type | Problem:
    """The type of `left sign right`, or why there is none."""
    if "any" in (left.type.name, right.type.name):
        return _likely(sign, left, right)
    found = SIGNS.get((sign, left.type.name, right.type.name))
    if found is None:
        return f"'{sign}' does not fit {article(left)} and {article(right)}", _instead(sign, left, right)
    if found[0] == "list":
        return left.type if left.type == right.type else list_of(ANY)
    return Type(found[0])


def _likely(sign: str, left: Known, right: Known) -> Type:
    """With one side unknown: the type that every way to compute with the other side gives."""
    results = {
        result
        for (known, one, other), (result, _) in SIGNS.items()
        if known == sign and left.type.name in (one, "any") and right.type.name in (other, "any")
    }
    return Type(results.pop()) if len(results) == 1 and results != {"list"} else ANY


def _instead(sign: str, left: Known, right: Known) -> str:
    kinds = {left.type.name, right.type.name}
    for one, other in ((left, right), (right, left)):
        if one.type.name in ("datetime", "date") and (written := _as_duration(other)):
            return f"Write {written}."
    if "text" in kinds and sign == "+":
        return "Join as text with '~'."
    if kinds & {"datetime", "date"} and kinds & {"int", "number"}:
        return "Say of what, such as duration('2 days')."
    if kinds <= {"datetime", "date"}:
        return "Moments are subtracted from moments, dates from dates: (later | day) - today()."
    if "text" in kinds and kinds & {"int", "number"}:
        return "Make it a number with '| number'."
    return ""


def _as_duration(known: Known) -> str:
    if known.type.name == "text" and isinstance(known.literal, str) and _reads("duration", known.literal):
        return f"duration('{known.literal}')"
    return ""


def compared(sign: str, left: Known, right: Known) -> Problem | None:
    """Why these two cannot be compared like that, if so."""
    if sign in ("in", "notin"):
        return _contained(sign, left, right)
    if "any" in (left.type.name, right.type.name):
        return None
    if sign in ("eq", "ne"):
        return _never_equal(left, right) or _no_option(left, right) or _no_option(right, left)
    if comparable(left.type.name, right.type.name):
        return None
    called = f"cannot be compared with '{_CALLED[sign]}'"
    return f"{article(left)} and {article(right)} {called}", _to_compare(left, right)


def _contained(sign: str, left: Known, right: Known) -> Problem | None:
    kind = right.type.name
    if kind == "text" and left.type.name not in ("text", "any"):
        return f"{article(left)} is not part of a text", "Make it a text with '| text'."
    if kind not in ("list", "text", "any"):
        return f"'{_CALLED[sign]}' needs a list or a text, not {article(right)}", "Write a list: ['a', 'b']."
    if kind == "list" and "any" not in (left.type.name, right.item.type.name):
        return _never_equal(left, right.item)
    return None


def _never_equal(left: Known, right: Known) -> Problem | None:
    a, b = left.type, right.type
    if a.name == b.name == "record" and a.of and b.of and a.of != b.of:
        return f"{article(left)} never equals {article(right)}", "Compare records of one kind."
    if a.name == b.name or {a.name, b.name} <= {"int", "number"}:
        return None
    return f"{article(left)} never equals {article(right)}", _to_compare(left, right)


def _to_compare(left: Known, right: Known) -> str:
    """How the two can be made comparable."""
    for one, other in ((left, right), (right, left)):
        kind = one.type.name
        if kind in _WRITTEN_AS and other.type.name == "text":
            text = (
                other.literal
                if isinstance(other.literal, str) and _reads(kind, other.literal)
                else _EXAMPLES[kind]
            )
            return f"Write {_WRITTEN_AS[kind]}('{text}')."
        if kind == "record" and other.type.name in ("text", "int"):
            return f"Compare one of its fields: .{'name' if other.type.name == 'text' else 'id'}."
        if kind == "date" and other.type.name == "datetime":
            return "Make the moment a date with '| day'."
        if kind == "duration" and other.type.name in ("int", "number"):
            return "Say of what: duration('2 days'); or count with '| days'."
        if kind == "text" and other.type.name in ("int", "number"):
            return "Make the text a number with '| number'."
        if kind == "datetime" and other.type.name in ("int", "number", "duration"):
            return "Say which moment, such as now() - duration('2 days')."
    if left.type.name == right.type.name == "bool":
        return ""
    return "Compare values of one type."


_EXAMPLES = {"datetime": "2026-03-06 10:00", "date": "2026-03-06", "duration": "2 days"}


def _reads(kind: str, text: str) -> bool:
    try:
        _READERS[kind](text)
    except ValueError:
        return False
    return True


def no_option(choice: Known, written: object) -> Problem | None:
    """Why a text that is written out is not among a field's choices, if so."""
    if not choice.options or not isinstance(written, str) or written in choice.options:
        return None
    hint = (
        did_you_mean(written, choice.options) or f"It is {one_of(repr(option) for option in choice.options)}."
    )
    return f"{choice.field} is never {written!r}", hint


def _no_option(choice: Known, other: Known) -> Problem | None:
    return None if other.literal is NotLiteral else no_option(choice, other.literal)
