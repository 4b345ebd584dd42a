"""`init`: a new project that works at once, or the database of an old one brought up to date.

It makes what is missing and changes no file that is there.
"""

import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from procession.application import Application, load
from procession.cli import output
from procession.cli.content import schema_text
from procession.errors import ConfigurationError, InputError
from procession.ports import Actor
from procession.spelling import count

SETTINGS = """\
# Settings of this project; every one of them, with its default: docs/reference/settings.md
# Each may be given as an environment variable instead: PROCESSION_SMTP_HOST for host below [smtp].

# database = "postgresql://procession@localhost/procession"
# database_password = "env:DB_SECRET"

timezone = "{zone}"  # of moments that name none, where neither record nor owner has one
mail_domain = "example.com"
default_sender = "Sales <sales@example.com>"

[smtp]
host = ""
port = 587
security = "starttls"
user = ""
password = ""  # env:NAME or file:/path, never the password itself
"""

IGNORED = ".procession/\n"


def add(app: typer.Typer) -> None:
    app.command(rich_help_panel="Start here")(init)


def init(
    context: typer.Context,
    folder: Annotated[Path | None, typer.Argument(metavar="[DIR]", help="The project's folder, made if it is missing.")] = None,
    empty: Annotated[bool, typer.Option("--empty", help="Without sample data.")] = False,
    new_identity: Annotated[bool, typer.Option("--new-identity", help="The database is a copy of another one: it becomes one of its own.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="With --new-identity: go on with what the other one had queued and under way.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --new-identity: it is a copy, though all of the project's folder was copied along.")] = False,
) -> None:  # fmt: skip
    """Make a project: settings, processes, mail templates, and a database with sample data.

    In a project that is there already it makes what is missing, and brings the database up to date. No file
    is overwritten, and data is never added to a database that holds some.

    A copy of a database, for tests, needs an identity of its own: what the other one had queued and under way is
    cancelled in the copy. Set mail.redirect_all_to first, so that nothing reaches a customer. The database that was
    worked on last from here is no copy, and is left as it is.

    Examples:

      procession init my-project
      procession init my-project --empty
      procession init
      procession init --new-identity
    """
    for word, is_given in (("--keep", keep), ("--yes", yes)):
        if is_given and not new_identity:
            raise InputError(f"{word} is for a copy", hint="Give --new-identity with it")
    target = (folder or context.find_root().obj.project or Path()).absolute()
    if target.exists() and not target.is_dir():
        raise ConfigurationError(f"{target} is a file, no folder")
    fresh = not (target / "procession.toml").exists()
    for made in write_project(target):
        output.note(f"  made {made.relative_to(target)}")
    application = load(target)
    context.call_on_close(application.close)
    if not (application.processes.exists() or application.template_folder.exists()):
        for made in copy_content(application.shipped, target):
            output.note(f"  made {made.relative_to(target)}")
    application.upgrade()
    application.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    (application.data / "process.schema.json").write_text(schema_text(), encoding="utf-8")
    output.note("  the database and the schema for editors are up to date")
    if fresh and not empty:
        _sample(application)
    if new_identity:
        _become_another(application, keep=keep, is_a_copy=yes)
    output.say(f"The project is in {target}.")
    output.note(f"Next: cd {shlex.quote(str(target))} && procession check && procession crm list contacts")


def _become_another(application: Application, *, keep: bool, is_a_copy: bool) -> None:
    from procession import restoring

    actor = Actor("user", application.user)
    done = restoring.new_identity(
        application.ports(), application.witness, actor, keep=keep, is_a_copy=is_a_copy
    )
    output.note("  the database has an identity of its own")
    if not keep:
        given_up = (
            f"{count(done.mails, 'mail')}, {count(done.instances, 'instance')}, {count(done.events, 'event')}"
        )
        output.note(f"  cancelled of what the other one had queued and under way: {given_up}")


def write_project(target: Path, settings: str = "") -> Iterator[Path]:
    """Make the folder and its settings file; yields what was made."""
    target.mkdir(parents=True, exist_ok=True)
    settings = settings or SETTINGS.format(zone=_zone_here())
    for name, text in (("procession.toml", settings), (".gitignore", IGNORED)):
        if not (target / name).exists():
            (target / name).write_text(text, encoding="utf-8")
            yield target / name


def _zone_here() -> str:
    """That of this machine, as people call it."""
    from tzlocal import get_localzone_name

    from procession.times import zone

    try:
        return str(zone(get_localzone_name() or "UTC"))
    except (ValueError, LookupError):  # what the machine says is none
        return "UTC"


def copy_content(shipped: Path, target: Path) -> Iterator[Path]:
    """Copy the processes and templates that come along; yields what was made."""
    for name in ("processes", "templates"):
        if not (target / name).exists() and (shipped / name).is_dir():
            shutil.copytree(shipped / name, target / name)
            yield target / name


def _sample(application: Application) -> None:
    try:
        counts = application.load_sample()
    except InputError:
        output.note("  the database holds data already: no sample data was added")
        return
    output.note("  sample data: " + ", ".join(count(number, entity) for entity, number in counts.items()))
