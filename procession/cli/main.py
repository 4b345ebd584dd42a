"""The command line: every command group, the global options, and the one edge where errors become sentences.

Exit codes: 0 it is as asked; 1 the answer is no (`check` found problems, `doctor` found something unwell, a run
failed); 2 wrong use, or something the operator must mend first; 130 interrupted.
"""

import logging
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from typer._click.exceptions import ClickException, NoArgsIsHelpError, UsageError

from procession.cli import (
    content,
    demo,
    doctor,
    email,
    history,
    incidents,
    init,
    instances,
    messages,
    output,
    processes,
    records,
    restored,
    running,
    sandbox,
    simulate,
    status,
    templates,
)
from procession.cli.session import Session
from procession.errors import ProcessError, ProcessErrors, ProcessionError

USAGE, INTERRUPTED = 2, 130

app = typer.Typer(
    name="procession",
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def procession(
    context: typer.Context,
    project: Annotated[
        Path | None,
        typer.Option(
            "--project", "-C", metavar="DIR", envvar="PROCESSION_PROJECT",
            help="The project's folder; otherwise the nearest one upwards that has a procession.toml or processes.",
        ),
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show where in the program an error arose.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:  # fmt: skip
    """Business processes for the communications of a CRM: YAML in, e-mail and History out.

    Start here:

      procession demo                  see the main job work, nothing needed
      procession init my-project       make a project with sample data
      procession check                 find every mistake in processes and templates
      procession serve                 run them: every saved record starts what waits for it

    `procession COMMAND --help` shows examples of each command.
    """
    context.obj = Session(project, debug)
    context.call_on_close(context.obj.close)
    if version:
        from importlib.metadata import version as installed

        output.say(f"procession {installed('procession')}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        sys.stdout.write(context.get_help().rstrip() + "\n")
        raise typer.Exit


def run() -> None:
    """The entry point of the installed program."""
    sys.exit(main(sys.argv[1:]))


def main(args: Sequence[str]) -> int:
    """Run one command line; returns its exit code."""
    words = hoisted(args)
    logging.getLogger().addHandler(logging.NullHandler())  # what must be said is said by the commands
    try:
        code = typer.main.get_command(app).main(words, prog_name="procession", standalone_mode=False)
        sys.stdout.flush()
    except NoArgsIsHelpError as shown:
        sys.stdout.write(shown.format_message().rstrip() + "\n")
        return USAGE
    except UsageError as error:
        command = error.ctx.command_path if error.ctx else "procession"
        return _told(error.format_message(), f"See: {command} --help")
    except ClickException as error:
        return _told(error.format_message())
    except (KeyboardInterrupt, typer.Abort):
        return _told("stopped", code=INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (ProcessionError, OSError) as error:
        if "--debug" in words:
            raise
        return _failed(error)
    return code if isinstance(code, int) else 0


def hoisted(args: Sequence[str]) -> list[str]:
    """Global options may stand anywhere before `--`; here they come to the front, where they are looked for."""
    front: list[str] = []
    rest: list[str] = []
    words = iter(args)
    for word in words:
        if word == "--":
            return [*front, *rest, word, *words]
        if word in ("--project", "-C") and (value := next(words, None)) is not None:
            front += [word, value]
        elif word == "--debug" or word.startswith("--project="):
            front.append(word)
        else:
            rest.append(word)
    return front + rest


def _failed(error: ProcessionError | OSError) -> int:
    match error:
        case ProcessErrors():
            for problem in error.problems:
                output.note(str(problem))
            return _told(error.message)
        case ProcessError():
            output.note(str(error))
            return USAGE
        case ProcessionError():
            return _told(error.message, error.hint)
        case _:
            name = f"{error.filename}: " if error.filename else ""
            return _told(f"{name}{error.strerror or error}")


def _told(message: str, hint: str = "", *, code: int = USAGE) -> int:
    """One clear sentence, and what to do."""
    output.note(sentence(message) + (f" {sentence(hint)}" if hint else ""))
    return code


def sentence(text: str) -> str:
    """The text as a sentence: a capital in front unless it is a name or a path, a stop behind."""
    text = text.strip()
    word = text.split(" ", 1)[0]
    if word.isalpha() and word.islower():
        text = text[0].upper() + text[1:]
    return text if text.endswith((".", "!", "?", "…")) or _COMMAND.search(text) else f"{text}."


_COMMAND = re.compile(r"(\bprocession [^.`]*|([Ww]ith|[Aa]s|[Ww]rite) --[^.]*)$")
"""A command at the end of a text is for copying, without a stop."""


def _add_commands() -> None:
    """Every command, in the order of the help."""
    demo.add(app)
    init.add(app)
    content.add(app)
    simulate.add(app)
    running.add(app)
    messages.add(app)
    doctor.add(app)
    restored.add(app)
    status.add(app)
    history.add(app)
    app.add_typer(processes.app, name="process", rich_help_panel="Running")
    app.add_typer(instances.app, name="instances", rich_help_panel="Looking")
    app.add_typer(incidents.app, name="incidents", rich_help_panel="Looking")
    app.add_typer(records.app, name="crm", rich_help_panel="Data and mail")
    app.add_typer(email.app, name="email", rich_help_panel="Data and mail")
    app.add_typer(templates.app, name="template", rich_help_panel="Writing processes")
    app.add_typer(sandbox.app, name="sandbox", rich_help_panel="Developing")


_add_commands()
