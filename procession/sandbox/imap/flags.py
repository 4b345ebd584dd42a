"""IMAP's flags and the values of the model they stand for."""

from collections.abc import Iterable

from procession.sandbox.mailbox.items import Item
from procession.sandbox.mailbox.store import Mailbox
from procession.sandbox.mailbox.words import Flag

SYSTEM = ("\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft")
_VALUES = {"\\Answered": "answered", "\\Deleted": "imap_deleted"}


def flags_of(item: Item) -> frozenset[str]:
    flag = item.values.get("flag")
    found = {name for name, word in _VALUES.items() if item.values.get(word)}
    found |= {"\\Seen"} if item.is_read else set()
    found |= {"\\Flagged"} if flag is not None and flag.status == "Flagged" else set()
    found |= {"\\Draft"} if item.values.get("is_draft") else set()
    return frozenset(found | set(item.values.get("keywords", ())))


def values_for(flags: Iterable[str]) -> dict[str, object]:
    """The values that a set of flags stands for."""
    given = {_spelled(flag) for flag in flags}
    return {
        "is_read": "\\Seen" in given,
        "answered": "\\Answered" in given,
        "imap_deleted": "\\Deleted" in given,
        "is_draft": "\\Draft" in given,
        "flag": Flag("Flagged" if "\\Flagged" in given else "NotFlagged"),
        "keywords": tuple(sorted(flag for flag in given if not flag.startswith("\\"))),
    }


def _spelled(flag: str) -> str:
    return next((name for name in SYSTEM if name.lower() == flag.lower()), flag)


def store(mailbox: Mailbox, item: Item, how: str, flags: Iterable[str]) -> Item:
    r"""STORE: `how` is FLAGS, +FLAGS or -FLAGS. Only what changes is written, so that a change of \\Seen alone stays one."""
    given, before = {_spelled(flag) for flag in flags}, flags_of(item)
    after = before | given if how.startswith("+") else before - given if how.startswith("-") else given
    now, then = values_for(before), values_for(after)
    changed = {word: value for word, value in then.items() if now[word] != value}
    return mailbox.change(item, {**item.values, **changed}) if changed else item
