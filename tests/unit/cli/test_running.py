"""`check`, `simulate`, `run` and what is seen of instances afterwards, on a real store and a real inbox."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flows.wiring import application
from procession.testing.inbox import Inbox

from .conftest import Call

PROCESS = """\
process: greet
title: Greet a contact
inputs:
  contact: {type: record, of: contact}
  times: {type: int, default: 1, min: 1, max: 3}
triggers:
  - manual: {on: contact}
key: "{{ contact.id }}"
mode: single
history: {on: "{{ contact }}"}
steps:
  - id: reachable
    choose:
      branches:
        - when: contact.opt_out
          steps: [{stop: wants no mail}]
        - when: contact.email
          steps:
            - id: hello
              send_email: {to: "{{ contact }}", subject: "Hello {{ contact.first_name }}", text: "{{ times }} times"}
      else:
        - log_history: "{{ contact.name }} has no address"
  - if: times > 1
    log_history: "Greeted {{ times }} times"
"""


LOOP = """
process: loop
triggers:
  - manual: {}
steps:
  - for_each:
      items: "{{ [1, 2, 3] }}"
      steps:
        - id: way
          choose:
            branches:
              - when: item == 2
                steps: [{set: {x: 1}}]
            else:
              - set: {x: 2}
        - if: item > 1
          set: {y: 1}
"""


ENGINES = """
process: engines
triggers:
  - manual: {}
steps:
  - id: look
    call: {function: engines}
"""


@pytest.fixture
def greet(project: Path) -> Path:
    for file in (project / "processes").glob("*.yaml"):
        file.unlink()
    path = project / "processes" / "greet.yaml"
    path.write_text(PROCESS, encoding="utf-8")
    return path


@pytest.fixture
def inbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Inbox]:
    with Inbox() as server:
        monkeypatch.setenv("PROCESSION_SMTP_HOST", server.host)
        monkeypatch.setenv("PROCESSION_SMTP_PORT", str(server.port))
        monkeypatch.setenv("PROCESSION_SMTP_SECURITY", "none")
        yield server


def test_check_of_one_file_says_nothing_of_the_others(greet: Path, call: Call) -> None:
    broken = greet.with_name("broken.yaml")
    broken.write_text(PROCESS.replace("contact.opt_out", "contact.opt_uot"), encoding="utf-8")

    said = call("check", str(greet))

    assert (said.code, said.err) == (0, "1 file, no problem.\n")
    broken.unlink()
    assert call("check", str(greet)).err == "1 process, no problem.\n"


def test_check_tells_every_mistake_with_its_place(greet: Path, call: Call) -> None:
    greet.write_text(
        PROCESS.replace("contact.opt_out", "contact.opt_uot").replace("log_history:", "log_histroy:", 1),
        encoding="utf-8",
    )

    said = call("check")

    assert said.code == 1
    assert (
        "processes/greet.yaml:15:25: steps/reachable/choose/branches/1/when: contact has no field 'opt_uot'."
        in said.out
    )
    assert "Did you mean 'log_history'?" in said.out
    assert said.err == "\n2 problems in 1 file.\n"


def test_check_gives_problems_to_programs(greet: Path, call: Call) -> None:
    greet.write_text(PROCESS.replace("contact.opt_out", "contact.opt_uot"), encoding="utf-8")

    said = call("check", "--json")

    (problem,) = said.json["problems"]
    assert (said.code, said.err) == (1, "")
    assert problem == {
        "file": "processes/greet.yaml", "line": 15, "column": 25, "path": "steps/reachable/choose/branches/1/when",
        "message": "contact has no field 'opt_uot'", "hint": "Did you mean 'opt_out'?",
    }  # fmt: skip


def test_check_says_when_each_process_starts(greet: Path, call: Call) -> None:
    said = call("check")

    assert "greet     Greet a contact   by hand on contact" in said.out
    assert (said.code, said.err) == (0, "1 process, no problem.\n")


def test_check_of_a_folder_is_of_the_files_in_it(greet: Path, call: Call) -> None:
    greet.write_text(PROCESS.replace("contact.opt_out", "contact.opt_uot"), encoding="utf-8")

    said = call("check", "processes")

    assert (said.code, said.err) == (1, "\n1 problem in 1 file.\n")


@pytest.mark.parametrize("name", ["/etc/passwd", "procession.toml", "notes", "templates/no"])
def test_check_of_what_is_no_process_and_no_template_is_wrong_use(greet: Path, call: Call, name: str) -> None:
    (greet.parent.parent / "notes").mkdir()
    (greet.parent.parent / "templates" / "no").mkdir(exist_ok=True)

    said = call("check", name)

    assert (said.code, said.out) == (2, "")
    assert said.err == (
        f"{name!r} is no process of this project, and no template. Processes are the .yaml files in processes, templates the "
        "folders in templates.\n"
    )


def test_check_of_a_link_to_a_process_is_of_that_process(greet: Path, call: Call, tmp_path: Path) -> None:
    greet.rename(tmp_path / "elsewhere.yaml")
    greet.symlink_to(tmp_path / "elsewhere.yaml")

    said = call("check", "processes/greet.yaml")

    assert (said.code, said.err) == (0, "1 process, no problem.\n")


def test_check_of_a_template_is_of_the_processes_that_send_it(greet: Path, call: Call) -> None:
    said = call("check", "templates/meeting_new")

    assert (said.code, said.err) == (0, "1 file, no problem.\n")


def test_check_of_a_file_that_is_not_there_is_wrong_use(greet: Path, call: Call) -> None:
    greet.write_text(PROCESS + "nonsense", encoding="utf-8")

    said = call("check", "nofile.yaml")

    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "nofile.yaml: No such file or directory." in said.err


def test_other_commands_tell_the_mistakes_too(greet: Path, call: Call) -> None:
    greet.write_text(PROCESS.replace("contact.opt_out", "contact.opt_uot"), encoding="utf-8")

    said = call("run", "greet", "-i", "contact=contact:1")

    assert said.code == 2
    assert "contact has no field 'opt_uot'" in said.err


def test_simulate_shows_the_mail_and_the_ways_not_taken(greet: Path, call: Call) -> None:
    said = call("simulate", "greet", "-i", "contact=contact:1")

    assert said.code == 0
    assert "Subject: Hello Ann\n" in said.out
    assert (
        "not taken: reachable/branches/1: when: contact.opt_out\n    it saw contact.opt_out = no" in said.out
    )
    assert "contact:1: E-mail “Hello Ann” to Ann Becker" in said.out
    assert "if: times > 1\n    it saw times = 1\n" in said.out
    assert "It would end completed.\n" in said.out


def test_simulate_leaves_no_trace(greet: Path, call: Call) -> None:
    call("simulate", "greet", "-i", "contact=contact:1")

    assert call("instances", "--json").json == []
    assert call("email", "list", "--json").json == []
    assert call("history", "contact:1", "--json").json == []


def test_simulate_tells_of_a_stop_and_of_its_result(greet: Path, call: Call) -> None:
    said = call("simulate", "greet", "-i", "contact=contact:3", "--json").json

    assert (said["state"], said["result"], said["emails"], said["history"]) == (
        "stopped",
        "wants no mail",
        [],
        [],
    )


def test_run_takes_an_instance_to_its_end(greet: Path, call: Call, inbox: Inbox) -> None:
    said = call("run", "greet", "-i", "contact=1", "-i", "times=2")

    assert (said.code, said.out) == (0, "Instance 1: completed.\n")
    assert [mail.subject for mail in inbox.mails] == ["Hello Ann"]
    assert [row["text"] for row in call("history", "contact:1", "--json").json] == [
        "Greeted 2 times", "E-mail “Hello Ann” to Ann Becker",
    ]  # fmt: skip


def test_run_is_an_engine_while_it_works_and_leaves(
    greet: Path, call: Call, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It beats, so that nobody takes it for dead, and nobody takes it for alive afterwards."""
    from procession import advance

    beats = []
    segment = advance.advance

    def watched(plan: Any, instances: Any, ports: Any, wrap: Any) -> Any:
        beats.append([row.beat for row in engines(ports)])
        found.append(ports)
        return segment(plan, instances, ports, wrap)

    def engines(ports: Any) -> Any:
        with ports.store.unit(write=False) as unit:
            return unit.journal.engines()

    found: list[Any] = []
    monkeypatch.setattr(advance, "advance", watched)
    call("run", "greet", "-i", "contact=1")

    assert beats == [[1]]
    assert engines(found[0]) == []
    found[0].store.close()


def test_run_gives_the_whole_instance_to_programs(greet: Path, call: Call, inbox: Inbox) -> None:
    done = call("run", "greet", "-i", "contact=1", "--json")

    assert done.err == ""
    assert {step["path"]: step["state"] for step in done.json["steps"]} == {
        "reachable": "done", "reachable/branches/2/hello": "done", "log_history_1": "skipped",
    }  # fmt: skip
    assert done.json["steps"][1]["output"]["message_id"] == inbox.mails[0].message_id


def test_run_without_waiting_leaves_it_to_the_engine(greet: Path, call: Call, inbox: Inbox) -> None:
    said = call("run", "greet", "-i", "contact=1", "--no-wait")

    assert said.out == "Instance 1 is ready; `procession serve` takes it up.\n"
    assert (inbox.mails, call("instances", "show", "1", "--json").json["state"]) == ([], "ready")
    again = call("run", "greet", "-i", "contact=1", "--no-wait")
    assert (
        again.err
        == "Process 'greet' runs for this already, and it runs once at a time. See: procession instances\n"
    )


def test_an_incident_names_its_place_and_can_be_resumed(greet: Path, call: Call, inbox: Inbox) -> None:
    inbox.refuse_next("550 5.7.1 not you")
    failed = call("run", "greet", "-i", "contact=1")
    assert failed.code == 1
    assert "processes/greet.yaml:19:15 reachable/branches/2/hello: " in failed.out

    listed = call("incidents").out
    assert "instance 1  Greet a contact: Ann Becker\n" in listed
    assert "550 5.7.1 not you" in listed

    assert (
        call("incidents", "resume", "1").out == "Instance 1 is ready again; `procession serve` takes it up.\n"
    )
    assert (
        call("incidents", "resume", "1").err
        == "Instance 1 is ready, no incident. See: procession incidents\n"
    )


def tick(project: Path) -> None:
    """What a running engine does, until there is nothing left to do."""
    from procession.advance import advance
    from procession.engine import Engine
    from procession.engines import beating

    app = application(project)
    ports = app.ports()
    engine = Engine(ports, app.definitions, lambda plan, found: advance(plan, found, ports))
    with beating(ports.engine):
        while engine.tick():
            pass
    app.close()


def test_a_mail_of_unknown_fate_holds_its_process_until_a_person_says_what_is(
    greet: Path, project: Path, call: Call, inbox: Inbox
) -> None:
    inbox.drop_next(accepted=True)
    assert call("run", "greet", "-i", "contact=1", "-i", "times=2").code == 1
    (number,) = [mail["mail"] for mail in call("incidents", "--json").json["mails"]]

    assert call("incidents", "mark-sent", str(number)).code == 0
    tick(project)

    assert call("instances", "show", "1", "--json").json["state"] == "completed"
    assert [mail.subject for mail in inbox.mails] == ["Hello Ann"]
    assert call("history", "contact:1", "--json").json[0]["text"] == "Greeted 2 times"


def test_a_mail_that_did_not_go_out_is_sent_again_by_its_process(
    greet: Path, project: Path, call: Call, inbox: Inbox
) -> None:
    inbox.drop_next(accepted=False)
    assert call("run", "greet", "-i", "contact=1").code == 1
    (number,) = [mail["mail"] for mail in call("incidents", "--json").json["mails"]]
    assert inbox.mails == []

    assert call("incidents", "resend", str(number)).code == 0
    tick(project)

    assert call("instances", "show", "1", "--json").json["state"] == "completed"
    assert [mail.subject for mail in inbox.mails] == ["Hello Ann"]
    assert call("incidents").err == "Nothing to look at.\n"


def test_a_mail_that_a_process_left_as_draft_is_sent_by_a_person(
    greet: Path, project: Path, call: Call, inbox: Inbox
) -> None:
    greet.write_text(
        PROCESS.replace('text: "{{ times }} times"}', "text: Hello, send: draft}"), encoding="utf-8"
    )
    call("run", "greet", "-i", "contact=1")
    (draft,) = call("email", "list", "--state", "draft", "--json").json
    assert (inbox.mails, draft["instance"]) == ([], 1)

    assert call("email", "send", str(draft["mail"])).out == "Sent to ann.becker@acme.example.\n"

    assert [mail.message_id for mail in inbox.mails] == [draft["message_id"]]


def test_instances_are_listed_shown_and_cancelled(greet: Path, call: Call) -> None:
    call("run", "greet", "-i", "contact=1", "--no-wait")

    assert "1   Greet a contact: Ann Becker   ready" in call("instances").out
    shown = call("instances", "show", "1").out
    assert "started   " in shown
    assert ", by hand, by anna" in shown
    assert call("instances", "cancel", "1").out == "Instance 1 is cancelled.\n"

    assert call("instances", "--state", "ready", "--json").json == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("gret -i contact=1", "There is no process 'gret'. Did you mean 'greet'?\n"),
        ("greet", "Input 'contact' of process 'greet' is missing. Give it as --input contact=contact:17\n"),
        ("greet -i contcat=1", "Process 'greet' has no input 'contcat'. Did you mean 'contact'?\n"),
        ("greet -i contact", "--input 'contact' is not of the form name=value. Write --input name=value\n"),
        (
            "greet -i contact=activity:1",
            "Input 'contact': activity:1 is no contact. Write it as contact:17.\n",
        ),
        ("greet -i contact=99", "Input 'contact': there is no contact 99.\n"),
        ("greet -i contact=1 -i times=many", "Input 'times': 'many' is no whole number. Write it as 3.\n"),
    ],
)
@pytest.mark.parametrize("command", ["run", "simulate"])
def test_wrong_inputs_are_named(command: str, words: str, expected: str, greet: Path, call: Call) -> None:
    said = call(command, *words.split())

    assert (said.code, said.err) == (2, expected)


def test_an_input_outside_of_its_bounds_is_named(greet: Path, call: Call) -> None:
    said = call("simulate", "greet", "-i", "contact=contact:1", "-i", "times=7")

    assert (said.code, said.err) == (
        2,
        "Input 'times' cannot be 7. Write a value that is at least 1 and at most 3.\n",
    )


def test_simulate_counts_what_a_loop_passed_by(project: Path, call: Call) -> None:
    (project / "processes" / "loop.yaml").write_text(LOOP, encoding="utf-8")

    said = call("simulate", "loop")

    assert "for_each_1/steps/way [2]" in said.out
    assert "not taken: for_each_1/steps/way/branches/1: when: item == 2 (2 of 3 times)\n" in said.out
    assert "not taken: for_each_1/steps/way/else: another branch was taken (1 of 3 times)\n" in said.out
    assert "not taken: for_each_1/steps/set_1: if: item > 1 (1 of 3 times)\n" in said.out


def test_a_template_is_previewed_as_its_contact_would_read_it(project: Path, call: Call) -> None:
    said = call("template", "preview", "meeting_new", "--with", "meeting=activity:3", "--json").json

    assert said["language"] == "fr"
    assert "Bonjour Monsieur Dupont" in said["text"]
    assert call(
        "template", "preview", "task_assigned", "--with", "task=activity:9", "--to", "user:2"
    ).out.startswith("Subject: Urgent task for you: Write the offer\n\nHello Bob Carter,")


def test_a_template_is_previewed_with_a_record(project: Path, call: Call) -> None:
    said = call("template", "preview", "meeting_new", "--with", "meeting=activity:1", "--language", "de")

    files = sorted(path.name for path in (project / ".procession" / "preview").iterdir())
    assert files == ["meeting_new.de.html", "meeting_new.de.txt"]
    assert said.out.startswith("Subject: ")
    assert "Ann" in said.out or "Becker" in said.out


def test_a_template_that_lacks_a_name_says_which(project: Path, call: Call) -> None:
    said = call("template", "preview", "meeting_new")

    assert said.code == 2
    assert said.err.startswith(
        "templates/meeting_new/body.html.j2:4:23: there is no 'meeting' here. Give it as --with meeting=…\n"
    )
    assert said.err.count("there is no 'meeting' here") == 1


def test_an_unknown_template_is_guessed(project: Path, call: Call) -> None:
    assert (
        call("template", "preview", "meeting_nwe").err
        == "There is no mail template 'meeting_nwe'. Did you mean 'meeting_new'?\n"
    )


def test_templates_are_listed_with_their_languages(project: Path, call: Call) -> None:
    found = {row["template"]: row["languages"] for row in call("template", "list", "--json").json}

    assert "de" in found["meeting_new"]


def test_the_doctor_says_what_works_and_what_to_mend(project: Path, call: Call, inbox: Inbox) -> None:
    said = call("doctor", "--json")

    found = {checkup["what"]: checkup["state"] for checkup in said.json}
    assert found.pop("Prefect") in ("well", "unwell")
    assert found == {
        "settings": "not set up", "database": "well", "mail server": "well", "templates": "well", "processes": "well",
        "current versions": "well", "incidents": "well",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        (
            {"USER": "bob", "PASSWORD": "env:NO_SUCH"},
            "smtp.password is env:NO_SUCH, but the environment variable",
        ),
        ({"USER": "bob"}, "smtp.user is set, and smtp.password is not\n    Set smtp.password too"),
        ({"PASSWORD": "env:HOME"}, "smtp.password is set, and smtp.user is not\n    Set smtp.user too"),
    ],
)
def test_the_doctor_looks_for_secrets_even_of_servers_that_are_away(
    variables: dict[str, str], expected: str, project: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"PROCESSION_SMTP_{name}", value)

    said = call("doctor")

    assert f"✗ settings: {expected}" in said.out
    assert said.code == 1


def test_the_doctor_finds_a_sender_that_the_mail_server_refuses(
    project: Path, call: Call, inbox: Inbox
) -> None:
    inbox.refuse_next("553 5.1.8 not you", at="MAIL")

    said = call("doctor")

    assert (
        "✗ mail server: the mail server refused the sender sales@example.com: 553 5.1.8 not you" in said.out
    )
    assert "Set default_sender, now Sales <sales@example.com>, to an address" in said.out


def test_the_doctor_counts_a_mail_that_failed_among_the_incidents(
    greet: Path, call: Call, inbox: Inbox
) -> None:
    inbox.refuse_next("550 5.7.1 no", at="MAIL")
    new = call("email", "new", "--to", "contact:1", "--subject", "a", "--text", "b", "--json")
    call("email", "send", str(new.json["mail"]))

    said = call("doctor")

    assert "✗ incidents: 0 stopped instances, 1 failed mail, 0 mails of unknown fate" in said.out


def test_the_doctor_finds_a_mail_server_that_is_not_there(
    project: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROCESSION_SMTP_HOST", "127.0.0.1")
    monkeypatch.setenv("PROCESSION_SMTP_PORT", "1")

    said = call("doctor")

    assert said.code == 1
    assert "✗ mail server: 127.0.0.1:1 cannot be reached" in said.out


def test_init_again_changes_nothing_that_is_there(project: Path, call: Call) -> None:
    (project / "processes" / "welcome_new_contact.yaml").unlink()
    before = {
        path: path.read_bytes()
        for path in project.rglob("*")
        if path.is_file() and ".procession" not in path.parts
    }

    said = call("init")

    assert said.code == 0
    assert before == {path: path.read_bytes() for path in before}
    assert not (project / "processes" / "welcome_new_contact.yaml").exists()


def test_init_makes_what_a_project_of_settings_only_is_missing(tmp_path: Path, call: Call) -> None:
    (tmp_path / "procession.toml").write_text('mail_domain = "acme.example"\n', encoding="utf-8")

    said = call("init", str(tmp_path))

    assert "made processes\n  made templates\n" in said.err
    assert "sample data" not in said.err
    assert call("--project", str(tmp_path), "check").code == 0


def test_init_writes_the_schema_that_the_processes_name(new_project: Path) -> None:
    from json import loads

    schema = loads((new_project / ".procession" / "process.schema.json").read_text(encoding="utf-8"))

    assert "send_email" in schema["$defs"]
    first = (
        (new_project / "processes" / "notify_contact_of_meeting.yaml")
        .read_text(encoding="utf-8")
        .splitlines()[0]
    )
    assert first.endswith("$schema=../.procession/process.schema.json")


def test_the_settings_file_of_a_new_project_names_only_what_there_is(new_project: Path) -> None:
    import re

    from flows.settings import described

    text = (new_project / "procession.toml").read_text(encoding="utf-8")
    known = {name.rpartition(".")[2] for name, *_ in described()}

    assert set(re.findall(r"^(?:# )?(\w+) = ", text, re.MULTILINE)) <= known
    assert not re.search(r"env:PROCESSION_", text)


def test_deploy_keeps_prefect_yaml_in_step(project: Path, call: Call) -> None:
    assert call("deploy", "--check").code == 1
    assert not (project / "prefect.yaml").exists()

    assert call("deploy").code == 0

    assert call("deploy", "--check").code == 0
    assert "flows.catalog.notify_contact_of_meeting" in (project / "prefect.yaml").read_text(encoding="utf-8")


def test_a_test_system_says_loudly_that_all_mail_is_redirected(
    greet: Path, call: Call, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = call("email", "new", "--to", "contact:1", "--subject", "a", "--text", "b", "--json").json
    monkeypatch.setenv("PROCESSION_MAIL_REDIRECT_ALL_TO", "tests@us.example")

    ran = call("run", "greet", "-i", "contact=contact:1")
    sent = call("email", "send", str(draft["mail"]))
    doctor = call("doctor")

    assert (ran.code, sent.code) == (0, 0)
    assert "ALL MAIL GOES TO tests@us.example" in ran.err
    assert f"Sent to tests@us.example in place of {draft['to'][0]}." in sent.out
    assert "– redirect: ALL MAIL GOES TO tests@us.example, and none to those it is for" in doctor.out
    assert "✓ mail server" in doctor.out
    assert [mail.recipients for mail in inbox.mails] == [("tests@us.example",)] * 2
    assert draft["to"][0].encode() in inbox.mails[1].data
