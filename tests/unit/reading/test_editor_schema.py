"""The JSON Schema for editors agrees with the parser."""

from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from procession.editor_schema import editor_schema
from procession.errors import ProcessErrors, ShapeProblem
from procession.model import parse
from procession.source import read
from procession.steps import STEPS

ROOT = Path(__file__).parents[3]
VALID = Draft202012Validator(editor_schema())
ONLY_THE_PARSER = {
    "condition_in_braces", "expression_not_closed", "statement_in_a_text", "file_of_another_name", "template_and_text",
    "defaults_are_checked_in_each_step", "field_without_value", "unreadable_duration", "wait_that_may_be_over_already",
}  # fmt: skip
"""Cases whose mistakes no schema can see."""


def shape_cases() -> list[str]:
    """Golden cases with a mistake of shape."""
    found = []
    for file in sorted((ROOT / "tests/golden/cases").glob("*.yaml")):
        try:
            problems = parse(read(file.read_bytes(), file.name)).problems
        except ProcessErrors as error:
            problems = error.problems
        if any(isinstance(problem, ShapeProblem) for problem in problems):
            found.append(file.stem)
    return found


def test_it_is_a_schema():
    Draft202012Validator.check_schema(editor_schema())


@pytest.mark.parametrize("file", sorted((ROOT / "processes").glob("*.yaml")), ids=lambda file: file.stem)
def test_the_processes_that_come_along_follow_it(file: Path):
    assert [error.message for error in VALID.iter_errors(read(file.read_bytes(), file.name).value)] == []


@pytest.mark.parametrize("name", [name for name in shape_cases() if name not in ONLY_THE_PARSER])
def test_a_mistake_of_shape_breaks_it(name: str):
    text = (ROOT / "tests/golden/cases" / f"{name}.yaml").read_bytes()

    assert not VALID.is_valid(read(text, f"{name}.yaml").value)


def test_every_kind_of_step_and_each_of_its_fields_is_explained():
    schema = editor_schema()

    for kind in STEPS:
        fields = schema["$defs"]["Source" if kind.whole else kind.word].get("properties", {})
        assert all(field.get("title") for field in fields.values()), kind.word
    assert set(schema["$defs"]["Step"]["properties"]) >= {kind.word for kind in STEPS}


def test_a_step_does_exactly_one_thing():
    step = {"notify": {"to": "a", "text": "b"}}
    process = {"process": "p", "triggers": [{"manual": None}]}

    assert VALID.is_valid({**process, "steps": [step]})
    assert not VALID.is_valid({**process, "steps": [{**step, "stop": "x"}]})
    assert not VALID.is_valid({**process, "steps": [{"id": "a"}]})
    assert VALID.is_valid({**process, "steps": [{"if": "x", "then": [step]}]})
    assert not VALID.is_valid({**process, "steps": [{"then": [step]}]})
