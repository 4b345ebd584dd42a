"""Which version of a process runs: `deploy`, `process`, and what `run` and `serve` do with files."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest
from contract.conftest import empty, migrated_postgresql, postgresql  # noqa: F401 - fixtures

from flows.engine import tell_of_files
from flows.functions import FUNCTIONS
from flows.wiring import application
from procession.publications import Asked

from .conftest import Call

NOTE = """\
process: note
inputs: {c: {type: record, of: contact}}
triggers: [{manual: {on: contact}}]
history: {on: "{{ c }}"}
steps:
  - log_history: TEXT
"""
OTHER = NOTE.replace("process: note", "process: other")


@pytest.fixture
def note(project: Path) -> Path:
    for file in (project / "processes").glob("*.yaml"):
        file.unlink()
    path = project / "processes" / "note.yaml"
    path.write_text(NOTE, encoding="utf-8")
    (project / "processes" / "other.yaml").write_text(OTHER, encoding="utf-8")
    return path


@pytest.fixture
def published_by_deploy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are not published by themselves: what the application says of a PostgreSQL database."""
    monkeypatch.setattr("flows.wiring.Application.publishes", False)


@pytest.fixture
def on_postgresql(
    note: Path,
    call: Call,
    migrated_postgresql: str,  # noqa: F811 - a fixture
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The project with a database of one contact on a PostgreSQL server."""
    empty(migrated_postgresql)
    monkeypatch.setenv("PROCESSION_DATABASE", migrated_postgresql)
    assert call("crm", "save", "contact", "--name", "Ann").code == 0


@pytest.fixture
def serve(call: Call, monkeypatch: pytest.MonkeyPatch) -> Call:
    """`procession serve` as far as to where the engine would begin to work."""

    @contextmanager
    def nothing_works(*_parts: object) -> Iterator[None]:
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr("flows.engine._working", nothing_works)
    monkeypatch.setitem(sys.modules, "flows.worker", ModuleType("flows.worker"))  # Prefect, which then logs
    monkeypatch.setattr("procession.cli.running._tell_what_happens", lambda: None)
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:1/api")
    return lambda *options: call("serve", *options)


def published(call: Call) -> list[str]:
    return [one["process"] for one in call("process", "list", "--json").json]


def history(call: Call) -> list[str]:
    return [row["text"] for row in call("history", "contact:1", "--json").json][::-1]


def test_deploy_says_which_versions_are_current(note: Path, call: Call) -> None:
    first = call("deploy")
    note.write_text(NOTE.replace("TEXT", "better"))
    second = call("deploy")

    assert first.out.startswith(
        "note: version 1 is current\nother: version 1 is current\nprefect.yaml: added note\n"
    )
    assert second.out == "note: version 2 is current\n"
    assert call("deploy").out == ""


def test_deploy_leaves_older_versions_alone_and_says_how_to_take_them(note: Path, call: Call) -> None:
    call("deploy")
    note.write_text(NOTE.replace("TEXT", "better"))
    call("deploy")
    note.write_text(NOTE)

    left = call("deploy")
    taken = call("deploy", "--back")

    assert left.out == "note: its file is version 1, which was current before; version 2 goes on\n"
    assert left.err.startswith("To take the older files: procession deploy --back\n")
    assert (left.code, taken.code, taken.out) == (0, 0, "note: version 1 is current\n")


def test_deploy_retires_what_has_no_file_only_if_it_is_told_to(note: Path, call: Call) -> None:
    call("deploy")
    note.unlink()

    left = call("deploy")
    pruned = call("deploy", "--prune")

    assert left.out == "note: its file is gone, version 1 goes on\n"
    assert left.err.startswith("To retire what has no file any more: procession deploy --prune\n")
    assert pruned.out == "note: it is retired, since its file is gone\nprefect.yaml: removed note\n"


def test_deploy_checks_what_is_not_published(note: Path, call: Call) -> None:
    call("deploy")
    assert call("deploy", "--check").code == 0
    note.write_text(NOTE.replace("TEXT", "better"))

    said = call("deploy", "--check", "--json")

    assert said.code == 1
    assert said.json["versions"] == [{"process": "note", "what": "new", "number": 0, "current": 1}]
    assert call("process", "list", "--json").json[0]["version"] == 1


def test_deploy_publishes_nothing_if_a_file_cannot_be_used(note: Path, call: Call) -> None:
    note.write_text(NOTE.replace("log_history", "log_histroy"))

    said = call("deploy")

    assert said.code == 2
    assert "Did you mean 'log_history'?" in said.err
    assert call("process", "list", "--json").json == []


def test_the_processes_are_listed_with_their_versions(note: Path, call: Call) -> None:
    call("deploy")
    note.write_text(NOTE.replace("TEXT", "better"))
    call("deploy")
    call("run", "note", "-i", "c=1", "--no-wait")

    shown, listed = call("process", "list"), call("process", "list", "--json").json

    assert [(one["process"], one["state"], one["version"], one["live"]) for one in listed] == [
        ("note", "current", 2, 1),
        ("other", "current", 1, 0),
    ]
    assert listed[0]["folder"].endswith(f":{note.parent.resolve()}")
    assert listed[0]["since"] > listed[1]["since"]
    assert shown.out.startswith("process   version   live   since")
    assert shown.err == "2 processes\n"


def test_a_retired_process_starts_nothing_and_its_instances_go_on(note: Path, call: Call) -> None:
    call("run", "note", "-i", "c=1", "--no-wait")

    said = call("process", "retire", "note")

    assert said.out == "note is retired: it starts nothing.\n"
    assert said.err == "1 instance of it not over: procession instances --process note\n"
    assert call("process", "retire", "note").out == "note is retired already.\n"
    again = call("run", "note", "-i", "c=1")
    assert again.code == 2
    assert again.err == (
        "note: its file is version 1, which was current before; no version of it is current. "
        "Publish it with: procession deploy --back\n"
    )
    assert [one["state"] for one in call("process", "list", "--json").json] == ["retired", "current"]
    assert call("deploy", "--back").out.startswith("note: version 1 is current\n")


def test_only_what_was_published_can_be_retired(note: Path, call: Call) -> None:
    call("deploy")

    assert call("process", "retire", "nott").err == (
        "No process 'nott' was ever published. Did you mean 'note'?\n"
    )
    assert call("process", "retire", "unheard_of").err == (
        "No process 'unheard_of' was ever published. See: procession process list\n"
    )


def test_a_retirement_is_told_to_programs(note: Path, call: Call) -> None:
    call("deploy")

    told = call("process", "retire", "note", "--json").json

    assert (told["process"], told["state"], told["version"], told["live"]) == ("note", "retired", None, 0)


# --- run


def test_run_publishes_first_and_starts_what_is_current(note: Path, call: Call) -> None:
    call("run", "note", "-i", "c=1")
    note.write_text(NOTE.replace("TEXT", "better"))
    call("run", "note", "-i", "c=1")
    note.write_text(NOTE)
    said = call("run", "note", "-i", "c=1")

    assert history(call) == ["TEXT", "better", "better"]
    assert said.err.startswith("note: its file is version 1, which was current before; version 2 goes on.\n")


def test_run_of_one_process_does_not_mind_the_mistakes_in_another(note: Path, call: Call) -> None:
    note.with_name("other.yaml").write_text(OTHER.replace("log_history", "log_histroy"))

    for command in ("simulate", "run"):
        assert call(command, "note", "-i", "c=1").code == 0
        broken = call(command, "other", "-i", "c=1")
        assert broken.code == 2
        assert "Did you mean 'log_history'?" in broken.err
        assert broken.err.endswith("1 problem in the file of 'other'.\n")


@pytest.mark.external_service
def test_with_postgresql_run_starts_what_was_deployed(note: Path, call: Call, on_postgresql: None) -> None:
    before = call("run", "note", "-i", "c=1")
    call("deploy")
    note.write_text(NOTE.replace("TEXT", "better"))
    said = call("run", "note", "-i", "c=1")

    assert before.err == (
        "note: its file is not published yet, no version of it is current. Publish it with: procession deploy\n"
    )
    assert history(call) == ["TEXT"]
    assert said.err.startswith("note: its file is not published yet, version 1 goes on.\n")


def test_a_database_on_a_server_is_published_to_by_deploy_alone(project: Path) -> None:
    local = application(project)
    (project / "procession.toml").write_text('database = "postgresql://crm@db.example.com/crm"\n')

    assert local.publishes
    assert not application(project).publishes


# --- serve


@pytest.mark.parametrize(
    ("options", "are_published"), [([], True), (["--publish"], True), (["--no-publish"], False)]
)
def test_serve_publishes_the_files_unless_it_is_told_not_to(
    note: Path, call: Call, serve: Call, options: list[str], are_published: bool
) -> None:
    serve(*options)

    assert published(call) == ["note", "other"] * are_published


@pytest.mark.external_service
@pytest.mark.parametrize(
    ("options", "are_published"), [([], False), (["--publish"], True), (["--no-publish"], False)]
)
def test_with_postgresql_serve_publishes_the_files_only_if_it_is_told_to(
    call: Call, on_postgresql: None, serve: Call, options: list[str], are_published: bool
) -> None:
    serve(*options)

    assert published(call) == ["note", "other"] * are_published


def test_serve_tells_which_files_do_not_run_and_why(
    note: Path, call: Call, caplog: pytest.LogCaptureFixture
) -> None:
    call("deploy")
    note.write_text(NOTE.replace("TEXT", "better"))
    call("deploy")
    note.write_text(NOTE)
    note.with_name("other.yaml").write_text(OTHER.replace("log_history", "log_histroy"))
    note.with_name("third.yaml").write_text(NOTE.replace("process: note", "process: third"))
    app = application()
    caplog.set_level(logging.INFO)

    tell_of_files(app.publish(Asked()))
    app.definitions.refresh()

    assert [record.getMessage() for record in caplog.records] == [
        "processes/other.yaml:6:5: steps/1/log_histroy: 'log_histroy' is not a key of a step. Did you mean 'log_history'?",
        "note: its file is version 1, which was current before; version 2 goes on",
        "other: its file cannot be used (1 problem), version 1 goes on",
        "third: version 1 is current",
    ]
    assert sorted(app.definitions.plans) == ["note", "other", "third"]
    app.close()


# --- doctor


def test_the_doctor_says_where_files_and_database_differ(note: Path, call: Call) -> None:
    call("deploy")
    note.write_text(NOTE.replace("TEXT", "better"))

    found = next(one for one in call("doctor", "--json").json if one["what"] == "current versions")

    assert found == {
        "what": "current versions", "state": "well",
        "found": "2 processes; note: its file is not published yet, version 1 goes on",
        "mend": "To publish new files: procession deploy; `procession serve` does it when it starts",
    }  # fmt: skip


def test_the_doctor_finds_a_current_version_that_this_program_cannot_run(
    note: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FUNCTIONS, "greet", lambda: "hello")
    note.write_text(NOTE.replace("- log_history: TEXT", "- call: {function: greet}"))
    call("deploy")
    monkeypatch.delitem(FUNCTIONS, "greet")

    said = call("doctor", "--json")

    found = next(one for one in said.json if one["what"] == "current versions")
    assert (said.code, found["state"]) == (1, "unwell")
    assert found["found"].startswith(
        "this program cannot run note, version 1: note.yaml:6:22: steps/1/call/function: there is no function 'greet'."
    )
    assert found["mend"].endswith("its engine starts nothing, and leaves that to engines that can.")


def test_a_current_version_that_this_program_cannot_run_is_not_run_by_hand(
    note: Path, call: Call, monkeypatch: pytest.MonkeyPatch, published_by_deploy: None
) -> None:
    monkeypatch.setitem(FUNCTIONS, "greet", lambda: "hello")
    note.write_text(NOTE.replace("- log_history: TEXT", "- call: {function: greet}"))
    call("deploy")
    monkeypatch.delitem(FUNCTIONS, "greet")

    said = call("run", "note", "-i", "c=1")

    assert said.code == 2
    assert said.err.startswith("This program cannot run 'note': version 1: note.yaml:6:22: ")
