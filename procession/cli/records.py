"""`crm`: the records of the activity store, for people at a terminal and for scripts."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import tzinfo
from pathlib import Path
from typing import Annotated, Any

import typer

from procession.application import ImportOptions
from procession.cli import output
from procession.cli.content import Json
from procession.cli.fields import fields, options, pairs
from procession.cli.imported import tell_of_import
from procession.cli.naming import numbered
from procession.cli.session import Session, entity_of, session
from procession.cli.zones import zone_shown, zone_written
from procession.errors import InputError
from procession.records import Field, Record, Ref, fields_of, ref_of
from procession.spelling import count, did_you_mean, one_of

app = typer.Typer(help="Accounts, contacts, opportunities, users and activities.", no_args_is_help=True)
app.command()(fields)

KINDS: Mapping[str, Mapping[str, Any]] = {
    "meeting": {"type": "task", "category": "meeting", "status": "planned"},
    "task": {"type": "task", "status": "planned"},
    "call": {"type": "call", "status": "planned"},
    "email": {"type": "email", "status": "done"},
}
"""Words for activities that say what the activity is."""
LISTED: Mapping[str, Mapping[str, Any]] = {
    "meeting": {"is_meeting": True},
    "task": {"type": "task", "is_meeting": False},
    "call": {"type": "call"},
    "email": {"type": "email"},
}
"""The same, to look activities up."""
LONGEST_CELL = 80

UNLISTED = 3
"""So many of its first fields are shown of an entity that has no `COLUMNS`."""
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "account": ("name", "industry", "country"),
    "contact": ("name", "email", "account"),
    "opportunity": ("name", "stage", "amount", "account"),
    "user": ("name", "email", "team"),
    "activity": ("subject", "type", "status", "start", "contact"),
}


@app.command("import")
def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A CSV file with a header line, in UTF-8.")],
    entity: Annotated[
        str,
        typer.Option(
            "--entity", metavar="ENTITY", help="What the rows are; otherwise the file's name says it."
        ),
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be imported.")] = False,
    timezone: Annotated[
        str,
        typer.Option("--timezone", metavar="ZONE", help="Of times, where neither row nor owner says one."),
    ] = "",
    json: Json = False,
) -> None:
    """Import contacts, accounts, opportunities or activities from a CSV file.

    The whole file is checked first: everything that is wrong is named with its row and column, nothing is saved,
    and the exit code is 1. An imported row is a save like any other: processes that wait for such records start, once all
    rows are saved. If an import breaks off, import the file again: it goes on where it was.

    Examples:

      procession crm import contacts.csv --dry-run
      procession crm import contacts.csv
      procession crm import people.csv --entity contact
    """
    now = session(context)
    name = _entity_of_rows(entity, file, now)
    with output.progress() as bar:
        task = bar.add_task(f"Importing {name} rows", total=None)
        how = ImportOptions(dry_run, timezone, lambda done, of: bar.update(task, completed=done, total=of))
        report = now.application.import_csv(name, file, now.actor, how)
    tell_of_import(report, file, dry_run=dry_run, json=json)
    if report.problems:
        raise typer.Exit(1)


def _entity_of_rows(entity: str, file: Path, now: Session) -> str:
    """What the rows of the file are, by the option or by the file's name.

    Raises:
        InputError: neither says it, or there is no such file.
    """
    if not file.exists():
        raise InputError(f"there is no file {file}")
    try:
        return entity_of(entity or file.stem.casefold(), now.application.schema)
    except InputError:
        if entity:
            raise
        raise InputError(
            f"the name of {file.name} does not say what its rows are", hint="Say it with --entity contact"
        ) from None


@app.command("list")
def list_(
    context: typer.Context,
    entity: Annotated[str, typer.Argument(metavar="ENTITY", help="contacts, accounts, opportunities, users or activities; meetings, tasks, calls or emails")],
    where: Annotated[list[str] | None, typer.Option("--where", "-w", metavar="FIELD=VALUE", help="Only those with this value.")] = None,
    order: Annotated[str, typer.Option("--order", metavar="FIELD", help="A field to sort by; -field for the other way round.")] = "",
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, max=1000, help="At most so many.")] = 50,
    json: Json = False,
) -> None:  # fmt: skip
    """List records.

    Examples:

      procession crm list contacts
      procession crm list meetings --order start
      procession crm list opportunities --where stage=proposal --order -amount
      procession crm list activities --where opportunity=opportunity:2 --json
    """
    now = session(context)
    application = now.application
    kind = LISTED.get(entity.removesuffix("s"), {})
    name = "activity" if kind else entity_of(entity, application.schema)
    known = application.schema.entity(name).fields
    wanted = {**kind, **_typed(now, name, pairs(where or (), "--where"), "--where")}
    if order:
        _field(order.removeprefix("-"), known, name)
    rows = _found(now, name, wanted, order, limit + 1)
    more, rows = len(rows) > limit, rows[:limit]
    if json:
        output.emit([_document(record) for record in rows])
        return
    if not rows:
        output.note("None.")
        return
    columns = COLUMNS.get(name) or tuple(known)[:UNLISTED]
    output.table(
        (name, *columns),
        [(str(ref_of(record)), *(_in_list(now, record, column) for column in columns)) for record in rows],
    )
    output.note(f"{count(len(rows), name)}{' (there are more: --limit)' if more else ''}.")


def _found(now: Session, entity: str, where: Mapping[str, Any], order: str, limit: int) -> list[Record]:
    """Records with the names of those they refer to, in order."""
    fields = now.application.schema.entity(entity).fields
    paths = frozenset((name,) for name, field in fields.items() if field.type.name == "record")
    with now.application.store.unit(write=False) as unit:
        found = [ref_of(record) for record in unit.records.find(entity, where, order=order, limit=limit)]
        records = unit.records.fetch(found, paths)
    return [records[ref] for ref in found]


@app.command("show")
def show(
    context: typer.Context,
    record: Annotated[str, typer.Argument(metavar="RECORD", help="For example contact:3")],
    json: Json = False,
) -> None:
    """Show one record with all its fields.

    Examples:

      procession crm show contact:3
      procession crm show opportunity:2 --json
    """
    now = session(context)
    found = read_record(now, now.ref(record))
    if json:
        output.emit(_document(found))
        return
    entity = now.application.schema.entity(ref_of(found).entity)
    zone = zone_shown(now, found)
    rows = [
        (entity.fields[name].title, _cell(value, zone=zone))
        for name, value in fields_of(found).items()
        if name in entity.fields
    ]
    output.say(f"{entity.title} {ref_of(found).id}: {found}", "bold")
    output.facts(rows)


@app.command("save", context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def save(
    context: typer.Context,
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            help="meeting, call, task, contact, account, opportunity, user; or a record to change",
        ),
    ],
    connected_to: Annotated[
        list[str] | None,
        typer.Option("--connected-to", metavar="RECORD", help="What a new activity is connected to."),
    ] = None,
    json: Json = False,
) -> None:
    """Make a record, or change one: every field of it is an option (`crm fields` lists them). Processes that wait
    for it start.

    Examples:

      procession crm save meeting --subject "First talk" --contact contact:3 --start "+2 days"
      procession crm save call --subject "Call back" --due 2026-03-06T10:00 --owner "Anna Berg"
      procession crm save contact --name "Ann Lee" --email ann@acme.example
      procession crm save activity:17 --status cancelled
      procession crm save opportunity:2 --stage won --json

    A record that another one refers to is written as user:1, as its name, or as an e-mail address.
    A moment without a zone is one of the record's zone, else of its owner's, else of the setting `timezone`; +2 days
    counts from now. An empty text empties a field.
    """
    now = session(context)
    ref = now.ref(what) if ":" in what else None
    entity = ref.entity if ref else "activity" if what in KINDS else _entity_to_save(what, now)
    known = now.application.schema.entity(entity).fields
    flags, moments = ({n for n, f in known.items() if f.type.name == type_} for type_ in ("bool", "datetime"))
    written = options(context.args, flags)
    zone = zone_written(now, read_record(now, ref) if ref else None, written)
    values = _typed(now, entity, written, "", zone)
    if zone is None and entity == "activity" and moments & written.keys():
        values["timezone"] = str(now.application.timezone)
    _check_span(now, ref, values)
    if not ref:
        values = {**KINDS.get(what, {}), **values}
    saved, what_came = _save(now, entity, ref, values, [now.ref(text) for text in connected_to or ()])
    if json:
        output.emit(_document(read_record(now, saved)))
    else:
        output.say(f"{what_came} {saved}: {read_record(now, saved)}")


@app.command("delete")
def delete(
    context: typer.Context,
    record: Annotated[str, typer.Argument(metavar="RECORD", help="For example activity:17")],
) -> None:
    """Delete a record. The History of what it was connected to stays.

    Examples:

      procession crm delete activity:17
    """
    now = session(context)
    found = read_record(now, now.ref(record))
    with now.application.store.unit() as unit:
        unit.records.delete([ref_of(found)], now.actor)
        unit.commit()
    output.say(f"Deleted {ref_of(found)}: {found}")


def read_record(now: Session, ref: Ref) -> Record:
    """A record with what it refers to.

    Raises:
        InputError: there is no such record.
    """
    fields = now.application.schema.entity(ref.entity).fields
    paths = frozenset((name,) for name, field in fields.items() if field.type.name in ("record", "list"))
    with now.application.store.unit(write=False) as unit:
        found = unit.records.fetch([ref], paths)
    if ref not in found:
        raise InputError(f"there is no {ref}", hint=f"See: procession crm list {ref.entity}")
    return found[ref]


def _entity_to_save(what: str, now: Session) -> str:
    entities = now.application.schema.entities
    if what not in entities or what == "activity":
        known = [*KINDS, *(name for name in entities if name != "activity")]
        raise InputError(
            f"{what!r} cannot be saved", hint=did_you_mean(what, known) or f"It is {one_of(known)}."
        )
    return what


def _check_span(now: Session, ref: Ref | None, values: Mapping[str, Any]) -> None:
    """Raises:
    InputError: what is saved would end before it begins.
    """
    if not (values.get("start") or values.get("end")):
        return
    kept = fields_of(read_record(now, ref)) if ref else {}
    start, end = (values.get(name, kept.get(name)) for name in ("start", "end"))
    if start and end and end < start:
        hint = f"It starts {output.zoned_time(start)} and ends {output.zoned_time(end)}."
        raise InputError("the end lies before the start", hint=hint)


def _save(
    now: Session, entity: str, ref: Ref | None, values: Mapping[str, Any], connected_to: list[Ref]
) -> tuple[Ref, str]:
    """The record, and what came of it, in words."""
    came = "Saved"
    with now.application.store.unit() as unit:
        if ref is None:
            (saved,) = unit.records.create(entity, [values], now.actor, [connected_to])
        elif connected_to:
            raise InputError(
                "--connected-to is for new activities", hint="Change --contact, --opportunity or --account."
            )
        else:
            saved = ref
            if ref not in unit.records.fetch([ref], frozenset()):
                raise InputError(f"there is no {ref}", hint=f"See: procession crm list {entity}")
            (changed,) = unit.records.update([(ref, values)], now.actor)
            came = "Changed" if changed else "Nothing changed in"
        unit.commit()
    return saved, came


def _typed(
    now: Session, entity: str, written: Mapping[str, str], option: str, zone: tzinfo | None = None
) -> dict[str, Any]:
    from procession.inputs import read

    caller = replace(now.caller, zone=zone) if zone else now.caller
    fields = now.application.schema.entity(entity).fields
    values = {}
    for name, text in written.items():
        field = _field(name, fields, entity)
        where = f"{option} {name}" if option else f"--{name.replace('_', '-')}"
        if not option and not field.writable:
            raise InputError(f"{where} cannot be written: the store works it out")
        values[name] = (
            read(where, field.type, _meant(now, where, field, text), caller, field.options) if text else None
        )
    return values


def _meant(now: Session, where: str, field: Field, text: str) -> str:
    """Raises:
    InputError: it names no record where one is wanted, or several.
    """
    try:
        return numbered(now, field.type.of, text) if field.type.name == "record" else text
    except InputError as error:
        raise InputError(f"{where}: {error.message}", hint=error.hint) from None


def _field(name: str, fields: Mapping[str, Field], entity: str) -> Field:
    if name not in fields:
        hint = did_you_mean(name, fields) or f"There is {one_of(fields)}."
        raise InputError(f"{entity} has no field {name!r}", hint=hint)
    return fields[name]


def _in_list(now: Session, record: Record, column: str) -> str:
    """A cell of a list: short, and a meeting is called one."""
    fields = fields_of(record)
    if column == "type" and fields.get("is_meeting"):
        return "meeting"
    return output.brief(_cell(fields.get(column), ref=False, zone=zone_shown(now, record)), LONGEST_CELL)


def _cell(value: Any, *, ref: bool = True, zone: tzinfo | None = None) -> str:
    match value:
        case None | "":
            return ""
        case bool():
            return "yes" if value else "no"
        case tuple() | list():
            return ", ".join(_cell(item) for item in value)
        case Record():
            return f"{value} ({ref_of(value)})" if ref else str(value)
    if hasattr(value, "tzinfo"):
        return output.zoned_time(value, zone)
    return str(value)


def _document(record: Record) -> dict[str, Any]:
    return {"ref": str(ref_of(record)), **{name: _plain(value) for name, value in fields_of(record).items()}}


def _plain(value: Any) -> Any:
    if isinstance(value, Record):
        return {"ref": str(ref_of(value)), "name": str(value)}
    return [_plain(item) for item in value] if isinstance(value, (tuple, list)) else value
