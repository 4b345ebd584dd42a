"""Records, History and mail from the command line, on a real store."""

import os
import stat
import unicodedata
from datetime import UTC, datetime
from pathlib import Path

import pytest

from procession.testing.inbox import Inbox

from .conftest import Call


@pytest.fixture
def inbox(monkeypatch: pytest.MonkeyPatch) -> Inbox:
    with Inbox() as server:
        monkeypatch.setenv("PROCESSION_SMTP_HOST", server.host)
        monkeypatch.setenv("PROCESSION_SMTP_PORT", str(server.port))
        monkeypatch.setenv("PROCESSION_SMTP_SECURITY", "none")
        yield server


def test_a_meeting_is_saved_with_its_fields_typed(project: Path, call: Call) -> None:
    said = call(
        "crm", "save", "meeting", "--subject=First talk", "--contact", "contact:1", "--opportunity", "2",
        "--start", "2026-03-06T10:00+01:00", "--all-day", "no", "--json",
    )  # fmt: skip

    assert said.code == 0
    assert {name: said.json[name] for name in ("type", "is_meeting", "status", "start", "contact", "all_day")} == {
        "type": "task", "is_meeting": True, "status": "planned", "start": "2026-03-06T09:00:00+00:00",
        "contact": {"ref": "contact:1", "name": "Ann Becker"}, "all_day": False,
    }  # fmt: skip


def test_a_moment_may_be_counted_from_now(project: Path, call: Call) -> None:
    saved = call("crm", "save", "call", "--subject", "Call back", "--due", "+2 days", "--json").json

    away = datetime.fromisoformat(saved["due"]) - datetime.fromisoformat(saved["created_at"])
    assert abs(away.total_seconds() - 2 * 86400) < 60


def start_of(call: Call, *words: str) -> str:
    saved = call("crm", "save", *words, "--json")
    assert saved.code == 0, saved.err
    return str(saved.json["start"])


def test_a_moment_that_names_no_zone_is_one_of_the_record_else_of_its_owner_else_of_the_settings(
    project: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the zone of the machine: a server's is UTC."""
    monkeypatch.setenv("PROCESSION_TIMEZONE", "America/New_York")
    call("crm", "save", "user:1", "--timezone", "Europe/Berlin")
    call("crm", "save", "user:2", "--timezone", "Asia/Tokyo")
    new = ("meeting", "--subject", "x", "--start", "2026-12-01T10:00")

    assert (
        start_of(call, *new, "--owner", "user:1", "--timezone", "Asia/Kolkata") == "2026-12-01T04:30:00+00:00"
    )
    assert start_of(call, *new, "--owner", "user:1") == "2026-12-01T09:00:00+00:00"
    assert start_of(call, *new) == "2026-12-01T15:00:00+00:00"
    made = call("crm", "save", *new, "--owner", "user:1", "--json").json["ref"]
    assert start_of(call, made, "--start", "2026-12-02T10:00") == "2026-12-02T09:00:00+00:00"
    assert (
        start_of(call, made, "--owner", "user:2", "--start", "2026-12-02T10:00")
        == "2026-12-02T09:00:00+00:00"
    )
    assert (
        start_of(call, made, "--timezone", "UTC", "--start", "2026-12-02T10:00")
        == "2026-12-02T10:00:00+00:00"
    )
    assert start_of(call, made, "--start", "2026-12-02T11:00") == "2026-12-02T11:00:00+00:00"


def test_a_meeting_stays_in_its_zone_when_it_is_given_to_somebody_else(
    project: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    call("crm", "save", "user:1", "--timezone", "Europe/Berlin")
    call("crm", "save", "user:2", "--timezone", "America/New_York")
    made = call(
        "crm",
        "save",
        "meeting",
        "--subject",
        "x",
        "--owner",
        "user:1",
        "--all-day",
        "--start",
        "2026-03-06",
        "--json",
    ).json["ref"]

    given = call("crm", "save", made, "--owner", "user:2", "--json").json
    assert (given["start"], given["timezone"]) == ("2026-03-05T23:00:00+00:00", "Europe/Berlin")
    both = ("--owner", "user:2", "--timezone", "Europe/Berlin", "--start", "2026-03-06 10:00")
    assert start_of(call, made, *both) == "2026-03-06T09:00:00+00:00"
    assert start_of(call, made, "--start", "2026-03-06 11:00") == "2026-03-06T10:00:00+00:00"
    assert (
        start_of(call, made, "--timezone", "", "--start", "2026-03-06 11:00") == "2026-03-06T16:00:00+00:00"
    )


def test_a_meeting_in_the_zone_of_the_settings_keeps_it(
    project: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROCESSION_TIMEZONE", "Pacific/Auckland")
    made = call(
        "crm", "save", "meeting", "--subject", "x", "--all-day", "--start", "2026-12-01", "--json"
    ).json

    assert (made["start"], made["timezone"]) == ("2026-11-30T11:00:00+00:00", "Pacific/Auckland")
    assert "2026-12-01 00:00 NZDT" in call("crm", "show", made["ref"]).out
    assert "2026-12-01 00:00 NZDT" in call("crm", "list", "meetings", "--limit", "100").out


def test_a_time_that_comes_twice_is_named(project: Path, call: Call) -> None:
    call("crm", "save", "user:1", "--timezone", "Europe/Berlin")

    said = call("crm", "save", "call", "--subject", "x", "--owner", "user:1", "--due", "2026-10-25T02:30")

    assert (said.code, said.err) == (
        2,
        (
            "--due: '2026-10-25T02:30:00' comes twice in Europe/Berlin, whose clocks are put back then. "
            "Write 2026-10-25T02:30+02:00 for the first, 2026-10-25T02:30+01:00 for the second.\n"
        ),
    )


def test_a_zone_that_is_none_is_named_before_any_moment_is_read_in_it(project: Path, call: Call) -> None:
    said = call("crm", "save", "call", "--subject", "x", "--timezone", "Berlin", "--due", "2026-10-25T02:30")

    assert (said.code, said.err) == (
        2,
        "--timezone: there is no time zone 'Berlin'. Did you mean 'Europe/Berlin'?\n",
    )


def test_a_record_is_changed_and_deleted(project: Path, call: Call) -> None:
    assert call("crm", "save", "opportunity:2", "--stage", "won").out.startswith("Changed opportunity:2: ")
    again = call("crm", "save", "opportunity:2", "--stage", "won")
    assert again.out.startswith("Nothing changed in opportunity:2: ")
    assert call("crm", "show", "opportunity:2", "--json").json["stage"] == "won"
    assert call("crm", "save", "opportunity:2", "--amount", "").code == 0
    assert call("crm", "show", "opportunity:2", "--json").json["amount"] is None

    assert call("crm", "delete", "activity:1").out.startswith("Deleted activity:1: ")

    assert call("crm", "show", "activity:1").code == 2


def test_lists_are_filtered_and_sorted(project: Path, call: Call) -> None:
    rows = call("crm", "list", "opportunities", "-w", "stage=proposal", "--order", "-amount", "--json").json

    assert [row["amount"] for row in rows] == sorted((row["amount"] for row in rows), reverse=True)
    assert {row["stage"] for row in rows} == {"proposal"}


def test_a_list_says_whether_there_are_more(project: Path, call: Call) -> None:
    assert call("crm", "list", "users", "--limit", "3").err.endswith("3 users (there are more: --limit).\n")
    assert call("crm", "list", "users", "--limit", "4").err.endswith("4 users.\n")
    assert len(call("crm", "list", "users", "--limit", "3", "--json").json) == 3


def test_customers_and_their_mails_are_for_the_owner_of_the_project_alone(tmp_path: Path, call: Call) -> None:
    before = os.umask(0o022)
    try:
        assert call("init", str(tmp_path / "new")).code == 0
    finally:
        os.umask(before)

    data = tmp_path / "new" / ".procession"
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in data.glob("*.sqlite*")} == {0o600}


HOSTILE = "Acme\x1b[2J\x1b]0;owned\x07 \x9b31m\x08\u202egro\r"


@pytest.mark.parametrize("line", [
    "crm list accounts -w name=hostile", "crm show {account}", "history {account}", "crm list meetings --limit 100", "crm show {meeting}",
    "email show {mail}", "email list --state draft", "crm show account:{wrong}",
])  # fmt: skip
def test_a_text_of_a_record_moves_nothing_on_the_terminal(project: Path, call: Call, line: str) -> None:
    account = call("crm", "save", "account", "--name", HOSTILE, "--json").json["ref"]
    meeting = call(
        "crm",
        "save",
        "meeting",
        "--subject",
        HOSTILE,
        "--account",
        account,
        "--contact",
        "contact:1",
        "--json",
    ).json["ref"]
    mail = call(
        "email",
        "new",
        "--to",
        "contact:1",
        "--subject",
        HOSTILE,
        "--text",
        HOSTILE,
        "--connected-to",
        account,
        "--json",
    ).json["mail"]

    said = call(*line.format(account=account, meeting=meeting, mail=mail, wrong=HOSTILE).split(" "))

    shown = said.out + said.err
    assert [ch for ch in shown if unicodedata.category(ch) == "Cc" and ch not in "\n\t"] == []
    assert "\u202e" not in shown


@pytest.mark.parametrize(("amount", "problem"), [
    ("50.000", "--amount: '50.000' may be 50 or 50000. Write 50 or 50000.\n"),
    ("1.234", "--amount: '1.234' may be 1.234 or 1234. Write 1.2340 or 1234.\n"),
    ("50,000", "--amount: '50,000' is no number. Write it as 3 or 12.5.\n"),
])  # fmt: skip
def test_an_amount_that_may_be_two_is_named(project: Path, call: Call, amount: str, problem: str) -> None:
    said = call("crm", "save", "opportunity:2", "--amount", amount)

    assert (said.code, said.err) == (2, problem)


@pytest.mark.parametrize(
    ("amount", "value"),
    [("50", 50), ("0.125", 0.12), ("1.2340", 1.23), ("-12.5", -12.5), ("1234.500", 1234.5)],
)
def test_an_amount_that_can_only_be_one_is_taken(
    project: Path, call: Call, amount: str, value: float
) -> None:
    assert call("crm", "save", "opportunity:2", f"--amount={amount}", "--json").json["amount"] == value


def test_a_record_is_named_as_people_name_it(project: Path, call: Call) -> None:
    made = call(
        "crm", "save", "meeting", "--subject", "x", "--owner", "Anna Berg", "--contact", "ann.becker@acme.example",
        "--opportunity", "Press line for plant 2", "--json",
    ).json  # fmt: skip

    assert (made["owner"]["ref"], made["contact"]["ref"], made["opportunity"]["ref"]) == (
        "user:1", "contact:1", "opportunity:1",
    )  # fmt: skip
    assert [row["ref"] for row in call("crm", "list", "meetings", "-w", "owner=Anna Berg", "--json").json][
        -1
    ] == made["ref"]


@pytest.mark.parametrize(("owner", "problem"), [
    ("Ana Berg", "--owner: there is no user 'Ana Berg'. Did you mean 'Anna Berg'?\n"),
    ("nobody@else.example", "--owner: there is no user 'nobody@else.example'. See: procession crm list user\n"),
    ("user:Anna", "--owner: 'user:Anna' is no record of user. Write it as user:17.\n"),
    ("Bob Twice", "--owner: there are 2 records called 'Bob Twice'. Write user:5 or user:6.\n"),
])  # fmt: skip
def test_a_name_that_is_nobodys_or_of_several_is_told(
    project: Path, call: Call, owner: str, problem: str
) -> None:
    for number in (1, 2):
        call("crm", "save", "user", "--name", "Bob Twice", "--email", f"bob{number}@us.example")

    said = call("crm", "save", "meeting", "--subject", "x", "--owner", owner, "--start", "2026-12-01T10:00")

    assert (said.code, said.err) == (2, problem)


def test_sample_data_starts_no_process(project: Path) -> None:
    from flows.wiring import application

    with application(project).store.unit(write=False) as unit:
        assert not unit.journal.glance(datetime.now(UTC)).pending


def test_sample_data_is_never_added_to_data_of_ones_own(
    tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROCESSION_DATABASE", f"sqlite:///{tmp_path}/shared.sqlite")
    assert call("init", str(tmp_path / "one"), "--empty").code == 0
    assert call("-C", str(tmp_path / "one"), "crm", "save", "contact", "--name", "Eve").code == 0

    said = call("init", str(tmp_path / "two"))

    assert "the database holds data already: no sample data was added" in said.err
    assert len(call("-C", str(tmp_path / "two"), "crm", "list", "contacts", "--json").json) == 1


def test_a_mail_by_hand_is_a_draft_until_it_is_sent(project: Path, call: Call, inbox: Inbox) -> None:
    draft = call(
        "email", "new", "--to", "contact:1", "--connected-to", "opportunity:1", "--subject", "Grüße",
        "--text", "See you on Friday.", "--from", "user:1", "--json",
    ).json  # fmt: skip
    assert (draft["state"], inbox.mails) == ("draft", [])

    said = call("email", "send", str(draft["mail"]))

    assert said.out == "Sent to ann.becker@acme.example.\n"
    (mail,) = inbox.mails
    assert (mail.subject, mail.text.strip(), mail.message_id) == (
        "Grüße",
        "See you on Friday.",
        draft["message_id"],
    )
    assert mail.message["Auto-Submitted"] is None
    rows = call("history", "opportunity:1", "--json").json
    assert [(row["text"], row["actor"]["name"], row["delivery"]) for row in rows] == [
        ("E-mail “Grüße” sent by hand", "anna", "sent"),
        ("Drafted e-mail “Grüße” to Ann Becker", "anna", "sent"),
    ]


def test_a_mail_is_sent_once_however_often_one_asks(project: Path, call: Call, inbox: Inbox) -> None:
    number = str(
        call("email", "new", "--to", "contact:1", "--subject", "a", "--text", "b", "--json").json["mail"]
    )
    call("email", "send", number)

    said = call("email", "send", number)

    assert (
        said.err == f"Mail {number} cannot be sent by hand: it is sent. See: procession email show {number}\n"
    )
    assert len(inbox.mails) == 1


def test_a_mail_that_was_put_off_says_when_it_is_tried_again(project: Path, call: Call, inbox: Inbox) -> None:
    inbox.refuse_next("451 4.3.0 later")
    number = str(
        call("email", "new", "--to", "contact:1", "--subject", "a", "--text", "b", "--json").json["mail"]
    )

    said = call("email", "send", number)

    assert said.code == 1
    assert "Not accepted yet: " in said.err
    assert "451 4.3.0 later" in said.err
    assert "tried again after" in said.err


def test_a_refused_mail_is_an_incident_and_can_be_sent_again(project: Path, call: Call, inbox: Inbox) -> None:
    inbox.refuse_next("550 5.7.1 no", times=2)
    number = str(
        call("email", "new", "--to", "contact:1", "--subject", "a", "--text", "b", "--json").json["mail"]
    )
    assert call("email", "send", number).code == 1
    told = call("incidents").out
    assert f"mail {number}  “a”" in told
    assert "550 5.7.1 no" in told
    assert f"procession incidents resend {number}" in told

    said = call("incidents", "resend", number)

    assert said.out == f"Mail {number} is queued; `procession serve` sends it.\n"
    assert call("email", "cancel", number).out == f"Mail {number} is cancelled.\n"
    assert call("incidents").err == "Nothing to look at.\n"


def test_a_mail_of_unknown_fate_is_held_for_a_person(project: Path, call: Call, inbox: Inbox) -> None:
    inbox.drop_next(accepted=True)
    number = str(
        call("email", "new", "--to", "contact:1", "--subject", "a", "--text", "b", "--json").json["mail"]
    )
    said = call("email", "send", number)
    assert said.code == 1
    assert said.err.startswith("It is not known whether the mail server took it: ")

    assert call("incidents", "mark-sent", number).out == f"Mail {number} counts as sent.\n"

    assert call("email", "show", number, "--json").json["state"] == "sent"
    assert len(inbox.mails) == 1


def test_without_a_mail_server_a_draft_stays_and_the_reason_is_told(project: Path, call: Call) -> None:
    number = str(
        call("email", "new", "--to", "contact:1", "--subject", "a", "--text", "b", "--json").json["mail"]
    )

    said = call("email", "send", number)

    assert said.code == 1
    assert "no mail server is set" in said.err


def test_whoever_wants_no_mail_gets_one_only_on_purpose(project: Path, call: Call) -> None:
    line = ("email", "new", "--to", "contact:3", "--subject", "a", "--text", "b")

    said = call(*line)

    assert said.err == "Whoever this is to wants no mail. Write all the same with --ignore-opt-out\n"
    assert call(*line, "--ignore-opt-out").code == 0


def test_a_contact_without_an_address_is_named(project: Path, call: Call) -> None:
    said = call("email", "new", "--to", "contact:8", "--subject", "a", "--text", "b")

    assert said.err == "Pat Murphy has no e-mail address. Give one: procession crm save contact:8 --email …\n"
    assert said.code == 2


@pytest.mark.parametrize(("to", "expected"), [
    ("Ann", "--to: 'Ann' is neither a record nor an address. Write contact:17, user:2 or ann@acme.example.\n"),
    ("a@b.example, c@d.example", "--to takes one address. Give --to again for each.\n"),
])  # fmt: skip
def test_whoever_is_no_recipient_is_named(to: str, expected: str, project: Path, call: Call) -> None:
    assert call("email", "new", "--to", to, "--subject", "a", "--text", "b").err == expected


def test_a_template_that_lacks_a_name_says_where_it_is_needed(project: Path, call: Call) -> None:
    said = call("email", "new", "--to", "contact:1", "--template", "meeting_new")

    assert said.err.startswith("templates/meeting_new/de/subject.txt.j2:1:14: ")
    assert "'meeting' is not known here. Give it as --with meeting=…\n" in said.err


def test_a_record_that_is_misspelt_is_never_taken_for_a_text(project: Path, call: Call) -> None:
    line = ("--to", "contact:1", "--template", "meeting_new", "--with", "meeting=actvity:1")

    said = call("email", "new", *line)

    assert said.err == "'actvity:1' names no record that will do here. Did you mean 'activity'?\n"


def test_a_language_nobody_knows_is_refused(project: Path, call: Call) -> None:
    line = ("--to", "contact:1", "--subject", "a", "--text", "b", "--language", "klingonish")

    assert call("email", "new", *line).err == "There is no language 'klingonish'. Write it as de or de-AT.\n"


def test_a_meeting_does_not_end_before_it_begins(project: Path, call: Call) -> None:
    span = ("--start", "2026-12-02T10:00+00:00", "--end", "2026-12-02T09:00+00:00")

    said = call("crm", "save", "meeting", "--subject", "x", *span)

    assert said.err.startswith("The end lies before the start. It starts 2026-12-02 ")
    assert call("crm", "save", "activity:1", "--end", "2001-01-01T00:00+00:00").code == 2


def test_a_yes_or_no_alone_is_a_yes(project: Path, call: Call) -> None:
    saved = call("crm", "save", "meeting", "--subject", "x", "--all-day", "--start", "2026-12-01", "--json")

    assert saved.json["all_day"] is True
    assert call("crm", "save", "opportunity:1", "--stage", "--amount", "5").err == "--stage needs a value.\n"


def test_kinds_of_activities_are_listed_by_their_names(project: Path, call: Call) -> None:
    meetings, calls = (call("crm", "list", kind, "--json").json for kind in ("meetings", "calls"))

    assert meetings
    assert all(row["is_meeting"] for row in meetings)
    assert {row["type"] for row in calls} == {"call"}


def test_the_fields_of_a_record_are_listed(project: Path, call: Call) -> None:
    said = call("crm", "fields", "contacts")

    assert said.code == 0
    assert {row["field"]: row["writable"] for row in call("crm", "fields", "contact", "--json").json}[
        "emails"
    ] is False
    assert "emails" in said.out
    assert "list of text" in said.out


def test_a_mail_is_written_from_a_template_with_a_record(project: Path, call: Call) -> None:
    line = ("email", "new", "--to", "contact:1", "--from", "user:1", "--template", "meeting_new", "--json")

    draft = call(*line, "--with", "meeting=activity:1").json

    shown = call("email", "show", str(draft["mail"]), "--json").json
    assert shown["subject"].endswith("Press line: the offer")
    assert "<html" in shown["html"]
    assert call(*line, "--with", "meeting=activity:99").err.startswith(
        "--with meeting: there is no activity:99."
    )


def test_a_mail_answers_another_in_its_thread(project: Path, call: Call) -> None:
    first = call("email", "new", "--to", "contact:1", "--subject", "a", "--text", "b", "--json").json

    second = call(
        "email",
        "new",
        "--to",
        "contact:1",
        "--subject",
        "a",
        "--text",
        "c",
        "--reply-to",
        str(first["mail"]),
        "--json",
    ).json

    headers = call("email", "show", str(second["mail"]), "--json").json["headers"]
    assert headers["In-Reply-To"] == first["message_id"]


def test_a_mail_is_shown_as_its_reader_sees_it(project: Path, call: Call) -> None:
    number = str(
        call(
            "email", "new", "--to", "contact:1", "--subject", "Grüße", "--text", "Bis Freitag.", "--json"
        ).json["mail"]
    )

    said = call("email", "show", number).out

    assert f"mail {number}: draft\n" in said
    assert "Subject: Grüße\n" in said
    assert "To: Ann Becker <ann.becker@acme.example>\n" in said
    assert "Bis Freitag." in said
    assert call("email", "list").out.splitlines()[-1].split()[:2] == [number, "draft"]


def test_a_file_is_imported_all_or_nothing(project: Path, call: Call) -> None:
    file = project / "contacts.csv"
    file.write_text("name,email\nEve Adams,eve@a.example\nBob Young,bob-at-a.example\n", encoding="utf-8")

    said = call("crm", "import", "contacts.csv")

    assert said.code == 1
    assert said.out.startswith("contacts.csv, row 3, email: ")
    assert said.err.endswith("Nothing was imported: 1 problem in 2 rows.\n")
    assert len(call("crm", "list", "contacts", "--json").json) == 14

    file.write_text("name,email\nEve Adams,eve@a.example\nBob Young,bob@a.example\n", encoding="utf-8")
    assert call("crm", "import", "contacts.csv", "--dry-run").err.endswith(
        "Would import 2 contacts; nothing was saved.\n"
    )
    assert len(call("crm", "list", "contacts", "--json").json) == 14
    assert call("crm", "import", "contacts.csv", "--json").json == {
        "entity": "contact", "rows": 2, "saved": 2, "earlier": 0, "problems": [],
    }  # fmt: skip
    assert len(call("crm", "list", "contacts", "--json").json) == 16


def test_a_file_whose_name_says_nothing_needs_its_entity(project: Path, call: Call) -> None:
    (project / "people.csv").write_text("name\nEve\n", encoding="utf-8")

    said = call("crm", "import", "people.csv")

    assert said.err == "The name of people.csv does not say what its rows are. Say it with --entity contact\n"
    assert call("crm", "import", "people.csv", "--entity", "contact").code == 0


def test_a_file_that_is_not_there_is_a_sentence(project: Path, call: Call) -> None:
    said = call("crm", "import", "contacts.csv")

    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "contacts.csv" in said.err
