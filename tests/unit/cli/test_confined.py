"""On the command line too a mail template or a function that breaks its process is told of in a sentence."""

from pathlib import Path

import pytest
import registered_functions

from flows.functions import FUNCTIONS
from flows.wiring import application
from procession.errors import ConfigurationError

from .conftest import Call

DEEP = "{% for i in range(4000) %}<table><tr><td>{% endfor %}"
LOOP = "{% set ten = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] %}" + "{% for i in ten %}" * 9 + "{% endfor %}" * 9
HINT = "Look for loops inside of loops, for texts that double, and for HTML that is thousands of tags deep."


@pytest.fixture
def broken(project: Path) -> None:
    body(project, DEEP)


def body(project: Path, text: str) -> None:
    (project / "templates" / "meeting_new" / "body.html.j2").write_text(text, encoding="utf-8")


@pytest.mark.usefixtures("broken")
def test_a_preview_that_crashes_its_process_is_a_sentence(call: Call) -> None:
    said = call("template", "preview", "meeting_new", "--with", "meeting=activity:1", "--language", "en")

    assert (said.code, said.out) == (2, "")
    assert said.err == (
        f"Mail template 'meeting_new' cannot be filled: its process crashed (SIGSEGV). {HINT}\n"
    )


@pytest.mark.usefixtures("broken")
def test_a_draft_that_crashes_its_process_is_a_sentence(call: Call) -> None:
    said = call(
        "email", "new", "--to", "Ann <ann@acme.example>", "--template", "meeting_new", "--with", "meeting=activity:1"
    )  # fmt: skip

    assert (said.code, said.err.split(".")[0]) == (
        2,
        "Mail template 'meeting_new' cannot be filled: its process crashed (SIGSEGV)",
    )


def test_a_simulation_tells_of_a_template_that_goes_round_for_ever(
    project: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROCESSION_RENDERING_TIMEOUT_SECONDS", "0.5")
    body(project, LOOP)
    call("crm", "save", "contact:1", "--language", "en")
    meeting = call(
        "crm", "save", "meeting", "--subject", "x", "--contact", "contact:1", "--start", "+3 days", "--json"
    ).json["ref"]

    said = call("simulate", "notify_contact_of_meeting", "--input", f"meeting={meeting}", "--json").json

    (invite,) = [step for step in said["steps"] if step["path"] == "invite"]
    assert invite["error"]["message"] == (
        "mail template 'meeting_new' cannot be filled: it takes longer than 0.5 s (rendering.timeout_seconds)"
    )


def test_a_run_tells_of_a_function_that_crashes(
    project: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("children", "wiring"):
        monkeypatch.setattr(f"flows.{module}.FUNCTIONS", registered_functions.FUNCTIONS)
    monkeypatch.setattr("flows.children.REGISTRY", "registered_functions:FUNCTIONS")
    text = "process: ask\ntriggers: [{manual: {}}]\nsteps: [{id: ask, call: {function: crash}}]\n"
    (project / "processes" / "ask.yaml").write_text(text, encoding="utf-8")

    said = call("run", "ask")

    assert said.code == 1
    assert "function 'crash' failed: its process crashed (SIGSEGV)" in " ".join(said.out.split())


def test_an_engine_does_not_start_with_a_function_that_another_process_does_not_find(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FUNCTIONS, "added_while_it_runs", lambda: 0)  # type: ignore[arg-type]  # a dict
    served = application(project).serve()

    with pytest.raises(ConfigurationError) as raised:
        served.__enter__()

    assert (
        raised.value.message == "another process that imports the functions does not find added_while_it_runs"
    )
