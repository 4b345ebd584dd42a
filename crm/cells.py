"""The text of a cell as the value of a field, read as people and spreadsheets write it."""

import re
from datetime import date, datetime
from functools import cache
from typing import Any
from unicodedata import category

from babel.numbers import list_currencies

from procession import times
from procession.errors import InputError
from procession.records import Field
from procession.spelling import did_you_mean, one_of

_SCIENTIFIC = re.compile(r"[+-]?\d(\.\d+)?[eE][+-]?\d{1,2}")
"""As Excel shows a large number in a narrow column."""
YES = frozenset({"yes", "true", "1", "x", "y", "ja", "wahr", "oui", "vrai"})
NO = frozenset({"no", "false", "0", "n", "nein", "falsch", "non", "faux"})
"""What Excel writes in English, German and French, and what people do."""

_DOTTED = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})(.*)", re.DOTALL)
_SPACES = re.compile(r"[\s'’]")
_GROUPS = re.compile(r"[+-]?\d{1,3}(,\d{3})+|[+-]?\d{1,3}(\.\d{3})+")
"""Groups of thousands, or one mark with three digits behind it: which of the two it is depends on who wrote it."""


def value(field: Field, text: str, *, decimal_comma: bool, zone: str) -> Any:
    """The value of a cell that is not empty, in a field that refers to no record.

    Args:
        decimal_comma: whether a lone comma in a number stands before cents (1,50) or thousands (1,500).
        zone: of moments that say none; empty if it is not known.

    Raises:
        InputError: the text is no such value.
    """
    if field.options:
        return _option(field, text)
    match field.type.name:
        case "bool":
            return _yes_or_no(text)
        case "number":
            return _number(text, decimal_comma=decimal_comma)
        case "date":
            return _day(text)
        case "datetime":
            return _moment(text, zone)
    return plain(text)


def plain(text: str) -> str:
    """Without what keeps a spreadsheet from counting with it: `'+49…` and `="007"`."""
    if text.startswith('="') and text.endswith('"'):
        return text[2:-1]
    return text[1:] if text.startswith("'") and text[1:2] in "+0123456789=-@" else text


def _option(field: Field, text: str) -> str:
    word = "_".join(text.casefold().split())
    if word in field.options:
        return word
    raise InputError(f"{text!r} is none of {one_of(field.options)}.", hint=did_you_mean(word, field.options))


def _yes_or_no(text: str) -> bool:
    word = text.casefold()
    if word not in YES | NO:
        raise InputError(f"{text!r} is neither yes nor no.")
    return word in YES


def _number(text: str, *, decimal_comma: bool) -> float:
    """`1,234.50`, `1.234,50`, `1 234,50 €` and `1'234.50` are the same number; `(5)` and `5-` are -5. What says more than a
    number (12%, 5k) is none: a part of it would be another number."""
    written = _SPACES.sub("", plain(text)).replace("\N{MINUS SIGN}", "-").replace("\N{EN DASH}", "-")
    if _SCIENTIFIC.fullmatch(written):
        return float(written)
    found = _amount().fullmatch(written)
    signs = (
        [found[name] for name in ("open", "sign", "inner", "after", "last") if found[name]] if found else []
    )
    if (
        not found
        or len(signs) > 1
        or (found["cents"] and found["last"])
        or bool(found["open"]) != bool(found["close"])
    ):
        raise InputError(f"{text!r} is not a number.")
    digits = found["digits"] + (f"{found['cents']}0" if found["cents"] else "")
    decimal, thousands = (",", ".") if _has_decimal_comma(digits, usual=decimal_comma) else (".", ",")
    try:
        size = float(digits.replace(thousands, "").replace(decimal, "."))
    except ValueError:
        raise InputError(f"{text!r} is not a number.") from None
    return -size if signs and signs[0] in "(-" else size


@cache
def _amount() -> re.Pattern[str]:
    """What Excel, SAP and people write: -5, 5-, (5), -$5, $-5, 5 €, 5 CHF; `5,-` and `5.--` are 5 without cents.
    A currency is a sign, with letters before it (US$), a code of ISO 4217, or a word in place of a sign."""
    signs = "".join(sign for sign in map(chr, range(0x20, 0x10000)) if category(sign) == "Sc")
    codes = "|".join(sorted(list_currencies()))
    currency = rf"(?:[A-Z]{{0,3}}[{signs}]|{codes}|(?:fr|kr|kč|zł|ft|lei|rp|rm|euros?|dollars?)\.?)?"
    return re.compile(
        rf"(?P<open>\()?(?P<sign>[+-])?{currency}(?P<inner>[+-])?(?P<digits>\d[\d.,]*\d|\d|[.,]\d+)"
        rf"(?:(?P<cents>[.,])--?|(?P<after>-))?{currency}(?P<last>-)?(?P<close>\))?",
        re.IGNORECASE,
    )


def _has_decimal_comma(digits: str, *, usual: bool) -> bool:
    if "," in digits and "." in digits:
        return digits.rfind(",") > digits.rfind(".")
    if _GROUPS.fullmatch(digits):
        mark_is_comma, several = "," in digits, digits.count(",") + digits.count(".") > 1
        return not mark_is_comma if several else usual
    return "," in digits


def _day(text: str) -> date:
    """Spreadsheets like to give a day a time, at its beginning."""
    try:
        moment = datetime.fromisoformat(_iso(text))
    except ValueError:
        moment = None
    if moment is None or (moment.hour, moment.minute, moment.second) != (0, 0, 0):
        raise InputError(f"{text!r} is not a date.", hint="Write it as 2026-12-31 or 31.12.2026.")
    return moment.date()


def _moment(text: str, zone: str) -> datetime:
    try:
        moment = datetime.fromisoformat(_iso(text))
    except ValueError:
        hint = "Write it as 2026-12-31 09:00 or 2026-12-31T09:00+01:00."
        raise InputError(f"{text!r} is not a date and time.", hint=hint) from None
    if not zone and not moment.tzinfo:
        hint = "Write it as 2026-12-31T09:00+01:00, give the row an owner or a time zone, or give --timezone."
        raise InputError(f"it is not said in which time zone {text!r} is.", hint=hint)
    try:
        return times.parse_moment(_iso(text), times.zone(zone) if zone else None)
    except ValueError as error:
        raise InputError(str(error)) from None


def _iso(text: str) -> str:
    """31.12.2026 is a day; 12/31/2026 and 31/12/2026 look the same too often to guess."""
    if match := _DOTTED.fullmatch(text):
        day, month, year, rest = match.groups()
        text = f"{year}-{month:0>2}-{day:0>2}{rest}"
    return re.sub(r"[ T]+(\d):", r" 0\1:", text)
