"""`template`: the mail templates, and a mail as it would be, without sending it."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from procession.cli import output
from procession.cli.by_hand import NO_MAIL, check_reader, person, template_names, told_once, with_place
from procession.cli.content import Json
from procession.cli.fields import pairs
from procession.cli.records import read_record
from procession.cli.session import Session, session
from procession.errors import ExpressionError, InputError, ProcessErrors
from procession.records import Record, fields_of, ref_of
from procession.spelling import did_you_mean

if TYPE_CHECKING:
    from procession.ports import Rendered
    from procession.steps.recipients import Person

app = typer.Typer(
    help="Mail templates: list them, and look at a mail before it is ever sent.", no_args_is_help=True
)


@app.command("list")
def list_(context: typer.Context, json: Json = False) -> None:
    """List the mail templates, and the languages each is there in.

    Examples:

      procession template list
    """
    templates = session(context).application.templates
    found = {name: templates.languages(name) for name in templates.names()}
    if json:
        output.emit(
            [{"template": name, "languages": ["en", *languages]} for name, languages in found.items()]
        )
    else:
        output.table(
            ("template", "languages"), [(n, ", ".join(("en", *languages))) for n, languages in found.items()]
        )


@app.command("preview")
def preview(
    context: typer.Context,
    template: Annotated[str, typer.Argument(metavar="TEMPLATE", help="See `procession template list`")],
    with_: Annotated[list[str] | None, typer.Option("--with", metavar="NAME=VALUE", help="A name of the template: a record or text.")] = None,
    to: Annotated[str, typer.Option("--to", metavar="WHO", help="Who reads it: a contact, a user, or an address; otherwise the record's contact.")] = "",
    language: Annotated[str, typer.Option("--language", metavar="LANGUAGE", help="Otherwise that of whoever reads it.")] = "",
    timezone: Annotated[str, typer.Option("--timezone", metavar="ZONE", help="Otherwise that of whoever reads it.")] = "",
    folder: Annotated[Path | None, typer.Option("--output", "-o", metavar="DIR", help="Where to write it; otherwise .procession/preview.")] = None,
    json: Json = False,
) -> None:  # fmt: skip
    """Write a mail as a reader would get it, as HTML and text. Nothing is sent or opened.

    Examples:

      procession template preview meeting_new --with meeting=activity:17
      procession template preview meeting_new --with meeting=activity:17 --language de --output out
    """
    now = session(context)
    now.application.warm_up()
    from procession.steps.recipients import sender as sender_of

    check_reader(language, timezone)
    written = pairs(with_ or (), "--with")
    _check(now, template, written)
    values = template_names(now, template, written)
    reader = _reader(now, to, values)
    sender = sender_of(None, now.application.ports(mail_out=NO_MAIL).default_sender)
    try:
        rendered = now.application.renderer.render(
            template, {"recipient": reader.about, "sender": sender.about, **values},
            language=language or reader.language or "en", timezone=timezone or reader.timezone or "UTC",
        )  # fmt: skip
    except ExpressionError as error:
        raise with_place(error, written) from error
    files = _write(rendered, folder or now.application.data / "preview", template)
    if json:
        output.emit({"subject": rendered.subject, "language": rendered.language, "text": rendered.text,
                     "files": [str(path) for path in files]})  # fmt: skip
        return
    output.say(f"Subject: {rendered.subject}\n", "bold")
    output.say(rendered.text)
    for path in files:
        output.note(f"Wrote {path}")


def _write(rendered: "Rendered", folder: Path, template: str) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for suffix, text in (("html", rendered.html), ("txt", rendered.text)):
        if text:
            path = folder / f"{template}.{rendered.language}.{suffix}"
            path.write_text(text, encoding="utf-8")
            files.append(path)
    return files


def _check(now: Session, template: str, written: Mapping[str, str]) -> None:
    """Raises:
    InputError: there is no such template.
    ProcessErrors: the template has mistakes, or uses a name that was not given.
    """
    from procession.expressions import Scope
    from procession.records import TEXT, record_of

    templates = now.application.templates
    if template not in templates.names():
        hint = did_you_mean(template, templates.names()) or "See: procession template list"
        raise InputError(f"there is no mail template {template!r}", hint=hint)
    schema = now.application.schema
    heads = {name: text.partition(":")[0] for name, text in written.items()}
    types = {name: record_of(head) if head in schema.entities else TEXT for name, head in heads.items()}
    if problems := tuple(told_once(templates.problems(template, Scope(types, schema)))):
        raise ProcessErrors("The template cannot be filled.", problems=problems)


def _reader(now: Session, to: str, values: Mapping[str, Any]) -> "Person":
    """Whoever was named; else the contact of the first record, or its owner; else somebody made up."""
    from procession.steps.recipients import person as person_of

    if to:
        return person_of(person(now, to, "--to"), "to")
    for value in values.values():
        fields = fields_of(value) if isinstance(value, Record) else {}
        for known in (fields.get("contact"), value, fields.get("owner")):
            if isinstance(known, Record) and ref_of(known).entity in ("contact", "user"):
                whole = read_record(now, ref_of(known))
                if fields_of(whole).get("email"):
                    return person_of(whole, "to")
    return person_of("Ann Example <ann@example.com>", "to")
