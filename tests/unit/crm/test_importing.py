from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from crm import sample
from crm.importing import Imported, Options, import_csv
from crm.store import CrmStore
from procession.errors import InputError
from procession.ports import Actor
from procession.records import Record

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
ANNA = Actor("import", "anna")
GO_ON = "No process starts for them yet. Import the file again, and it goes on from there."
CONTACTS = """\
Name,E-mail,Account,Owner,Language,Wants no e-mail
Eva Stein,eva@stein.example,Acme GmbH,anna.berg@us.example,de,no
"Kim, Lee",KIM@lee.example,account:3,Bob Carter,,yes
"""

Import = Callable[..., Imported]


@pytest.fixture
def run(store: CrmStore, tmp_path: Path) -> Import:
    """Imports a text, or bytes, into a store with the sample data."""
    sample.load(store, NOW)

    def run(entity: str, content: str | bytes, options: Options | None = None) -> Imported:
        path = tmp_path / "file.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return import_csv(store, entity, path, ANNA, options)

    return run


def named(store: CrmStore, entity: str, name: str) -> Record:
    with store.unit(write=False) as unit:
        (record,) = unit.records.find(entity, {"subject" if entity == "activity" else "name": name})
    return record


def problems(report: Imported) -> list[str]:
    return [f"{problem.row} {problem}" for problem in report.problems]


def test_contacts_are_imported_with_the_account_and_the_owner_they_name(store: CrmStore, run: Import) -> None:
    report = run("contact", CONTACTS)

    eva, kim = named(store, "contact", "Eva Stein"), named(store, "contact", "Kim, Lee")
    assert (report.rows, report.problems, report.saved) == (2, (), 2)
    assert (eva.email, str(eva.account), str(eva.owner), eva.opt_out) == (
        "eva@stein.example", "Acme GmbH", "Anna Berg", False,
    )  # fmt: skip
    assert (kim.email, str(kim.account), str(kim.owner), kim.opt_out) == (
        "KIM@lee.example", "Northwind Traders, Inc.", "Bob Carter", True,
    )  # fmt: skip


def test_imported_records_have_their_events(store: CrmStore, run: Import) -> None:
    run("contact", CONTACTS)

    with store.unit() as unit:
        events = unit.journal.pending(1000)[-2:]
    assert [(event.type, event.ref and event.ref.entity) for event in events] == [("added", "contact")] * 2


def test_a_dry_run_saves_nothing(store: CrmStore, run: Import) -> None:
    report = run("contact", CONTACTS, Options(dry_run=True))

    assert (report.rows, report.problems, report.saved) == (2, (), 0)
    with store.unit(write=False) as unit:
        assert unit.records.find("contact", {"name": "Eva Stein"}) == []


def test_opportunities_are_imported_as_a_german_spreadsheet_saves_them(store: CrmStore, run: Import) -> None:
    text = (
        "sep=;\r\n"
        "Name;Stage;Amount;Currency;Close date;Contact\r\n"
        "Halle;Proposal;1.234.567,89 €;EUR;31.12.2026;ann.becker@acme.example\r\n"
        "Tor;won;1.500;EUR;2026-01-05 00:00:00;\r\n"
        ";;;;;\r\n"
    )

    report = run("opportunity", b"\xef\xbb\xbf" + text.encode())

    hall, gate = named(store, "opportunity", "Halle"), named(store, "opportunity", "Tor")
    assert problems(report) == []
    assert (hall.stage, hall.amount, hall.close_date) == ("proposal", 1234567.89, date(2026, 12, 31))
    assert str(hall.contact) == "Ann Becker"
    assert (gate.amount, gate.close_date) == (1500, date(2026, 1, 5))


@pytest.mark.parametrize(
    ("amount", "value"),
    [
        ('"1,500"', 1500), ("12.5", 12.5), ('"1,234.50"', 1234.5), ('"1.234,50"', 1234.5), ('"12,5"', 12.5),
        ("$99.90", 99.9), ("1'000.25", 1000.25), ('"1,234,567"', 1234567), ("-7", -7), ("1.234", 1.23),
    ],
)  # fmt: skip
def test_numbers_are_read_as_people_write_them(
    store: CrmStore, run: Import, amount: str, value: float
) -> None:
    report = run("opportunity", f"Name,Amount\nX,{amount}\n")

    assert problems(report) == []
    assert named(store, "opportunity", "X").amount == value


@pytest.mark.parametrize(("amount", "value"), [
    ("(123.45)", -123.45), ("($1,234.50)", -1234.5), ("1,234.50-", -1234.5), ("−500", -500), ("-$500", -500), ("- 500 €", -500),
    ("-500 USD", -500), ("€ 50,-", 50), ("50,- €", 50), ("1.250,-", 1250), ("CHF 80.-", 80), ("80,--", 80), ("-80.-", -80), ("5 Euro", 5),
    ("1.5E+07", 15000000), ("500 CHF", 500), ("CHF 500", 500), ("US$ 500", 500), ("+12.50", 12.5), ("500-", -500), ("Fr. 500", 500),
    ("kr 500", 500), ("500 zł", 500), ("R$ 1.234,50", 1234.5), ("(500 €)", -500),
])  # fmt: skip
def test_a_number_keeps_its_sign(store: CrmStore, run: Import, amount: str, value: float) -> None:
    report = run("opportunity", f'Name,Amount\nX,"{amount}"\n')

    assert problems(report) == []
    assert named(store, "opportunity", "X").amount == value


@pytest.mark.parametrize("amount", [
    "12%", "~5000", "ab 5000", "100-200", "5k", "1.5 Mio.", "$5M", "5000 pcs", "(500", "500)", "--5", "(-5)", "-5-", ",-", "50,---", "5 000 000 approx",
    "1/2", "500 EUR USD",
])  # fmt: skip
def test_what_says_more_than_a_number_is_named_and_not_cut(run: Import, amount: str) -> None:
    report = run("opportunity", f'Name,Amount\nX,"{amount}"\n')

    assert problems(report) == [f"2 Amount: {amount!r} is not a number."]


def test_a_time_that_a_zone_does_not_have_or_has_twice_and_a_zone_that_is_none_are_named_with_their_cells(
    run: Import,
) -> None:
    text = """\
subject,start,timezone
A,2027-03-28 02:30,Europe/Berlin
B,2026-10-25 02:30,Europe/Berlin
C,2026-10-25 02:30,Berlin
D,2026-09-06,America/Santiago
"""

    found = problems(run("activity", text))

    assert [each.split(":")[0] for each in found] == ["2 start", "3 start", "4 start", "4 timezone"]
    assert "is a time that Europe/Berlin does not have" in found[0]
    assert "comes twice in Europe/Berlin" in found[1]
    assert "there is no time zone 'Berlin'" in found[2]


def test_activities_are_imported_in_the_zone_of_the_row_else_of_the_owner_else_the_one_given(
    store: CrmStore, run: Import
) -> None:
    text = """\
subject,category,start,owner,timezone,contact,opportunity
A,meeting,2026-07-01 10:00,anna.berg@us.example,Asia/Tokyo,,
B,Meeting,2026-07-01 10:00,anna.berg@us.example,,ann.becker@acme.example,Tea import
C,,1.7.2026 9:05,,,,
D,,2026-07-01T10:00+02:00,,,,
"""

    report = run("activity", text, Options(zone="America/New_York"))

    assert problems(report) == []
    starts = [named(store, "activity", subject).start.isoformat()[11:16] for subject in "ABCD"]
    assert starts == ["01:00", "08:00", "13:05", "08:00"]
    zones = [named(store, "activity", subject).timezone for subject in "ABCD"]
    assert zones == ["Asia/Tokyo", "Europe/Berlin", "America/New_York", "America/New_York"]
    meeting = named(store, "activity", "B")
    assert (meeting.type, meeting.is_meeting) == ("task", True)
    assert (str(meeting.contact), str(meeting.opportunity)) == ("Ann Becker", "Tea import")


def test_every_problem_is_told_with_its_row_and_column_and_nothing_is_saved(
    store: CrmStore, run: Import
) -> None:
    text = """\
Name,E-mail,Acount,Owner,Time zone,Wants no e-mail,emails
Good,good@x.example,,,,,
,not an address,,,Europe/Berln,perhaps,
X,y@x.example,,eve@us.example,,,
Y,y@x.example,,,,,,surplus
Z,ANN.Becker@acme.example,,,,,
"""

    report = run("contact", text)

    assert problems(report) == [
        "1 Acount: contact has no such field. Did you mean 'account'?",
        "1 emails: this field cannot be imported: it follows from others",
        "3 E-mail: contact.email: 'not an address' is not an e-mail address.",
        "3 Time zone: contact.timezone: there is no time zone 'Europe/Berln'. Did you mean 'Europe/Berlin'?",
        "3 Wants no e-mail: 'perhaps' is neither yes nor no.",
        "3 Name: a new contact needs a name.",
        "4 Owner: there is no user 'eve@us.example'.",
        "5 it has 8 cells, the header has 7",
        "5 E-mail: row 4 has the address y@x.example already.",
        "6 E-mail: contact:1 (Ann Becker) has the address ann.becker@acme.example already.",
    ]
    assert not report.saved
    with store.unit(write=False) as unit:
        assert unit.records.find("contact", {"name": "Good"}) == []


@pytest.mark.parametrize(
    ("entity", "text", "problem"),
    [
        ("opportunity", "Name,Stage\nX,wn\n", ("2 Stage: 'wn' is none of qualification, discovery, proposal, "
         "negotiation, won or lost. Did you mean 'won'?")),
        ("opportunity", "Name,Close date\nX,12/31/2026\n", ("2 Close date: '12/31/2026' is not a date. Write it as "
         "2026-12-31 or 31.12.2026.")),
        ("opportunity", "Name,Amount\nX,much\n", "2 Amount: 'much' is not a number."),
        ("opportunity", "Name,Account\nX,Akme GmbH\n", ("2 Account: there is no account 'Akme GmbH'. Did you mean "
         "'Acme GmbH'?")),
        ("opportunity", "Name,Account\nX,contact:1\n", "2 Account: there is no account 'contact:1'."),
        ("activity", "Subject,Category\nX,meting\n", ("2 Category: there is no category 'meting'. Did you mean "
         "'meeting'?")),
        ("activity", "Subject,Start\nX,2026-07-01 10:00\n", ("2 Start: it is not said in which time zone "
         "'2026-07-01 10:00' is. Write it as 2026-12-31T09:00+01:00, give the row an owner or a time zone, or give --timezone.")),
        ("activity", "Subject,Start\nX,soon\n", ("2 Start: 'soon' is not a date and time. Write it as 2026-12-31 "
         "09:00 or 2026-12-31T09:00+01:00.")),
        ("account", "Name,Name\nX,Y\n", "1 Name: this column is there twice."),
        ("account", "Website\nx.example\n", "2 a new account needs a name."),
    ],
)  # fmt: skip
def test_a_cell_that_is_no_value_of_its_field_says_why(
    run: Import, entity: str, text: str, problem: str
) -> None:
    assert problems(run(entity, text)) == [problem]


def test_a_name_that_several_records_have_must_be_told_apart(store: CrmStore, run: Import) -> None:
    run("account", "Name\nMüller\nMüller\n")

    report = run("contact", "Name,Account\nX,Müller\n")

    assert problems(report) == [
        "2 Account: there are 2 records called 'Müller'. Write account:7 or account:8."
    ]


def test_a_contact_without_a_name_is_called_by_its_first_and_last_name(store: CrmStore, run: Import) -> None:
    run("contact", "First name,Last name,Phone\nEva,Stein,'+49 30 5550\n")

    assert named(store, "contact", "Eva Stein").phone == "+49 30 5550"


def test_a_cell_of_several_lines_counts_as_one_row(store: CrmStore, run: Import) -> None:
    report = run("activity", 'Subject,Notes\nA,"one\ntwo\nthree"\nB,\n,Nothing\n')

    assert problems(report) == ["4 Subject: a new activity needs a subject."]


def test_what_keeps_a_spreadsheet_from_counting_is_taken_away(store: CrmStore, run: Import) -> None:
    run("account", 'Name,Phone\n"=""007""",\'0049 30\n')

    assert named(store, "account", "007").phone == "0049 30"


def test_utf_16_and_tabs_are_read(store: CrmStore, run: Import) -> None:
    run("account", "Name\tCountry\r\nCafé\tFR\r\n".encode("utf-16"))

    assert named(store, "account", "Café").country == "FR"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("Name\nMüller\n".encode("cp1252"), "is not UTF-8 text: see line 2"),
        (b"", "has no header line"),
        (b"\nA\n", "has no header line"),
        (b'Name\n"never closed\n', "line 2: unexpected end of data"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(run: Import, content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message) as refused:
        run("account", content)

    assert refused.value.hint


def test_a_file_that_is_not_there_is_refused(store: CrmStore, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file or directory"):
        import_csv(store, "contact", tmp_path / "none.csv", ANNA)


def test_users_are_not_imported(run: Import) -> None:
    with pytest.raises(InputError, match="only account, contact, opportunity or activity"):
        run("user", "Name\n")


def test_progress_goes_up_to_the_end(run: Import) -> None:
    told: list[tuple[int, int]] = []
    rows = "".join(f"Account {number}\n" for number in range(2500))

    run("account", f"Name\n{rows}", Options(progress=lambda done, of: told.append((done, of))))

    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1] == (5000, 5000)


def accounts_of(count: int) -> str:
    return "Name,Industry\n" + "".join(f"Account {number},Tests\n" for number in range(count))


def imported(store: CrmStore) -> int:
    with store.unit(write=False) as unit:
        return len(unit.records.find("account", {"industry": "Tests"}, limit=10_000))


def test_others_can_write_while_a_file_is_checked_and_between_its_slices(
    store: CrmStore, run: Import
) -> None:
    told: list[int] = []

    def write(done: int, _of: int) -> None:
        told.append(done)
        with store.unit() as unit:
            unit.records.create("account", [{"name": f"Meanwhile {done}"}], ANNA)
            unit.commit()

    report = run("account", accounts_of(2500), Options(progress=write))

    assert told == [1000, 2000, 2500, 3500, 4500, 5000]
    assert (report.problems, report.saved, imported(store)) == ((), 2500, 2500)


def test_if_a_later_slice_fails_it_is_told_which_rows_were_saved(store: CrmStore, run: Import) -> None:
    with store.unit() as unit:
        (account,) = unit.records.create("account", [{"name": "Soon gone"}], ANNA)
        unit.commit()

    def delete(done: int, _of: int) -> None:
        if done == 2500 + 1000:
            with store.unit() as unit:
                unit.records.delete([account], ANNA)
                unit.commit()

    text = "Name,Account\n" + "\n" + "Deal,\n" * 2000 + f"Last,{account}\n" + "Deal,\n" * 499

    report = run("opportunity", text, Options(progress=delete))

    assert problems(report) == [
        f"2003 {account} does not exist. Rows 3 to 2,002 were saved, those from row 2,003 on were not. {GO_ON}"
    ]
    assert (report.rows, report.saved) == (2500, 2000)
    with store.unit(write=False) as unit:
        assert len(unit.records.find("opportunity", {"name": ("Deal", "Last")}, limit=10_000)) == 2000


def test_an_import_that_is_interrupted_tells_which_rows_were_saved(store: CrmStore, run: Import) -> None:
    def interrupt(done: int, _of: int) -> None:
        if done == 2500 + 1000:
            raise KeyboardInterrupt

    report = run("account", accounts_of(2500), Options(progress=interrupt))

    assert problems(report) == [
        "1002 It was interrupted. Rows 2 to 1,001 were saved, those from row 1,002 on were not. " + GO_ON
    ]
    assert (report.saved, imported(store)) == (1000, 1000)


def broken_off(run: Import, content: str) -> Imported:
    """An import that ends after its first slice."""

    def interrupt(done: int, of: int) -> None:
        if done == of // 2 + 1000:
            raise KeyboardInterrupt

    return run("account", content, Options(progress=interrupt))


def test_an_import_that_broke_off_is_gone_on_with_also_if_its_file_was_mended_further_down(
    store: CrmStore, run: Import
) -> None:
    first = broken_off(run, accounts_of(2500))
    mended = accounts_of(2500).replace("Account 2000,Tests", "Account 2000,Tests\nAnother,Tests")

    would = run("account", mended, Options(dry_run=True))
    report = run("account", mended)

    assert (first.saved, would.saved, would.earlier) == (1000, 1000, 1000)
    assert (report.problems, report.rows, report.saved, report.earlier) == ((), 2501, 2501, 1000)
    assert imported(store) == 2501
    with store.unit() as unit:
        assert unit.journal.imports() == []


def test_an_import_of_the_rows_that_are_there_releases_them(store: CrmStore, run: Import) -> None:
    broken_off(run, accounts_of(2500))

    report = run("account", accounts_of(1000))

    assert (report.saved, report.earlier, imported(store)) == (1000, 1000, 1000)
    with store.unit() as unit:
        assert unit.journal.imports() == []
        assert unit.journal.let_in(5000) == 1000


def test_a_file_that_begins_otherwise_is_another_import(store: CrmStore, run: Import) -> None:
    broken_off(run, accounts_of(2500))

    report = run("account", accounts_of(2500).replace("Account 7,", "Account seven,"))

    assert (report.saved, report.earlier, imported(store)) == (2500, 0, 3500)
    with store.unit() as unit:
        assert [one.saved for one in unit.journal.imports()] == [1000]


def test_two_that_import_the_same_file_at_once_do_not_save_its_rows_twice(
    store: CrmStore, run: Import
) -> None:
    broken_off(run, accounts_of(2500))
    others: list[Imported] = []

    def meanwhile(done: int, of: int) -> None:
        if done == of // 2 + 2000 and not others:
            others.append(run("account", accounts_of(2500)))

    report = run("account", accounts_of(2500), Options(progress=meanwhile))

    assert (others[0].saved, others[0].problems) == (2500, ())
    assert problems(report) == [
        "2002 Somebody else imports the same file just now. Rows 2 to 2,001 were saved, those from row 2,002 on were "
        "not. " + GO_ON
    ]
    assert imported(store) == 2500


def test_a_file_of_which_nothing_was_saved_fails_as_a_whole(store: CrmStore, run: Import) -> None:
    def interrupt(done: int, of: int) -> None:
        if done == of // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run("account", accounts_of(10), Options(progress=interrupt))

    assert imported(store) == 0


def test_a_meeting_may_be_called_one(store: CrmStore, run: Import) -> None:
    assert run("activity", "Subject,Type\nKick-off,Meeting\n").saved

    assert named(store, "activity", "Kick-off").is_meeting
