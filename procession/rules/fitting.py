"""Whether a value can be stored in a field, or compared with it."""

from procession import times
from procession.model import Leaf
from procession.records import Field, Type
from procession.rules.literals import written_in
from procession.rules.typed import TypedLeaf
from procession.rules.wanted import CALLED
from procession.rules.wanted import called as in_a_sentence
from procession.spelling import did_you_mean, one_of

Misfit = tuple[str, str, int]
"""(what is wrong, what to do about it, at which character of the value)."""

_TAKES = {
    "number": ("int", "number"),
    "int": ("int",),
    "datetime": ("datetime", "date", "duration", "text"),
    "date": ("date", "datetime", "text"),
    "duration": ("duration", "text"),
}


def misfit(field: Field, value: TypedLeaf, called: str, *, several: bool = False) -> Misfit | None:
    """Why a value does not go with a field, if so. `several`: a list means one of these."""
    if value.leaf.value is None:
        return None
    return (
        _of_the_wrong_type(field.type, value, called, several=several)
        or _unreadable(field.type, value, called)
        or _no_choice(field, value, called)
    )


def _of_the_wrong_type(wanted: Type, value: TypedLeaf, called: str, *, several: bool) -> Misfit | None:
    given = value.type
    if given.name == "list" and several:
        given = given.item or Type("any")
    if isinstance(value.leaf.value, dict):
        return f"{called} must be {_word(wanted)}, not names and values", "", 0
    if fits(wanted, given):
        return None
    return (
        f"{called} must be {_word(wanted)}, not {in_a_sentence(value)}",
        _instead(wanted, value),
        _begin(value.leaf),
    )


def fits(wanted: Type, given: Type) -> bool:
    """Whether a value of one type goes where another is wanted."""
    if "any" in (wanted.name, given.name):
        return True
    if wanted.name == "record":
        return given.name == "record" and wanted.of in ("", given.of)
    return given.name in _TAKES.get(wanted.name, (wanted.name,))


def _word(type_: Type) -> str:
    return f"a record ({type_.of})" if type_.name == "record" and type_.of else CALLED[type_.name]


def _instead(wanted: Type, value: TypedLeaf) -> str:
    text = value.leaf.value
    if wanted.name == "text" and value.leaf.is_expression and value.type.name != "list":
        return "Make it a text with '| text', or write a text around it."
    if wanted.name == "text" and isinstance(text, bool | int | float):
        return f'Put it in quotes: "{str(text).lower() if isinstance(text, bool) else text}".'
    if wanted.name in ("int", "number") and isinstance(text, str) and text.isdecimal():
        return f"Write it without quotes: {text}."
    if wanted.name == "record" and isinstance(text, str):
        return (
            f'Write "{{{{ {text} }}}}".'
            if text.split(".")[0] in value.scope.names
            else 'Write it as "{{ … }}".'
        )
    return ""


def _begin(leaf: Leaf) -> int:
    return leaf.spans[0][1] if leaf.spans else 0


def _unreadable(wanted: Type, value: TypedLeaf, called: str) -> Misfit | None:
    """A date, moment or duration that is written out and cannot be read."""
    text = value.leaf.value
    if not isinstance(text, str) or wanted.name not in ("date", "datetime", "duration"):
        return None
    wrong = unreadable_time(wanted.name, text)
    return (f"{called}: {wrong[0]}", wrong[1], 0) if wrong else None


def unreadable_time(type_: str, text: str) -> tuple[str, str] | None:
    """Why a text is not that date, moment or duration, if so: (what is wrong, what to do about it)."""
    try:
        if type_ == "date":
            times.parse_day(text)
        elif type_ == "duration" or not text[:4].isdigit():
            times.parse_any_duration(text)
        else:
            times.parse_moment(text, times.zone("UTC"))
    except ValueError as error:
        message, _, hint = str(error).partition(". ")
        return message.rstrip("."), hint
    return None


def _no_choice(field: Field, value: TypedLeaf, called: str) -> Misfit | None:
    for text, offset in written_in(value.leaf) if field.options else ():
        if text not in field.options:
            hint = did_you_mean(text, field.options) or f"It is {one_of(map(repr, field.options))}."
            return f"{called} is never {text!r}", hint, offset
    return None
