"""Import records from CSV files: every problem at once, and nothing is saved of a file that has one.

    file → `crm.sheets.read` → texts by field → `crm.cells`, `crm.naming` → values → units of the store

The whole file is checked first; then its rows are saved in slices (`crm.slices`), so that others can write between two of
them. If one fails, for what has changed since the check, it is told which rows were saved; nothing starts of them until the
rest is saved, too.
A cell may name another record: an account or an opportunity by its name, a user or a contact by an e-mail address
or by name, any of them as `account:3`. What is wrong anywhere is told with its row and column, and nothing is saved.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from crm import cells
from crm.checks import accept, missing, normal
from crm.mapping import refers_to
from crm.naming import Named
from crm.records import CrmRecords
from crm.schema import SCHEMA
from crm.sheets import Problem, Sheet, read
from crm.slices import AT_ONCE, slices_of
from crm.statements import portions
from crm.store import CrmStore
from procession.errors import InputError, ProcessionError, StoreError
from procession.ports import Actor
from procession.records import ref_of
from procession.spelling import did_you_mean, one_of

ENTITIES = tuple(entity for entity in SCHEMA.entities if entity != "user")
"""Colleagues are not imported: there are few, and processes run for them."""

Progress = Callable[[int, int], None]
"""Called with (done, of how many)."""
Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did, or would have done: `rows` of the file, what is wrong with it, in order, and how many of them
    are `saved`. `earlier` are those that an import which broke off had saved."""

    entity: str
    rows: int
    problems: tuple[Problem, ...] = ()
    saved: int = 0
    earlier: int = 0


@dataclass(frozen=True, slots=True)
class Options:
    """`dry_run` saves nothing. `zone` is that of times which say none, in rows whose `timezone` and owner say
    none either."""

    dry_run: bool = False
    zone: str = ""
    progress: Progress = lambda _done, _of: None


def import_csv(
    store: CrmStore,
    entity: str,
    path: Path,
    actor: Actor,
    options: Options | None = None,
) -> Imported:
    """Import a file. If anything is wrong with it, nothing is saved. One that broke off is gone on with.

    Raises:
        InputError: the file cannot be read, or records of this kind cannot be imported.
        ProcessionError: the store refused the first rows, so nothing was saved.
    """
    if entity not in ENTITIES:
        raise InputError(f"{entity!r} cannot be imported, only {one_of(ENTITIES)}.")
    sheet, how = read(entity, path), options or Options()
    total = len(sheet.rows)
    with store.unit(write=False) as unit:
        slices = slices_of(sheet, unit.journal.imports())
        there = slices.there
        rows = _Rows(sheet, unit.records, how.zone)
        left = _steps(sheet.rows[there:], there)
        checked = [values for done, some in left for values in rows.check(some, how.progress, done)]
    if rows.problems or how.dry_run:
        how.progress(2 * total, 2 * total)
        problems = tuple(sorted(rows.problems, key=lambda problem: problem.row))
        return Imported(entity, total, problems, there, there)
    saved = there
    try:
        for done, some in [*_steps(checked, there)] or [(total, [])]:
            if saved > there:
                store.let_others_write()
            with store.unit() as unit:
                slices.open(unit.journal, done)
                unit.records.create(entity, some, actor)
                unit.commit()
            saved = done
            how.progress(total + done, 2 * total)
    except (ProcessionError, KeyboardInterrupt) as error:
        if not saved:
            raise
        return Imported(entity, total, _broken_off(sheet, saved, error), saved, there)
    return Imported(entity, total, (), saved, there)


def _broken_off(sheet: Sheet, saved: int, error: BaseException) -> tuple[Problem, ...]:
    """Which rows are there, and what becomes of them."""
    if saved == len(sheet.rows):
        return ()
    why = error.message if isinstance(error, ProcessionError) else "It was interrupted."
    (first, _), (last, _), (then, _) = sheet.rows[0], sheet.rows[saved - 1], sheet.rows[saved]
    told = f"Rows {first:,} to {last:,} were saved, those from row {then:,} on were not. {_GO_ON}"
    return (Problem(then, "", f"{why} {told}"),)


_GO_ON = "No process starts for them yet. Import the file again, and it goes on from there."


def _steps(rows: Iterable[Any], done: int) -> Iterator[tuple[int, list[Any]]]:
    rest = iter(rows)
    while some := list(islice(rest, AT_ONCE)):
        done += len(some)
        yield done, some


@dataclass(slots=True)
class _Rows:
    """Makes values of the rows of a sheet, and collects what is wrong with them."""

    sheet: Sheet
    records: CrmRecords
    zone: str
    problems: list[Problem] = field(init=False)
    named: Named = field(init=False)
    categories: tuple[str, ...] = field(init=False)
    addresses: dict[str, str] = field(init=False)
    """Who has an e-mail address already: a record, or an earlier row."""

    def __post_init__(self) -> None:
        self.problems = list(self.sheet.problems)
        self.named = Named(self.records, self.sheet)
        self.categories = self.records.categories()
        self.addresses = self._addresses_there() if self.sheet.entity == "contact" else {}

    def check(
        self, rows: Iterable[tuple[int, Mapping[str, str]]], progress: Progress, done: int
    ) -> list[Values]:
        values = [self._values(number, texts) for number, texts in rows]
        progress(done, 2 * len(self.sheet.rows))
        return values

    def _values(self, row: int, texts: Mapping[str, str]) -> Values:
        values: Values = {}
        texts = _as_task(texts) if self.sheet.entity == "activity" else texts
        for name, text in texts.items():
            try:
                values[name] = self._value(name, text, texts)
            except (InputError, StoreError) as error:
                self._wrong(row, name, error)
                values[name] = None
        if self.sheet.entity == "contact":
            self._check_address(row, values)
            values.setdefault("name", _whole_name(values))
        if self.sheet.entity == "activity":
            values.setdefault("type", "task")
            self._keep_zone(texts, values)
        for name in missing(self.sheet.entity, values):
            if name not in texts:
                self._wrong(row, name, InputError(f"a new {self.sheet.entity} needs a {name}"))
        return values

    def _value(self, name: str, text: str, texts: Mapping[str, str]) -> Any:
        """Raises:
        InputError, StoreError: the text is no value of the field, or names no record, or several.
        """
        entity = self.sheet.entity
        if target := refers_to(entity, name):
            return ref_of(self.named.record(target, text))
        known = SCHEMA.entity(entity).fields[name]
        zone = self._zone(texts) if known.type.name == "datetime" else ""
        value = cells.value(known, text, decimal_comma=self.sheet.delimiter == ";", zone=zone)
        if name == "category":
            return self._category(value)
        return accept(entity, {name: value}, new=True)[name]

    def _category(self, name: str) -> str:
        for known in self.categories:
            if known.casefold() == name.casefold():
                return known
        hint = did_you_mean(name, self.categories) or f"There are {', '.join(self.categories)}."
        raise InputError(f"there is no category {name!r}.", hint=hint)

    def _keep_zone(self, texts: Mapping[str, str], values: Values) -> None:
        """The day of an all-day meeting is one of the zone in which its moments were read."""
        if any(isinstance(value, datetime) for value in values.values()) and not self._zone_of_row(texts):
            values["timezone"] = self.zone or values.get("timezone")

    def _zone(self, texts: Mapping[str, str]) -> str:
        """Of the row, else of its owner, else the one given."""
        return self._zone_of_row(texts) or self.zone

    def _zone_of_row(self, texts: Mapping[str, str]) -> str:
        owner = self.named.any("user", texts["owner"]) if "owner" in texts else None
        return texts.get("timezone") or (owner.timezone if owner else "")

    def _check_address(self, row: int, values: Values) -> None:
        address = normal("email", values.get("email") or "")
        if not address:
            return
        if owner := self.addresses.get(address):
            self._wrong(row, "email", InputError(f"{owner} has the address {address} already."))
        self.addresses.setdefault(address, f"row {row}")

    def _addresses_there(self) -> dict[str, str]:
        wanted = {text for _, texts in self.sheet.rows if (text := texts.get("email"))}
        return {
            normal("email", address): f"{ref_of(contact)} ({contact.name})"
            for some in portions(wanted)
            for contact in self.records.find("contact", {"emails": tuple(some)}, limit=10**9)
            for address in contact.emails
        }

    def _wrong(self, row: int, name: str, error: ProcessionError) -> None:
        message = error.message if error.message.endswith((".", "?")) else f"{error.message}."
        text = f"{message} {error.hint}".strip()
        self.problems.append(Problem(row, self.sheet.headers.get(name, ""), text))


def _as_task(texts: Mapping[str, str]) -> Mapping[str, str]:
    """People write `meeting` where it says what an activity is; it is a task of that category."""
    if texts.get("type", "").casefold() != "meeting":
        return texts
    return {"category": "meeting", **texts, "type": "task"}


def _whole_name(values: Values) -> str:
    return " ".join(part for part in (values.get("first_name"), values.get("last_name")) if part)
