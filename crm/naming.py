"""Which record the text of a cell means: `account:3`, an e-mail address, or a name. Looked up for a whole file at once."""

from collections.abc import Iterable, Mapping
from itertools import chain

from crm.checks import normal
from crm.mapping import refers_to
from crm.schema import SCHEMA
from crm.sheets import Sheet
from crm.statements import portions
from procession.errors import InputError
from procession.ports import Records
from procession.records import Record, Ref, ref_of
from procession.spelling import did_you_mean

SUGGESTIONS = 20
"""So many unknown names are compared with all known ones; in a file full of them that would take long."""
COMPARED = 5_000
_NO_LIMIT = 10**9


class Named:
    """The records that the cells of a file name."""

    def __init__(self, records: Records, sheet: Sheet) -> None:
        self._records = records
        self._known: dict[tuple[str, str], dict[Ref, Record]] = {}
        self._suggested = 0
        self._names: dict[str, list[str]] = {}
        wanted: dict[str, set[str]] = {}
        for name in sheet.headers:
            if target := refers_to(sheet.entity, name):
                wanted.setdefault(target, set()).update(row[name] for _, row in sheet.rows if name in row)
        for target, texts in wanted.items():
            self._look_up(target, texts)

    def record(self, target: str, text: str) -> Record:
        """Raises:
        InputError: the text names no record of this kind, or several.
        """
        found = list(self._found(target, text).values())
        if len(found) == 1:
            return found[0]
        if not found:
            raise InputError(f"there is no {target} {text!r}.", hint=self._suggestion(target, text))
        numbers = " or ".join(str(ref_of(record)) for record in found[:3])
        raise InputError(f"there are {len(found)} records called {text!r}.", hint=f"Write {numbers}.")

    def any(self, target: str, text: str) -> Record | None:
        return next(iter(self._found(target, text).values()), None)

    def _found(self, target: str, text: str) -> Mapping[Ref, Record]:
        return self._known.get((target, _called(text)), {})

    def _look_up(self, target: str, texts: Iterable[str]) -> None:
        addresses = [text for text in texts if "@" in text]
        names = [text for text in texts if "@" not in text]
        refs = [ref for text in names if (ref := _as_ref(target, text))]
        for ref, record in self._records.fetch(refs, frozenset()).items():
            self._remember(target, str(ref), record)
        for some in portions(names):
            for record in self._records.find(target, {"name": tuple(some)}, limit=_NO_LIMIT):
                self._remember(target, record.name, record)
        fields = SCHEMA.entity(target).fields
        if field := next((name for name in ("emails", "email") if name in fields), ""):
            self._look_up_addresses(target, field, addresses)

    def _look_up_addresses(self, target: str, field: str, addresses: list[str]) -> None:
        spelled = dict.fromkeys(chain(addresses, map(_called, addresses)))
        for some in portions(spelled):
            for record in self._records.find(target, {field: tuple(some)}, limit=_NO_LIMIT):
                for address in record.emails if field == "emails" else (record.email,):
                    self._remember(target, address, record)

    def _remember(self, target: str, text: str, record: Record) -> None:
        self._known.setdefault((target, _called(text)), {})[ref_of(record)] = record

    def _suggestion(self, target: str, text: str) -> str:
        self._suggested += 1
        if self._suggested > SUGGESTIONS or "@" in text:
            return ""
        if target not in self._names:
            found = self._records.find(target, {}, limit=COMPARED)
            self._names[target] = [record.name for record in found]
        return did_you_mean(text, self._names[target])


def _as_ref(target: str, text: str) -> Ref | None:
    try:
        ref = Ref.parse(text)
    except InputError:
        return None
    return ref if ref.entity == target else None


def _called(text: str) -> str:
    return normal("email", text) if "@" in text else text
