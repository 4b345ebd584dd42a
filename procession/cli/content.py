"""`check`, `schema`: what an author needs while writing. Nothing here opens a database or a server."""

import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from procession.application import Application
from procession.cli import output
from procession.cli.session import session
from procession.errors import InputError, ProcessError, ProcessErrors
from procession.spelling import count
from procession.times import spoken

if TYPE_CHECKING:
    from procession.plan import Plan, Trigger

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]


def add(app: typer.Typer) -> None:
    app.command(rich_help_panel="Writing processes")(check)
    app.command(rich_help_panel="Writing processes")(schema)


def check(
    context: typer.Context,
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FILE", show_default=False, help="Show only what is in these files, or in this folder."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Find every mistake in the processes and their templates, without running anything.

    All of them at once, each with file, line and column. FILE limits what is shown to these files.
    Exit code 1 if there is a mistake.

    Examples:

      procession check
      procession check processes/notify_contact_of_meeting.yaml
      procession check --json
    """
    application = session(context).application
    plans: Mapping[str, Plan] = {}
    problems: tuple[ProcessError, ...] = ()
    wanted = {found for file in files or () for found in _below(file, application)}
    try:
        plans = {
            process: plan
            for process, plan in application.plans().items()
            if not wanted or Path(plan.at.file).resolve() in wanted
        }
    except ProcessErrors as found:
        problems = tuple(
            p
            for p in found.problems
            if not wanted or (p.at and Path(p.at.file).resolve() in wanted) or _of_a_mail(p, wanted)
        )
    if json:
        output.emit({"processes": [_described(plan) for plan in plans.values()],
                     "problems": [_problem(problem) for problem in problems]})  # fmt: skip
    else:
        _show(plans, problems, len(files or ()))
    if problems:
        raise typer.Exit(1)


def _below(given: Path, application: Application) -> Collection[Path]:
    """The file, or those in the folder, that this project is made of.

    Raises:
        InputError: there is none.
    """
    given.resolve(strict=True)
    files = given.absolute().rglob("*") if given.is_dir() else [given.absolute()]
    processes, templates = (
        {folder.absolute(), folder.resolve()}
        for folder in (application.processes, application.template_folder)
    )
    found = [
        file.resolve()
        for file in files
        if (file.suffix in (".yaml", ".yml") and _is_in(processes, file)) or _is_in(templates, file)
    ]
    if found:
        return found
    where = f"Processes are the .yaml files in {application.processes.name}, templates the folders in {application.template_folder.name}."
    raise InputError(f"{str(given)!r} is no process of this project, and no template", hint=where)


def _is_in(folders: Collection[Path], file: Path) -> bool:
    return any(file.is_relative_to(folder) or file.resolve().is_relative_to(folder) for folder in folders)


def _of_a_mail(problem: ProcessError, wanted: Collection[Path]) -> bool:
    """Whether it is about a template as one of these processes uses it."""
    return any(problem.path.startswith(f"{file.stem}/") for file in wanted)


def _show(plans: "Mapping[str, Plan]", problems: tuple[ProcessError, ...], files_named: int) -> None:
    if problems:
        output.say("\n\n".join(str(problem) for problem in problems))
        files = len({problem.at.file for problem in problems if problem.at})
        output.note(f"\n{count(len(problems), 'problem')} in {count(files, 'file')}.", "red")
        return
    rows = [
        (plan.process, plan.title, "; ".join(in_words(trigger) for trigger in plan.triggers))
        for plan in plans.values()
    ]
    if rows:
        output.table(("process", "title", "starts"), rows)
    looked_at = count(len(plans), "process") if plans else count(files_named, "file")
    output.note(f"{looked_at}, no problem.", "green")


def in_words(trigger: "Trigger") -> str:
    """When a trigger fires, for people."""
    if trigger.cron:
        return f"at {trigger.cron} ({trigger.timezone})"
    if trigger.every:
        return f"every {spoken(trigger.every)}"
    if "manual" in trigger.events:
        by_hand = f"by hand on {trigger.entity}" if trigger.entity else "by hand"
        return f"{by_hand} ({trigger.title})" if trigger.title else by_hand
    if trigger.name:
        about = f" about {trigger.entity}" if trigger.entity else ""
        return f"{trigger.events[0]} “{trigger.name}”{about}"
    return f"{trigger.entity} {' or '.join(trigger.events)}"


def _described(plan: "Plan") -> dict[str, Any]:
    from procession.plan import every_step

    return {
        "process": plan.process,
        "title": plan.title,
        "file": plan.at.file,
        "triggers": [in_words(trigger) for trigger in plan.triggers],
        "steps": [step.path for step in every_step(plan)],
        "digest": plan.digest,
    }


def _problem(problem: ProcessError) -> dict[str, Any]:
    at = problem.at
    return {
        "file": at.file if at else "", "line": at.line if at else 0, "column": at.column if at else 0,
        "path": problem.path, "message": problem.message, "hint": problem.hint,
    }  # fmt: skip


def schema(
    output_file: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write it there instead of standard output."),
    ] = None,
) -> None:
    """Print the JSON Schema of process files, for editors that complete and check while typing.

    Examples:

      procession schema > process.schema.json
      procession schema --output .procession/process.schema.json

    An editor with a YAML language server reads it from the first line of a process:

      # yaml-language-server: $schema=../.procession/process.schema.json
    """
    text = schema_text()
    if output_file is None:
        sys.stdout.write(text)
    else:
        output_file.write_text(text, encoding="utf-8")
        output.note(f"Wrote {output_file}.")


def schema_text() -> str:
    """The JSON Schema of process files."""
    from json import dumps

    from procession.editor_schema import editor_schema

    return dumps(editor_schema(), indent=2, ensure_ascii=False) + "\n"
