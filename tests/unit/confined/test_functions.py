"""A function of the application cannot take the engine along: it is called in a process of its own, within limits."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest
from office import Office
from prefect_world import eventually
from registered_functions import FUNCTIONS

from procession.confined.functions import check_importable, confined, functions_pool
from procession.confined.limits import Limits
from procession.confined.pool import Pool
from procession.errors import ConfigurationError, PermanentError, ProcessionError, TemporaryError
from procession.records import Record, Ref, fields_of

REGISTRY = "registered_functions:FUNCTIONS"


def made(seconds: float = 30, memory_mb: int = 512, registry: str = REGISTRY) -> Pool:
    return functions_pool(registry, Limits("functions", seconds, memory_mb))


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    found = made()
    yield found
    found.close()


@pytest.fixture
def functions(pool: Pool) -> Mapping[str, Any]:
    return confined(FUNCTIONS, pool)


def test_a_function_is_called_in_another_process_with_its_arguments(functions: Mapping[str, Any]) -> None:
    at = datetime(2026, 3, 6, 9, tzinfo=UTC)
    record = Record(Ref("contact", 3), {"name": "Ann", "of": Record(Ref("account", 1), {"name": "Acme"})})

    found = functions["about"](number=7, at=at, record=record, many=("a", None))

    assert found["args"] == {"number": 7, "at": at, "record": record, "many": ("a", None)}
    assert fields_of(found["args"]["record"].of)["name"] == "Acme"
    assert found["process"] != os.getpid()


def test_it_sees_the_environment_as_an_applications_own_code_may_need_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SECRET_OF_A_FUNCTION", "hunter2")
    pool = made()

    assert confined(FUNCTIONS, pool)["about"]()["secret"] == "hunter2"
    pool.close()


def test_its_name_in_the_registry_is_enough(functions: Mapping[str, Any]) -> None:
    assert functions["nameless"]() == "as good as any"


def test_what_it_prints_is_no_answer(functions: Mapping[str, Any]) -> None:
    assert functions["say"]() == "said"


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("fail", PermanentError, "function 'fail' failed: no luck today"),
        ("crash", PermanentError, "function 'crash' failed: its process crashed (SIGSEGV)"),
        (
            "close_all_files",
            PermanentError,
            "function 'close_all_files' failed: its process closed all its files",
        ),
        (
            "give_what_nobody_can_keep",
            PermanentError,
            "function 'give_what_nobody_can_keep' failed: object cannot be kept in the journal",
        ),
        ("be_busy", TemporaryError, "come again"),
    ],
)
def test_its_failure_is_an_error_of_the_step(
    functions: Mapping[str, Any], name: str, kind: type[ProcessionError], message: str
) -> None:
    with pytest.raises(kind) as raised:
        functions[name]()

    assert (type(raised.value), raised.value.message) == (kind, message)
    assert raised.value.hint == ("Tomorrow." if name == "be_busy" else "")
    assert functions["say"]() == "said"


def test_one_that_ends_its_process_was_called_once(functions: Mapping[str, Any], tmp_path: Path) -> None:
    marks = tmp_path / "marks"

    with pytest.raises(PermanentError, match=r"^function 'leave' failed: its process ended \(exit code 3\)$"):
        functions["leave"](marks=str(marks))

    assert marks.read_text() == "called\n"


def test_what_it_leaves_behind_ends_with_it(functions: Mapping[str, Any], tmp_path: Path) -> None:
    marks = tmp_path / "marks"

    with pytest.raises(PermanentError, match=r"its process ended \(exit code 3\)$"):
        functions["leave_others_behind"](marks=str(marks))

    left = int(marks.read_text())
    eventually(lambda: not psutil.pid_exists(left) or psutil.Process(left).status() == psutil.STATUS_ZOMBIE)


def test_one_that_takes_too_long_may_be_quicker_another_time() -> None:
    pool = made(seconds=0.3)

    with pytest.raises(TemporaryError) as raised:
        confined(FUNCTIONS, pool)["sleep_for_ever"]()

    assert raised.value.message == (
        "function 'sleep_for_ever' failed: it takes longer than 0.3 s (functions.timeout_seconds)"
    )
    pool.close()


def test_one_that_takes_too_much_memory_is_stopped() -> None:
    pool = made(memory_mb=100)

    with pytest.raises(PermanentError) as raised:
        confined(FUNCTIONS, pool)["take_memory"]()

    assert raised.value.message == (
        "function 'take_memory' failed: it takes more memory than 100 MB (functions.memory_mb)"
    )
    pool.close()


def test_functions_that_another_process_does_not_find_are_refused(pool: Pool) -> None:
    check_importable(FUNCTIONS, pool)

    with pytest.raises(ConfigurationError) as raised:
        check_importable([*FUNCTIONS, "added_later"], pool)

    assert raised.value.message == "another process that imports the functions does not find added_later"
    assert raised.value.hint.startswith("Register every function in flows/functions.py itself")


def test_a_registry_that_cannot_be_imported_is_the_operators_matter() -> None:
    pool = made(registry="registered_functions:NOWHERE")

    with pytest.raises(ConfigurationError) as raised:
        check_importable(FUNCTIONS, pool)

    assert raised.value.message == (
        "the process for functions:registered_functions:NOWHERE cannot be used: its process ended (exit code 1) while"
        " it started"
    )


def test_a_step_whose_function_breaks_its_process_fails_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("office.FUNCTIONS", tuple(FUNCTIONS))
    office, pool = Office(tmp_path), made(seconds=0.5)
    office.ports = replace(office.ports, functions=confined(FUNCTIONS, pool))
    office.deploy("""\
    process: ask
    inputs: {about: {type: record, of: contact}}
    triggers: [{record: contact, events: [added], inputs: {about: "{{ record }}"}}]
    history: {on: "{{ about }}"}
    steps:
      - id: crash
        if: about.name == 'Crash'
        call: {function: crash}
      - id: wait
        if: about.name == 'Sleep'
        call: {function: sleep_for_ever}
      - id: ask
        call: {function: about, args: {number: 7}}
      - log_history: "{{ outputs.ask.value.args.number }}"
    """)
    for name in ("Crash", "Sleep", "Well"):
        office.given(name, "contact", name=name)

    office.work()
    pool.close()

    assert office.states() == ["incident", "incident", "completed"]
    assert [instance.error["message"] for instance in office.instances() if instance.error] == [
        "function 'crash' failed: its process crashed (SIGSEGV)",
        "function 'sleep_for_ever' failed: it takes longer than 0.5 s (functions.timeout_seconds)",
    ]
    assert [row.text for row in office.history("Well")][-1:] == ["7"]
