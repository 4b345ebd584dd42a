"""A mail template cannot take the engine along: it is filled in a process of its own, within limits."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import mail_world as world
import psutil
import pytest
from prefect_world import eventually

from procession.absent import Outputs
from procession.confined.child import Child
from procession.confined.filling import KEPT
from procession.confined.limits import Limits
from procession.confined.mails import ConfinedTemplates
from procession.confined.pool import Pool
from procession.errors import ExpressionError, PermanentError, ProcessionError
from procession.mail import Templates
from procession.mail.library import read_files
from procession.ports import Rendered, Renderer

TEN = "{% set ten = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] %}"
CRASH = "{% for i in range(3000) %}<table><tr><td>{% endfor %}"
NATIVE = "{{ 42 | round(-1000000000) }}"
"""Ten to the power of a thousand millions, in one step of C."""
BOMB = "{% set a = 'sixteen letters.' %}" + "{% set a = a ~ a %}" * 30
A_SECOND = 1
"""Of CPU; a child that has used as much has long been ready, and is at its mail."""
BAD_STATES = {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}


def rounds(power: int) -> str:
    """Goes round so many times ten times ten …; nine are a matter of minutes."""
    return TEN + "".join(f"{{% for i{n} in ten %}}" for n in range(power)) + "{% endfor %}" * power + "done"


@pytest.fixture
def pools() -> Iterator[Callable[..., Pool]]:
    made: list[Pool] = []

    def pool(
        seconds: float = 30, memory_mb: int = 512, processes: int = 2, *, repeatable: bool = False
    ) -> Pool:
        made.append(Pool("mails", Limits("rendering", seconds, memory_mb, processes), repeatable=repeatable))
        return made[-1]

    yield pool
    for one in made:
        one.close()


@pytest.fixture(scope="module")
def warm() -> Iterator[Pool]:
    pool = Pool("mails", Limits("rendering", 30, 512))
    yield pool
    pool.close()


def template(body: str, pool: Pool, kind: str = "html") -> ConfinedTemplates:
    return ConfinedTemplates({"mail/subject.txt.j2": "Hello", f"mail/body.{kind}.j2": body}, pool)


def fill(templates: Renderer, **given: Any) -> Rendered:
    return templates.render("mail", world.names(**given), language="en", timezone="UTC")


def is_well(pool: Pool) -> bool:
    return fill(template("<p>{{ meeting.subject }}</p>", pool)).text == "The offer\n"


def children() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if child.status() not in BAD_STATES]


def in_the_background(what: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    found: list[object] = []

    def run() -> None:
        try:
            found.append(what())
        except ProcessionError as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, found


# What goes wrong in a template is the error of that mail


@pytest.mark.parametrize(
    ("body", "limits", "why"),
    [
        (CRASH, {}, "its process crashed (SIGSEGV)"),
        (rounds(9), {"seconds": 0.5}, "it takes longer than 0.5 s (rendering.timeout_seconds)"),
        (NATIVE, {"seconds": 0.5}, "it takes longer than 0.5 s (rendering.timeout_seconds)"),
        (BOMB, {"memory_mb": 200}, "it takes more memory than 200 MB (rendering.memory_mb)"),
    ],
    ids=["crash", "loop", "native", "bomb"],
)
def test_a_mail_that_breaks_its_process_is_an_error_that_says_why_and_the_next_is_filled(
    pools: Callable[..., Pool], body: str, limits: dict[str, Any], why: str
) -> None:
    pool = pools(**limits)
    assert is_well(pool)

    with pytest.raises(PermanentError) as raised:
        fill(template(body, pool))

    assert raised.value.message == f"mail template 'mail' cannot be filled: {why}"
    assert raised.value.hint.startswith("Look for loops inside of loops")
    assert is_well(pool)


@pytest.mark.parametrize(
    "body",
    [
        "{{ meeting.nope }}",
        "{{ meeting.end }}{{ meeting.contact.nobody.name }}",
        "\n\n  {{ 'x' | datetime }}",
        "{% include 'other.html.j2' %}",
        "{% if %}",
        "{% for i in range(10001) %}{% endfor %}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    ],
)
def test_an_error_of_a_template_is_the_same_as_in_one_process(warm: Pool, body: str) -> None:
    files = {"mail/subject.txt.j2": "Hello", "mail/body.html.j2": body}
    with pytest.raises(ExpressionError) as here:
        fill(Templates.of_files(files))

    with pytest.raises(ExpressionError) as there:
        fill(ConfinedTemplates(files, warm))

    told = [(type(e), e.message, e.hint, e.at, str(e)) for e in (here.value, there.value)]
    assert told[0] == told[1]
    assert there.value.at is not None


def test_a_template_that_is_not_there_is_the_same_error_too(warm: Pool) -> None:
    with pytest.raises(ExpressionError, match=r"^there is no mail template 'mial'$") as raised:
        template("x", warm).render("mial", {}, language="en", timezone="")

    assert raised.value.hint == "Did you mean 'mail'?"


# What it gives is what it gave


@pytest.mark.parametrize("language", ["en", "de", "fr"])
@pytest.mark.parametrize(
    "name", ["meeting_new", "meeting_cancelled", "welcome_contact", "proposal_follow_up"]
)
def test_a_mail_is_the_same_as_in_one_process(warm: Pool, name: str, language: str) -> None:
    files = read_files(world.SHIPPED)
    here, there = Templates.of_files(files), ConfinedTemplates(files, warm)
    names = {**world.names(), "outputs": Outputs(), "vars": {}}

    mails = [one.render(name, names, language=language, timezone="Europe/Berlin") for one in (here, there)]

    assert mails[0] == mails[1]


def test_now_is_the_moment_of_the_engine(warm: Pool) -> None:
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)

    mail = fill(template("{{ now() | datetime }}", warm, "txt"), now=lambda: noon)

    assert mail.text == "March 1, 2026, 12:00 PM\n"


def test_the_outputs_of_a_step_that_was_not_taken_are_empty(warm: Pool) -> None:
    outputs = Outputs({"found": {"count": 3}, "other": {"count": lambda: "stays here"}})
    body = "{{ outputs.found.count }}{% if outputs.skipped.count is none %} none{% endif %}"

    assert fill(template(body, warm, "txt"), outputs=outputs).text == "3 none\n"


def test_what_no_file_of_the_mail_reads_is_not_handed_over(warm: Pool) -> None:
    cannot_be_handed_over = lambda: 0  # noqa: E731

    mail = fill(template("{{ meeting.subject }}", warm), other=cannot_be_handed_over)

    assert mail.text == "The offer\n"


def test_the_zones_are_those_of_the_locked_tzdata_and_no_secret_is_handed_over(
    pools: Callable[..., Pool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMTP_SECRET", "hunter2")
    monkeypatch.setenv("PYTHONTZPATH", "/usr/share/zoneinfo")
    pool = pools()
    assert is_well(pool)

    (pid,) = pool.pids()
    environment = psutil.Process(pid).environ()

    assert environment["PYTHONTZPATH"] == ""
    assert "SMTP_SECRET" not in environment


# Whoever kills a child from outside


def test_a_child_that_is_killed_while_it_fills_a_mail_costs_one_more_try(pools: Callable[..., Pool]) -> None:
    pool = pools()
    assert is_well(pool)
    (pid,) = pool.pids()
    thread, mails = in_the_background(lambda: fill(template(rounds(8), pool, "txt")))
    eventually(lambda: psutil.Process(pid).cpu_times().user > A_SECOND)

    os.kill(pid, signal.SIGKILL)
    thread.join(20)

    assert [mail.text for mail in mails if isinstance(mail, Rendered)] == ["done\n"]
    assert pid not in pool.pids()


def test_a_mail_whose_child_is_killed_twice_is_an_error(pools: Callable[..., Pool]) -> None:
    pool = pools()
    assert is_well(pool)
    others = {child.pid for child in children()} - {*pool.pids()}  # of tests before, some of them busy once
    thread, errors = in_the_background(lambda: fill(template(rounds(9), pool)))
    for _ in range(2):
        child = eventually(
            lambda: [one for one in children() if one.pid not in others and one.cpu_times().user > A_SECOND]
        )[0]
        child.kill()
        eventually(lambda child=child: not child.is_running() or child.status() in BAD_STATES)
    thread.join(20)

    assert [str(error) for error in errors] == [
        "mail template 'mail' cannot be filled: its process was killed (SIGKILL)"
    ]
    assert is_well(pool)


def test_a_child_that_is_killed_while_it_has_nothing_to_do_is_replaced(pools: Callable[..., Pool]) -> None:
    pool = pools()
    assert is_well(pool)
    (pid,) = pool.pids()

    os.kill(pid, signal.SIGKILL)

    assert is_well(pool)
    assert pool.pids() != [pid]


def test_a_child_that_does_not_run_is_not_the_fault_of_the_mail(pools: Callable[..., Pool]) -> None:
    pool = pools(seconds=0.3)
    assert is_well(pool)
    (pid,) = pool.pids()

    os.kill(pid, signal.SIGSTOP)

    assert is_well(pool)
    assert pool.pids() != [pid]


def test_who_stops_the_engine_may_signal_its_children_too(pools: Callable[..., Pool]) -> None:
    pool = pools()
    assert is_well(pool)
    (pid,) = pool.pids()

    for number in (signal.SIGTERM, signal.SIGINT):
        os.kill(pid, number)

    assert is_well(pool)
    assert pool.pids() == [pid]


def test_what_earlier_mails_left_in_memory_is_not_the_fault_of_the_next(pools: Callable[..., Pool]) -> None:
    pool = pools(memory_mb=200)
    takes = (
        "{% set a = 'sixteen letters.' %}" + "{% set a = a ~ a %}" * 23 + rounds(5)
    )  # 134 MB, and some time
    fill(template(takes, pool, "txt"))

    assert fill(template(takes, pool, "txt")).text == "done\n"


@pytest.mark.parametrize(
    ("body", "tries"), [(CRASH, 2), (rounds(9), 1), (BOMB, 2)], ids=["crash", "loop", "bomb"]
)
def test_a_mail_that_breaks_its_process_is_tried_once_more_at_most(
    pools: Callable[..., Pool], monkeypatch: pytest.MonkeyPatch, body: str, tries: int
) -> None:
    asked: list[int] = []

    class Counted(Child):
        def ask(self, request: bytes) -> bytes:
            asked.append(self.pid)
            return super().ask(request)

    monkeypatch.setattr("procession.confined.pool.Child", Counted)
    pool = pools(seconds=1, memory_mb=200)
    poisonous = ConfinedTemplates(
        {
            "mail/subject.txt.j2": "Hello",
            "mail/body.html.j2": "{% if poison %}" + body + "{% else %}fine{% endif %}",
        },
        pool,
    )
    fill(poisonous, poison=False)

    with pytest.raises(PermanentError):
        fill(poisonous, poison=True)

    assert len(asked) - 1 == tries


def test_templates_that_a_child_does_not_keep_any_more_are_handed_over_again(
    pools: Callable[..., Pool],
) -> None:
    pool = pools()
    first = template("first", pool)
    for number in range(KEPT + 1):
        fill(first if not number else template(str(number), pool, "txt"))

    assert fill(first).text == "first\n"


# Children and their parent


def test_two_threads_fill_two_mails_at_the_same_time_and_a_third_waits(pools: Callable[..., Pool]) -> None:
    pool = pools()
    before = len(children())
    slow = template(rounds(8), pool, "txt")
    running = [in_the_background(lambda: fill(slow)) for _ in range(3)]

    eventually(lambda: len(children()) - before == 2)
    for thread, _ in running:
        thread.join(30)
    after = len(children())

    assert [mail.text for _, found in running for mail in found if isinstance(mail, Rendered)] == [
        "done\n"
    ] * 3
    assert (after - before, len(pool.pids())) == (2, 2)


def test_a_mail_among_hundreds_has_its_turn_with_the_child_that_fills_them_and_waits_for_no_new_one(
    pools: Callable[..., Pool], monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = pools(repeatable=True)
    many, one = template("{{ meeting.subject }}", pool), template("urgent", pool, "txt")
    fill(many)
    is_over = threading.Event()

    def fill_many() -> None:
        while not is_over.is_set():
            fill(many)

    monkeypatch.setattr("procession.confined.child.START_SECONDS", 60)
    monkeypatch.setattr(pool, "_new", lambda: pytest.fail("it waits for a new child"))
    monkeypatch.setattr(pool, "_hatch", lambda _request: None)
    monkeypatch.setattr("procession.confined.pool.PATIENCE_SECONDS", 60)
    thread = threading.Thread(target=fill_many)
    thread.start()
    filled = [fill(one).text for _ in range(20)]
    is_over.set()
    thread.join()

    assert filled == ["urgent\n"] * 20


def test_a_second_child_joins_when_it_has_filled_a_mail(pools: Callable[..., Pool]) -> None:
    pool = pools(repeatable=True)
    assert is_well(pool)
    slow = template(rounds(7), pool, "txt")
    running = [in_the_background(lambda: fill(slow)) for _ in range(2)]

    for thread, _ in running:
        thread.join(30)

    assert [mail.text for _, found in running for mail in found if isinstance(mail, Rendered)] == [
        "done\n"
    ] * 2
    eventually(lambda: len(pool.pids()) == 2)
    assert is_well(pool)


PARENT = """
import json, sys, threading, psutil
from procession.confined.child import Child
from procession.confined.filling import KEPT
from procession.confined.limits import Limits
from procession.confined.mails import ConfinedTemplates
from procession.confined.pool import Pool
pool = Pool("mails", Limits("rendering", 60, 512))
pool.greeting()
(pid,) = pool.pids()
body = sys.stdin.readline()
if body.strip():
    templates = ConfinedTemplates({"mail/subject.txt.j2": "x", "mail/body.txt.j2": body}, pool)
    threading.Thread(target=templates.render, args=("mail", {}), kwargs={"language": "en", "timezone": ""}).start()
    while psutil.Process(pid).cpu_times().user < 0.5: pass
print(pid, flush=True)
threading.Event().wait()
"""


@pytest.mark.parametrize("body", ["", rounds(9), NATIVE], ids=["idle", "loop", "native"])
def test_a_child_ends_with_its_parent_whatever_it_is_at(body: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        try:
            parent.stdin.write(f"{body}\n")
            parent.stdin.flush()
            child = psutil.Process(json.loads(parent.stdout.readline()))
            assert child.status() not in BAD_STATES
        finally:
            parent.kill()
    eventually(lambda: not child.is_running() or child.status() in BAD_STATES, 5)


def test_children_end_when_the_pool_is_closed_and_others_start_when_needed(
    pools: Callable[..., Pool],
) -> None:
    pool = pools()
    assert is_well(pool)
    (pid,) = pool.pids()

    pool.close()

    assert not psutil.pid_exists(pid)
    assert is_well(pool)
