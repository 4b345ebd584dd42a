"""Reading anything: only problems come out, places point at what they name, and plans hold together."""

import json
import random
import string
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from crm.schema import SCHEMA
from procession.compile import compile_text, load
from procession.errors import ProcessErrors
from procession.mail import Templates
from procession.plan import Plan, every_step
from procession.source import read

ROOT = Path(__file__).parents[2]
TEMPLATES = Templates(ROOT / "templates")
SHIPPED = {file.stem: file.read_text("utf-8") for file in sorted((ROOT / "processes").glob("*.yaml"))}
ODD = list("\t\n\r \x00\x85\u2028\ufeff\ud7ff{}[]:,-?#&*!|>'\"%@`\\~.é🎉")


def compiles(text: str | bytes, name: str = "p") -> Plan | None:
    """The plan, or None if there are problems, all with a place."""
    try:
        return compile_text(text, f"{name}.yaml", TEMPLATES, SCHEMA, ())
    except ProcessErrors as error:
        problems = error.problems
    assert problems
    for problem in problems:
        assert problem.at is not None
        assert problem.at.line >= 1
        assert 1 <= problem.at.column <= len(problem.at.excerpt) + 1
        assert str(problem)
    return None


@given(st.text(alphabet=st.one_of(st.sampled_from(ODD), st.characters()), max_size=200))
@settings(max_examples=600, deadline=None)
@example("\ufeff")
@example('a: "\\xzz"')
@example('a: "\\U00110000"')
@example("!<tag:x> a")
@example("%TAG ! tag:x\n---\n!a b")
@example("- - - ? : {{}}")
def test_any_text_is_read_or_refused_with_places(text: str):
    compiles(text)


@given(st.binary(max_size=100))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_read_or_refused(data: bytes):
    compiles(data)


@given(st.sampled_from(sorted(SHIPPED)), st.randoms(use_true_random=False))
@settings(max_examples=400, deadline=None)
def test_a_slip_anywhere_in_a_process_is_read_or_refused(name: str, chance: random.Random):
    text = SHIPPED[name]

    for _ in range(chance.randint(1, 3)):
        text = _slip(text, chance)

    compiles(text, name)


def _slip(text: str, chance: random.Random) -> str:
    at = chance.randrange(len(text))
    match chance.randrange(5):
        case 0:
            return text[:at] + text[at + chance.randint(1, 30) :]
        case 1:
            return text[:at] + chance.choice([*ODD, *string.ascii_letters]) + text[at:]
        case 2:
            return text[:at] + text[at + 1 : at + 2] + text[at : at + 1] + text[at + 2 :]
        case 3:
            other = chance.randrange(len(text))
            return text[:at] + text[other : other + 40] + text[at:]
    lines = text.split("\n")
    chance.shuffle(lines) if chance.random() < 0.1 else lines.pop(chance.randrange(len(lines)))
    return "\n".join(lines)


PLAIN = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**6), 10**6), st.floats(allow_nan=False), st.sampled_from([*SHIPPED, "", "{{ x }}", "{{", "{%", "stop", "1 day"]), st.text(max_size=8)
)  # fmt: skip
WORDS = st.sampled_from([
    "process", "title", "inputs", "triggers", "steps", "key", "mode", "history", "defaults", "errors", "type", "of", "on",
    "record", "events", "if", "then", "else", "id", "send_email", "to", "template", "choose", "branches", "when", "for_each",
    "items", "as", "stop", "read", "entity", "where", "set", "values", "update", "retry", "schedule", "manual", "default", "min",
])  # fmt: skip
TREES = st.recursive(
    PLAIN,
    lambda below: st.one_of(st.lists(below, max_size=4), st.dictionaries(WORDS, below, max_size=5)),
    max_leaves=30,
)


@given(st.dictionaries(WORDS, TREES, max_size=8))
@settings(max_examples=400, deadline=None)
def test_any_values_under_the_words_of_the_language_are_refused_with_places(tree: dict):
    compiles(json.dumps({"process": "p", "triggers": [{"manual": {}}], "steps": [{"stop": "x"}], **tree}))


def _paths(value: object, path: tuple = ()):
    yield path, value
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _paths(item, (*path, key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _paths(item, (*path, number))


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_every_place_points_at_its_text(name: str):
    document = read(SHIPPED[name], f"{name}.yaml")

    for path, value in _paths(document.value):
        if path and isinstance(path[-1], str):
            key = document.place(path, key=True)
            assert key.excerpt[key.column - 1 :].startswith(path[-1])
        if isinstance(value, str):
            for offset, character in enumerate(value):
                place = document.place(path, offset=offset)
                if not character.isspace():
                    assert place.excerpt[place.column - 1] in (character, "\\")


@given(
    st.text(alphabet=st.sampled_from("ab '\"\\:{}#\n\té🎉-|>"), min_size=1, max_size=40),
    st.sampled_from(["'", '"', "|2", ">2"]),
    st.data(),
)
@settings(max_examples=500, deadline=None)
def test_a_character_is_found_in_every_style(text: str, style: str, data: st.DataObject):
    """Written in one of YAML's styles, each visible character of the value is where its place says."""
    document = read(_written(text, style), "p.yaml")
    value = document.value["a"]
    visible = [n for n, character in enumerate(value) if character not in " \t\n"]
    if not visible:
        return

    offset = data.draw(st.sampled_from(visible))
    place = document.place(["a"], offset=offset)

    found = place.excerpt[place.column - 1]
    assert found == value[offset] or (style == '"' and found == "\\")


def _written(text: str, style: str) -> str:
    if style == "'":
        return f"a: '{' '.join(text.split()).replace(chr(39), chr(39) * 2)}'\nb: x\n"
    if style == '"':
        escaped = (
            text.replace("\\", "\\\\")
            .replace('"', '\\"')
            .replace("\n", "\\n")
            .replace("\t", "\\t")
            .replace("é", "\\u00e9")
        )
        return f'a: "{escaped}"\nb: x\n'
    lines = text.replace("\t", " ").split("\n")
    return f"a: {style}\n" + "".join(f"  {line}\n" for line in lines) + "b: x\n"


def test_no_plan_refers_to_a_step_that_is_not_there():
    plans = load(ROOT / "processes", TEMPLATES, SCHEMA, ())

    for plan in plans.values():
        steps = list(every_step(plan))
        assert len({step.path for step in steps}) == len(steps)
        for step in steps:
            answered = step.fields.get("reply_to")
            assert not answered or any(other.id == answered for other in steps)
            for slot, children in step.slots.items():
                assert all(child.path.startswith(f"{step.path}/{slot}/") for child in children)


STEP = st.deferred(lambda: st.one_of(SIMPLE, BRANCH, CHOICE, LOOP))
NAMED = st.sampled_from("abcdefgh")
SIMPLE = st.one_of(
    st.builds(lambda id_: {"id": id_, "read": {"entity": "contact"}}, NAMED),
    st.builds(lambda id_: {"notify": {"to": "sales", "text": f"{{{{ outputs.{id_}.count }}}}"}}, NAMED),
    st.builds(lambda id_, to: {"id": id_, "send_email": {"to": "a@b.example", "subject": "x", "text": "x", "reply_to": to}}, NAMED, NAMED),
    st.builds(lambda id_: {"id": id_, "send_email": {"to": "a@b.example", "subject": "x", "text": "x"}}, NAMED),
    st.just({"stop": "done"}),
)  # fmt: skip
STEPS_ = st.lists(STEP, min_size=1, max_size=3)
BRANCH = st.builds(lambda yes, no: {"if": "1 > 2", "then": yes, "else": no}, STEPS_, STEPS_)
CHOICE = st.builds(
    lambda a, b: {"choose": {"branches": [{"when": "1 > 2", "steps": a}], "else": b}}, STEPS_, STEPS_
)
LOOP = st.builds(
    lambda steps, each: {"for_each": {"items": "{{ [1] }}", "as": each, "steps": steps}},
    STEPS_,
    st.sampled_from(["x", "y"]),
)


@given(STEPS_)
@settings(max_examples=400, deadline=None)
def test_whatever_steps_are_written_a_plan_reads_only_earlier_ones(steps: list):
    plan = compiles(json.dumps({"process": "p", "triggers": [{"manual": {}}], "steps": steps}))

    if plan:
        order = list(every_step(plan))
        ids = [step.id for step in order]
        for number, step in enumerate(order):
            answered = step.fields.get("reply_to")
            assert not answered or answered in ids[:number]
