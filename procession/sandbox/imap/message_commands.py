"""Commands about messages: FETCH, STORE, SEARCH, APPEND, COPY, MOVE, EXPUNGE; each by number and by UID."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from procession.sandbox.imap import fetch as fetching
from procession.sandbox.imap.flags import flags_of, store, values_for
from procession.sandbox.imap.searching import search as find
from procession.sandbox.imap.selected import Selected
from procession.sandbox.imap.session import Command, No, Session
from procession.sandbox.imap.syntax import Malformed, number_set, text
from procession.sandbox.mailbox import mime, posting
from procession.sandbox.mailbox.items import Folder, Item

_DATE = "%d-%b-%Y %H:%M:%S %z"
By = Callable[[Session, list[Any], bool], str]


def _picked(selected: Selected, word: object, *, by_uid: bool) -> list[tuple[int, int, Item]]:
    """(number, uid, item) of a set of numbers or UIDs; what is gone is left out."""
    wanted = number_set(word)
    uids = selected.uids
    if by_uid:
        chosen = [(selected.number(uid), uid) for uid in wanted.picks(uids)]
    else:
        numbers = wanted.picks(list(range(1, len(uids) + 1)))
        if not numbers:
            raise Malformed("There are no such messages.")
        chosen = [(number, uids[number - 1]) for number in numbers]
    rows = ((number, uid, selected.item(uid)) for number, uid in chosen)
    return [(number, uid, item) for number, uid, item in rows if item is not None]


def fetch(session: Session, words: list[Any], by_uid: bool) -> str:  # noqa: FBT001 - how a command and its UID form differ
    selected = session.folder
    asked = words[1] if isinstance(words[1], list) else [words[1]]
    names = [name for word in asked for name in fetching.MACROS.get(text(word).upper(), (text(word),))]
    since = _modifier(words[2:], "CHANGEDSINCE")
    if since is not None or "MODSEQ" in {name.upper() for name in names}:
        session.condstore = selected.condstore = True
    if since is not None and "MODSEQ" not in {name.upper() for name in names}:
        names.append("MODSEQ")
    if by_uid and "UID" not in {name.upper() for name in names}:
        names.append("UID")
    reads = fetching.marks_read(names) and not selected.read_only
    for number, _, item in _picked(selected, words[0], by_uid=by_uid):
        if since is not None and selected.modseq(item) <= since:
            continue
        _write(session, selected, number, item, (names, reads))
    return "Fetched"


def _write(
    session: Session, selected: Selected, number: int, item: Item, how: tuple[list[str], bool]
) -> None:
    names, reads = how
    if reads and not item.is_read:
        item = selected.mailbox.change(item, {**item.values, "is_read": True})
        names = names if "FLAGS" in names else [*names, "FLAGS"]
    parts = [fetching.attribute(selected, item, name) for name in names]
    if "FLAGS" in {name for name, _ in parts}:
        selected.told[item.arrival] = flags_of(item)
    body = b" ".join(name.encode() + b" " + value for name, value in parts)
    session.put(b"* %d FETCH (%b)" % (number, body))


def _modifier(words: list[Any], name: str) -> int | None:
    """The number of a modifier such as `(CHANGEDSINCE 12)`."""
    for word in words:
        if isinstance(word, list) and len(word) >= 2 and text(word[0]).upper() == name:  # noqa: PLR2004 - the least it needs
            return int(text(word[1]))
    return None


def store_flags(session: Session, words: list[Any], by_uid: bool) -> str:  # noqa: FBT001 - how a command and its UID form differ
    selected = session.folder
    if selected.read_only:
        raise No("The folder is open for reading only.")
    before = _modifier(words[1:2], "UNCHANGEDSINCE")
    if before is not None:
        session.condstore = selected.condstore = True
    rest = words[2:] if before is not None else words[1:]
    how = text(rest[0]).upper()
    if how.removesuffix(".SILENT") not in {"FLAGS", "+FLAGS", "-FLAGS"}:
        raise Malformed("STORE sets, adds or removes FLAGS.")
    given = [text(flag) for flag in (rest[1] if isinstance(rest[1], list) else rest[1:])]
    modified: list[int] = []
    for number, uid, item in _picked(selected, words[0], by_uid=by_uid):
        if before is not None and selected.modseq(item) > before:
            modified.append(uid if by_uid else number)
            continue
        _store(session, selected, (number, item), how, given)
    return f"[MODIFIED {','.join(map(str, modified))}] Some were changed by others" if modified else "Stored"


def _store(session: Session, selected: Selected, row: tuple[int, Item], how: str, given: list[str]) -> None:
    number, item = row
    after = store(selected.mailbox, item, how.removesuffix(".SILENT"), given)
    selected.told[after.arrival] = flags_of(after)
    modseq = f" MODSEQ ({selected.modseq(after)})" if selected.condstore else ""
    if not how.endswith(".SILENT"):
        session.put(
            f"* {number} FETCH (UID {after.arrival} FLAGS ({' '.join(sorted(flags_of(after)))}){modseq})"
        )
    elif modseq:
        session.put(f"* {number} FETCH (UID {after.arrival}{modseq})")


def search(session: Session, words: list[Any], by_uid: bool) -> str:  # noqa: FBT001 - how a command and its UID form differ
    selected = session.folder
    hits, by_modseq = find(selected, words)
    numbers = " ".join(str(hit.uid if by_uid else hit.number) for hit in hits)
    highest = max((selected.modseq(hit.item) for hit in hits), default=0)
    session.put(f"* SEARCH {numbers}{f' (MODSEQ {highest})' if by_modseq and hits else ''}".rstrip())
    return "Searched"


def _target(session: Session, word: object) -> Folder:
    return session.find(text(word), code="TRYCREATE")


def copy(session: Session, words: list[Any], by_uid: bool) -> str:  # noqa: FBT001 - how a command and its UID form differ
    target = _target(session, words[1])
    rows = _picked(session.folder, words[0], by_uid=by_uid)
    made = [session.user.duplicate(item, target) for _, _, item in rows]
    return f"{_copied(target, rows, made)}Copied"


def move(session: Session, words: list[Any], by_uid: bool) -> str:  # noqa: FBT001 - how a command and its UID form differ
    target = _target(session, words[1])
    rows = _picked(session.folder, words[0], by_uid=by_uid)
    made = [session.user.move(item, target) for _, _, item in rows]
    if rows:
        session.put(f"* OK {_copied(target, rows, made)}Moved")
    session.tell(removals=True)
    return "Moved"


def _copied(target: Folder, rows: list[tuple[int, int, Item]], made: list[Item]) -> str:
    if not rows:
        return ""
    return f"[COPYUID {target.created} {','.join(str(uid) for _, uid, _ in rows)} {','.join(str(item.arrival) for item in made)}] "


def expunge(session: Session, words: list[Any], by_uid: bool) -> str:  # noqa: FBT001 - how a command and its UID form differ
    selected = session.folder
    if selected.read_only:
        raise No("The folder is open for reading only.")
    uids = set(number_set(words[0]).picks(selected.uids)) if by_uid else set(selected.uids)
    for _, uid, item in list(selected.items()):
        if uid in uids and item.values.get("imap_deleted"):
            session.user.remove(item)
    session.tell(removals=True)
    return f"[HIGHESTMODSEQ {selected.highest}] Expunged" if selected.condstore else "Expunged"


def append(session: Session, words: list[Any]) -> str:
    folder = _target(session, words[0])
    flags = [text(flag) for word in words[1:-1] if isinstance(word, list) for flag in word]
    moment = next((_moment(text(word)) for word in words[1:-1] if not isinstance(word, list)), None)
    if len(words) < 2 or not isinstance(words[-1], bytes):  # noqa: PLR2004 - the least it needs
        raise Malformed("APPEND takes a message.")
    draft = mime.read(words[-1])
    values = values_for(flags) | {"received": moment or session.user.moment()}
    item = posting.put(session.user, folder, draft, **values)
    return f"[APPENDUID {folder.created} {item.arrival}] Appended"


def _moment(word: str) -> datetime:
    try:
        return datetime.strptime(word.strip(), _DATE).astimezone(UTC)
    except ValueError:
        raise Malformed(f"'{word}' is not a date and time.") from None


def _by_number(command: By) -> Command:
    return lambda session, words: command(session, words, False)


def uid(session: Session, words: list[Any]) -> str:
    command = _BY_UID.get(text(words[0]).upper())
    if command is None:
        raise Malformed("UID goes with FETCH, STORE, SEARCH, COPY, MOVE and EXPUNGE.")
    return command(session, words[1:], True)


_BY_UID: Mapping[str, By] = {
    "FETCH": fetch,
    "STORE": store_flags,
    "SEARCH": search,
    "COPY": copy,
    "MOVE": move,
    "EXPUNGE": expunge,
}
COMMANDS: Mapping[str, Command] = {
    **{name: _by_number(command) for name, command in _BY_UID.items()},
    "UID": uid,
    "APPEND": append,
}
NO_REMOVALS = frozenset({"FETCH", "STORE", "SEARCH"})
"""Commands during which sequence numbers must not shift (RFC 3501 7.4.1)."""
