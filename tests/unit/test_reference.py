"""docs/reference is made from the registries of the program, and is what it would be if it were made now."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import mail_world as world
import pytest

from crm.schema import SCHEMA
from procession.compile import compile_text
from procession.mail import Templates
from procession.mail.library import read_files
from procession.model import shapes as shapes_of

ROOT = Path(__file__).parent.parent.parent


def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", ROOT / ".ci" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "name", ["process.md", "templates.md", "steps.md", "expressions.md", "settings.md", "commands.md"]
)
def test_a_reference_page_is_up_to_date(name: str) -> None:
    wanted = reference().PAGES[name]()

    assert (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8") == wanted, (
        "run: python3 .ci/dev.py docs"
    )


def examples(page: str, language: str) -> list[str]:
    text = (ROOT / "docs" / "reference" / page).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_every_example_of_a_process_can_be_used() -> None:
    found = examples("process.md", "yaml")

    assert len(found) == 7
    for text in found:
        name = text.split()[1]
        compile_text(text, f"{name}.yaml", Templates(ROOT / "templates"), SCHEMA, ())


def test_the_example_of_a_template_can_be_filled() -> None:
    (body,) = examples("templates.md", "jinja")
    base = {path: text for path, text in read_files(ROOT / "templates").items() if path.startswith("_base/")}
    templates = Templates.of_files({**base, "talk/subject.txt.j2": "Talk", "talk/body.html.j2": body})

    mail = templates.render("talk", world.names(), language="en-GB", timezone="Europe/London")

    assert "we meet on Friday, 6 March 2026 at 09:00 (GMT)." in mail.html
    assert templates.problems("talk", world.SCOPE) == []


def test_every_key_of_a_process_file_says_what_it_is_for() -> None:
    shapes = [shapes_of.ProcessShape, shapes_of.InputShape, shapes_of.RecordTrigger, shapes_of.ScheduleTrigger,
              shapes_of.ManualTrigger, shapes_of.HistoryShape, shapes_of.RetryShape]  # fmt: skip

    silent = [
        f"{shape.__name__}.{name}"
        for shape in shapes
        for name, field in shape.model_fields.items()
        if not field.description
    ]

    assert silent == []


def test_every_command_has_examples_that_call_it() -> None:
    from typer.main import get_command

    from procession.cli.main import app

    leaves = [
        (path, command)
        for path, command in reference().every_command("procession", get_command(app))
        if not getattr(command, "commands", {})
    ]

    assert len(leaves) > 20
    assert [path for path, command in leaves if f"  {path}" not in (command.help or "")] == []


def test_every_option_says_what_it_is_for() -> None:
    from typer.main import get_command

    from procession.cli.main import app

    silent = [
        f"{path} {parameter.name}"
        for path, command in reference().every_command("procession", get_command(app))
        for parameter in command.params
        if not getattr(parameter, "help", "")
    ]

    assert silent == []
