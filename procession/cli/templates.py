"""`template`: the mail templates, and a mail as it would be, without sending it."""

from pathlib import Path
from typing import Annotated

import typer

from procession.cli import output, typed
from procession.cli.content import Json
from procession.cli.email import template_names
from procession.cli.session import Session, session
from procession.errors import InputError, ProcessErrors
from procession.ports import Rendered
from procession.spelling import did_you_mean

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
    language: Annotated[str, typer.Option("--language", metavar="LANGUAGE", help="The reader's language.")] = "en",
    timezone: Annotated[str, typer.Option("--timezone", metavar="ZONE", help="The reader's zone.")] = "UTC",
    folder: Annotated[Path | None, typer.Option("--output", "-o", metavar="DIR", help="Where to write it; otherwise .procession/preview.")] = None,
    json: Json = False,
) -> None:  # fmt: skip
    """Write a mail as a reader would get it, as HTML and text. Nothing is sent or opened.

    Examples:

      procession template preview meeting_new --with meeting=activity:17
      procession template preview meeting_new --with meeting=activity:17 --language de --output out
    """
    now = session(context)
    rendered = _rendered(now, template, typed.pairs(with_ or (), "--with"), language, timezone)
    target = folder or now.application.data / "preview"
    target.mkdir(parents=True, exist_ok=True)
    files = []
    for suffix, text in (("html", rendered.html), ("txt", rendered.text)):
        if text:
            path = target / f"{template}.{rendered.language}.{suffix}"
            path.write_text(text, encoding="utf-8")
            files.append(path)
    if json:
        output.emit({"subject": rendered.subject, "language": rendered.language, "text": rendered.text,
                     "files": [str(path) for path in files]})  # fmt: skip
        return
    output.say(f"Subject: {rendered.subject}\n", "bold")
    output.say(rendered.text)
    for path in files:
        output.note(f"Wrote {path}")


def _rendered(now: Session, template: str, written: dict[str, str], language: str, timezone: str) -> Rendered:
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
    if problems := templates.problems(template, Scope(types, schema)):
        message = (
            "The template cannot be filled. A name that is missing is given as --with meeting=activity:17."
        )
        raise ProcessErrors(message, problems=tuple(problems))
    return templates.render(
        template, template_names(now, template, written), language=language, timezone=timezone
    )
