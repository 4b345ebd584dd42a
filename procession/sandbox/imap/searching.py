"""SEARCH (RFC 3501 6.4.4, MODSEQ of RFC 7162): keys as tests of a message."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from email import policy
from email.parser import BytesParser

from procession.sandbox.imap.flags import flags_of
from procession.sandbox.imap.selected import Selected
from procession.sandbox.imap.syntax import Malformed, number_set, text
from procession.sandbox.mailbox import mime
from procession.sandbox.mailbox.items import Item

_WITH_FLAG = {
    "ANSWERED": "\\Answered",
    "DELETED": "\\Deleted",
    "DRAFT": "\\Draft",
    "FLAGGED": "\\Flagged",
    "SEEN": "\\Seen",
}
_HEADERS = {"FROM": "from", "TO": "to", "CC": "cc", "BCC": "bcc", "SUBJECT": "subject"}


@dataclass(frozen=True, slots=True)
class Hit:
    number: int
    uid: int
    item: Item


Test = Callable[[Hit], bool]


class _Keys:
    """Reads search keys one after another."""

    def __init__(self, selected: Selected, words: list[object]) -> None:
        self._selected, self._words, self.by_modseq = selected, list(words), False

    def all(self) -> Test:
        tests = []
        while self._words:
            tests.append(self._key())
        return lambda hit: all(test(hit) for test in tests)

    def _next(self) -> object:
        if not self._words:
            raise Malformed("A search key lacks its argument.")
        return self._words.pop(0)

    def _text(self) -> str:
        return text(self._next()).casefold()

    def _key(self) -> Test:
        word = self._next()
        if isinstance(word, list):
            inner = _Keys(self._selected, word)
            test = inner.all()
            self.by_modseq |= inner.by_modseq
            return test
        name = text(word).upper()
        if name in _WITH_FLAG:
            return lambda hit: _WITH_FLAG[name] in flags_of(hit.item)
        if name.startswith("UN") and name[2:] in _WITH_FLAG:
            return lambda hit: _WITH_FLAG[name[2:]] not in flags_of(hit.item)
        if name in _HEADERS:
            wanted = self._text()
            return lambda hit: wanted in header(hit.item, _HEADERS[name]).casefold()
        return self._other(name)

    def _other(self, name: str) -> Test:
        match name:
            case "ALL" | "OLD":
                return lambda _hit: True
            case "NEW" | "RECENT":
                return lambda _hit: False
            case "NOT":
                inner = self._key()
                return lambda hit: not inner(hit)
            case "OR":
                left, right = self._key(), self._key()
                return lambda hit: left(hit) or right(hit)
            case "HEADER":
                field, wanted = self._text(), self._text()
                return lambda hit: has_header(hit.item, field, wanted)
            case "BODY" | "TEXT":
                wanted = self._text()
                return lambda hit: wanted in mime.content(hit.item).decode("utf-8", "replace").casefold()
            case "KEYWORD" | "UNKEYWORD":
                flag, has = text(self._next()), name == "KEYWORD"
                return lambda hit: (flag in flags_of(hit.item)) is has
            case "LARGER" | "SMALLER":
                size, larger = int(self._text()), name == "LARGER"
                return lambda hit: (
                    len(mime.content(hit.item)) > size if larger else len(mime.content(hit.item)) < size
                )
            case _:
                return self._dated(name)

    def _dated(self, name: str) -> Test:
        compare = {"BEFORE": lambda a, b: a < b, "ON": lambda a, b: a == b, "SINCE": lambda a, b: a >= b}.get(
            name.removeprefix("SENT")
        )
        if compare is not None:
            wanted, sent = _day(self._text()), name.startswith("SENT")
            return lambda hit: bool(
                compare(
                    ((hit.item.values.get("sent") if sent else None) and hit.item.values["sent"].date())
                    or hit.item.received.date(),
                    wanted,
                )
            )
        if name == "MODSEQ":
            self.by_modseq = True
            number = int(self._text())
            return lambda hit: self._selected.modseq(hit.item) >= number
        if name == "UID":
            uids = set(number_set(self._next()).picks(self._selected.uids))
            return lambda hit: hit.uid in uids
        numbers = set(number_set(name).picks(list(range(1, len(self._selected.known) + 1))))
        return lambda hit: hit.number in numbers


def _day(text_: str) -> date:
    try:
        return datetime.strptime(text_.title(), "%d-%b-%Y").date()  # noqa: DTZ007 - a day, not a moment
    except ValueError:
        raise Malformed(f"'{text_}' is not a date.") from None


def header(item: Item, name: str) -> str:
    """A header as text; of addresses, names and addresses."""
    value = item.values.get(name)
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return " ".join(f"{one.name} {one.email}" for one in (value if isinstance(value, tuple) else (value,)))


def has_header(item: Item, name: str, wanted: str) -> bool:
    parsed = BytesParser(policy=policy.compat32).parsebytes(mime.content(item), headersonly=True)
    return any(wanted in str(value).casefold() for value in parsed.get_all(name, []))


def search(selected: Selected, words: list[object]) -> tuple[list[Hit], bool]:
    """(the messages that fit, whether MODSEQ was asked about).

    Raises:
        Malformed: keys that are none.
    """
    if words and text(words[0]).upper() == "CHARSET" if words and not isinstance(words[0], list) else False:
        words = words[2:]
    keys = _Keys(selected, words)
    try:
        test = keys.all()
    except ValueError:
        raise Malformed("A number was expected.") from None
    hits = [hit for row in selected.items() if test(hit := Hit(*row))]
    return hits, keys.by_modseq
