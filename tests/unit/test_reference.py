"""docs/reference is made from the registries of the program, and is what it would be if it were made now."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent.parent


def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", ROOT / ".ci" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["steps.md", "expressions.md", "settings.md", "commands.md"])
def test_a_reference_page_is_up_to_date(name: str) -> None:
    wanted = reference().PAGES[name]()

    assert (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8") == wanted, (
        "run: python3 .ci/dev.py docs"
    )


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
