"""What an author sees for every mistake we thought of: `cases/NAME.yaml` and the printed problems in `NAME.expected`.

`pytest tests/golden --update-golden` writes what is printed now; review the difference.
"""

import re
from pathlib import Path

import pytest

from crm.schema import SCHEMA
from procession.compile import compile_text
from procession.errors import ProcessError, ProcessErrors, ReferenceProblem, ShapeProblem, SyntaxProblem
from procession.mail import Templates
from procession.mail.library import read_files
from procession.model import parse
from procession.rules import RULES, World
from procession.rules.typing_pass import type_draft
from procession.source import read

HERE = Path(__file__).parent
CASES = sorted(path.stem for path in (HERE / "cases").glob("*.yaml"))
TEMPLATES = Templates.of_files(read_files(HERE / "templates"), label="templates")
FUNCTIONS = {"credit_rating": None}


def mistakes(name: str) -> ProcessErrors:
    text = (HERE / "cases" / f"{name}.yaml").read_bytes()
    with pytest.raises(ProcessErrors) as caught:
        compile_text(text, f"{name}.yaml", TEMPLATES, SCHEMA, FUNCTIONS)
    return caught.value


def printed(name: str) -> str:
    return "".join(f"{problem}\n" for problem in mistakes(name).problems)


@pytest.mark.parametrize("name", CASES)
def test_a_mistake_is_told_where_it_was_made(name: str, request: pytest.FixtureRequest):
    expected = HERE / "cases" / f"{name}.expected"

    found = printed(name)

    if request.config.getoption("--update-golden"):
        expected.write_text(found, encoding="utf-8")
    assert found == expected.read_text(encoding="utf-8")


# --- the cases as a whole

MEANT = {
    "acount": "account", "canceled": "cancelled", "cal": "call", "contcat": "contact", "contct": "contact",
    "credit_ratng": "credit_rating", "cuont": "count", "dat": "date", "deu": "due", "durtion": "duration", "emial": "email",
    "Europe/Berln": "Europe/Berlin", "Europe/Berlni": "Europe/Berlin", "Berlin": "Europe/Berlin", "form": "from",
    "frist_name": "first_name", "helo": "hello", "hihg": "high", "invte": "invite", "is_meting": "is_meeting",
    "in_progres": "in_progress", "max_attemps": "max_attempts", "meetnig": "meeting", "persno": "person", "temprary": "temporary",
    "Europe/Brelin": "Europe/Berlin", "langauge": "language", "location": "meeting.location", "locatoin": "location", "log_histroy": "log_history",
    "mesage": "message", "meting": "meeting", "meetng": "meeting",
    "modifed": "modified", "naem": "name", "nmae": "name", "notfy": "notify", "on": "triggers", "ownr": "owner",
    "peopel": "people", "plannd": "planned", "planed": "planned", "raed": "read", "record_saved": "record", "recrd": "record",
    "remnder": "reminder", "Say-Hello": "say_hello", "Size": "size", "my-value": "my_value", "send_mail": "send_email",
    "sngle": "single", "statsu": "status", "stauts": "status", "strat": "start", "subjct": "subject", "switch": "choose",
    "activty": "activity", "tema": "team", "templat": "template", "templte": "template", "titel": "title",
    "transeint": "transient", "txt": "text", "uper": "upper", "wellcome": "welcome", "welcom": "welcome", "count": "length",
}  # fmt: skip
"""The misspelt words in the cases, and the words that were meant."""


def every_problem() -> list[ProcessError]:
    return [problem for name in CASES for problem in mistakes(name).problems]


def word_at(problem: ProcessError) -> str:
    assert problem.at is not None
    found = re.match(r"['-]?([\w/-]+)", problem.at.excerpt[problem.at.column - 1 :])
    return found[1] if found else ""


def test_there_are_many_cases_each_with_its_expectation():
    expected = sorted(path.stem for path in (HERE / "cases").glob("*.expected"))

    assert len(CASES) >= 100
    assert expected == CASES


def test_every_class_of_problem_is_among_them():
    assert {type(problem) for problem in every_problem()} == {SyntaxProblem, ShapeProblem, ReferenceProblem}


def test_every_rule_is_among_them():
    world = World(SCHEMA, TEMPLATES, FUNCTIONS)
    broken = set()
    for name in CASES:
        try:
            draft = parse(read((HERE / "cases" / f"{name}.yaml").read_bytes(), f"{name}.yaml"))
        except ProcessErrors:
            continue
        typed = type_draft(draft, world)
        broken |= {rule for rule in RULES if any(True for _ in rule(typed, world))}

    assert set(RULES) - broken == set()


def test_the_caret_stands_under_the_misspelt_word_and_the_hint_has_the_right_one():
    misspelt = [(word, problem) for problem in every_problem() if (word := word_at(problem)) in MEANT]

    right = {word for word, problem in misspelt if re.search(rf"\b{MEANT[word]}\b", problem.hint)}

    assert {word for word, _ in misspelt} == {*MEANT}
    assert {*MEANT} - right == set()


def test_every_problem_says_what_to_do_or_speaks_for_itself():
    silent = [problem.message for problem in every_problem() if not problem.hint]

    assert len(silent) <= 0.1 * len(every_problem()), silent


def test_no_case_is_told_twice_at_one_place():
    for name in CASES:
        places = [(str(problem.at), problem.message) for problem in mistakes(name).problems]
        assert len(places) == len(set(places)), name
