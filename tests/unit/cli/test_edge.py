"""The edge of the command line: whatever goes wrong is one clear sentence, a hint and an exit code."""

import subprocess
import sys
from pathlib import Path

import pytest

from procession.cli.main import hoisted, sentence

from .conftest import Call

WRONG = [
    ("chekc", "No such command 'chekc'. Did you mean 'check'? See: procession --help\n"),
    ("crm lits", "No such command 'lits'. Did you mean 'list'? See: procession crm --help\n"),
    ("crm list contacts --limt 3", "No such option: --limt"),
    ("email show", "Missing argument 'N'. See: procession email show --help\n"),
    ("crm show contact:999", "There is no contact:999. See: procession crm list contact\n"),
    ("crm show kontact:1", "'kontact:1' names no record that will do here. Did you mean 'contact'?\n"),
    ("crm show 17", "'17' does not name a record. Write it as contact:17.\n"),
    ("crm list kontacts", "There is no entity 'kontacts'. Did you mean 'contact'?\n"),
    ("crm list contacts --where nam=x", "Contact has no field 'nam'. Did you mean 'name'?\n"),
    ("crm list contacts --where name", "--where 'name' is not of the form name=value. Write --where name=value\n"),
    ("crm save meting --subject x", "'meting' cannot be saved. Did you mean 'meeting'?\n"),
    ("crm save meeting --subjct x", "Activity has no field 'subjct'. Did you mean 'subject'?\n"),
    ("crm save meeting --subject", "--subject needs a value.\n"),
    ("crm save meeting subject", "'subject' is no field. Write --field value, with quotes around blanks"),
    ("crm save meeting --subject x --start soon", "--start: 'soon' is not a moment. Write it as 2026-03-06T10:00, with +01:00 for a zone of its own, or as +2 days from now.\n"),
    ("crm save meeting --subject x --status plnned", "--status cannot be 'plnned'. Did you mean 'planned'?\n"),
    ("crm save meeting --subject x --start 9999-12-31T23:30-05:00", "--start: '9999-12-31T23:30-05:00' is no moment within reach."),
    ("crm save contact:1 --opt-out maybe", "--opt-out: 'maybe' is neither yes nor no. Write yes or no.\n"),
    ("crm save contact:1 --emails x", "--emails cannot be written: the store works it out.\n"),
    ("crm save activity:1 --uid x", "activity.uid cannot be changed: it is given once, when the record is made.\n"),
    ("crm save contact:999 --name x", "There is no contact:999. See: procession crm list contact\n"),
    ("instances show 99", "There is no instance 99. See: procession instances\n"),
    ("instances --state runing", "There is no state 'runing'. Did you mean 'running'?\n"),
    ("incidents resume 99", "There is no instance 99. See: procession incidents\n"),
    ("incidents mark-sent 99", "There is no mail 99. See: procession email list --state sent\n"),
    ("email send 99", "There is no mail 99. See: procession email list --state sent\n"),
    ("email list --state sended", "There is no state 'sended'. It is draft, held, queued, sending, sent, failed, unknown, cancelled or withdrawn.\n"),
    ("email new --to contact:1", "A mail needs a --template, or a --subject and a --text.\n"),
    ("email new --to account:1 --subject a --text b", "'account:1' names no record that will do here."),
    ("history opportunity:99", "There is no opportunity:99. See: procession crm list opportunity\n"),
    ("history contact:99999999999999999999", "The database refused a value: the number is too large.\n"),
    ("--project /no/such/folder history contact:1", "The project folder /no/such/folder does not exist."),
]  # fmt: skip


@pytest.mark.parametrize(("line", "expected"), WRONG, ids=[line for line, _ in WRONG])
def test_wrong_use_is_one_sentence_with_a_hint(line: str, expected: str, project: Path, call: Call) -> None:
    said = call(*line.split())

    assert said.err.startswith(expected)
    assert said.err.count("\n") == 1
    assert (said.code, said.out) == (2, "")


def test_without_a_command_the_help_shows_where_to_start(call: Call) -> None:
    said = call()

    assert said.code == 0
    assert "procession demo" in said.out
    assert "procession init my-project" in said.out


def test_outside_of_a_project_it_says_how_to_make_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Call
) -> None:
    monkeypatch.chdir(tmp_path)

    said = call("crm", "list", "contacts")

    assert said.err == (
        f"There is no project in {tmp_path} or above it. Make one with `procession init my-project`, "
        "or name one with --project DIR\n"
    )


def test_a_project_is_found_from_a_folder_below_it(
    project: Path, monkeypatch: pytest.MonkeyPatch, call: Call
) -> None:
    (project / "deep" / "er").mkdir(parents=True)
    monkeypatch.chdir(project / "deep" / "er")

    assert call("crm", "list", "users", "--json").json[0]["name"] == "Anna Berg"


def test_global_options_may_stand_anywhere_before_two_dashes() -> None:
    words = ["crm", "list", "--project", "a b", "users", "--debug", "--", "--debug"]

    assert hoisted(words) == ["--project", "a b", "--debug", "crm", "list", "users", "--", "--debug"]


def test_debug_shows_where_an_error_arose(project: Path) -> None:
    from procession.cli.main import main
    from procession.errors import InputError

    with pytest.raises(InputError, match="there is no contact:999"):
        main(["crm", "show", "contact:999", "--debug"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("there is no contact", "There is no contact."),
        ("procession.toml is wrong", "procession.toml is wrong."),
        ("See: procession check", "See: procession check"),
        ("Did you mean 'a'?", "Did you mean 'a'?"),
        ("nothing that Procession knows", "Nothing that Procession knows."),
        ("give it as --input meeting=activity:17", "Give it as --input meeting=activity:17"),
    ],
)
def test_a_message_becomes_a_sentence_but_a_command_stays_a_command(text: str, expected: str) -> None:
    assert sentence(text) == expected


def test_a_broken_database_is_a_sentence(project: Path, call: Call) -> None:
    (project / ".procession" / "procession.sqlite").write_bytes(
        b"this is no database at all, not by far" * 100
    )

    said = call("crm", "list", "users")

    assert said.err.startswith("The database cannot be used: file is not a database.")
    assert said.code == 2


def test_a_database_file_that_is_not_there_is_not_made_in_passing(
    project: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROCESSION_DATABASE", "sqlite:///elsewhere/typo.sqlite")

    said = call("crm", "list", "users")

    assert said.err == (
        f"The database file {project / 'elsewhere' / 'typo.sqlite'} does not exist. "
        "Make it with `procession init`, or change the database setting.\n"
    )
    assert said.code == 2
    assert not (project / "elsewhere").exists()


def test_a_database_server_that_is_not_there_is_a_sentence(
    project: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROCESSION_DATABASE", "postgresql://nobody@127.0.0.1:1/nothing")

    said = call("crm", "list", "users")

    assert said.err.startswith("The database cannot be used: ")
    assert said.code == 2
    assert "Traceback" not in said.err


def test_a_reader_that_goes_away_is_no_error(project: Path) -> None:
    program = [sys.executable, "-c", "from procession.cli.main import run; run()", "crm", "list", "contacts"]
    process = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=project)
    assert process.stdout is not None
    assert process.stderr is not None

    process.stdout.close()
    errors = process.stderr.read()

    process.stderr.close()
    assert (process.wait(), errors.decode().replace("14 contacts.\n", "")) == (1, "")


def test_nothing_is_coloured_where_nobody_looks(project: Path, call: Call) -> None:
    said = call("crm", "list", "contacts")

    assert "\x1b" not in said.out + said.err


@pytest.mark.parametrize("entity", ["contacts", "accounts", "opportunities", "users", "activities"])
def test_tables_fit_eighty_columns(entity: str, project: Path, call: Call) -> None:
    said = call("crm", "list", entity)

    assert max(map(len, said.out.splitlines())) <= 80
