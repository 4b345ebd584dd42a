"""`procession demo` shows the main job on real parts, and says so to programs too."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.acceptance


def demo(*options: str) -> "subprocess.CompletedProcess[str]":
    program = Path(sys.executable).parent / "procession"
    return subprocess.run(
        [program, "demo", *options], capture_output=True, text=True, check=False, timeout=180
    )


def test_a_saved_meeting_becomes_a_mail_a_line_of_history_and_a_run() -> None:
    done = demo("--json")

    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    (mail,), (row,), (run,) = told["emails"], told["history"], told["flow_runs"]
    assert mail["to"] == "Nora Williams <nora.williams@northwind.example>"
    assert mail["message_id"].endswith("@demo.example>")
    assert mail["subject"] in row["text"]
    assert (row["delivery"], row["actor"]["process"]) == ("sent", "notify_contact_of_meeting")
    assert run["state"] == "COMPLETED"
    assert run["name"].startswith("Notify contact of meeting: Cold chain")
    assert told["seconds"]["first_mail"] < 10


def test_many_meetings_become_as_many_mails_each_once() -> None:
    done = demo("--count", "60", "--json")

    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert len({mail["message_id"] for mail in told["emails"]}) == len(told["emails"]) == 60
    assert len({row["activity"] for row in told["history"]}) == len(told["history"]) == 60
    assert {run["state"] for run in told["flow_runs"]} == {"COMPLETED"}


def test_the_demo_tells_people_what_happens_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("PROCESSION_SMTP_HOST", "mail.example.com")
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")

    done = demo()

    assert done.returncode == 0
    for part in (
        "Bob Carter plans a meeting with Nora Williams", "activity:11 was added → notify_contact_of_meeting #1",
        "Subject: Meeting on ", "History of opportunity:4", "/runs/flow-run/", "One mail, one line of History, one run.",
    ):  # fmt: skip
        assert part in done.stdout
    assert list(tmp_path.iterdir()) == []
