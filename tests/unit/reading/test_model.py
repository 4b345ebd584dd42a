"""The shape of a process: what comes of a file that is right, and what is made up where an author left it out."""

import textwrap

import pytest

from procession.errors import ProcessErrors
from procession.expressions import Deferred, Expression, Text
from procession.model import Draft, parse
from procession.source import read

HEAD = "process: p\ninputs:\n  contact: {type: record, of: contact}\ntriggers:\n  - manual: {on: contact}\n"


def draft(steps: str, head: str = HEAD) -> Draft:
    return parse(read(f"{head}steps:\n{textwrap.indent(textwrap.dedent(steps), '  ')}", "p.yaml"))


def problems(text: str) -> list[str]:
    try:
        return [f"{p.at}: {p.message}" for p in parse(read(text, "p.yaml")).problems]
    except ProcessErrors as error:
        return [f"{p.at}: {p.message}" for p in error.problems]


def test_a_text_that_is_one_expression_keeps_its_type_and_mixed_text_is_text():
    (step,) = draft('- notify: {to: "{{ contact.owner }}", text: "Hello {{ contact.name }}!"}').steps

    assert isinstance(step.fields["to"].value, Expression)
    assert step.fields["to"].value.source == "contact.owner"
    text = step.fields["text"].value
    assert isinstance(text, Text)
    assert [part if isinstance(part, str) else part.source for part in text.parts] == [
        "Hello ",
        "contact.name",
        "!",
    ]


def test_blank_lines_around_an_expression_do_not_make_it_a_text():
    (step,) = draft("- notify:\n    to: sales\n    text: |\n      {{ contact.name }}\n").steps

    assert isinstance(step.fields["text"].value, Expression)


def test_literal_fields_are_left_alone():
    (step,) = draft(
        "- for_each: {items: '{{ contact.emails }}', as: mail, max: 7, steps: [{stop: done}]}"
    ).steps

    assert step.fields["max"].value == 7
    assert step.each == "mail"


def test_a_word_alone_means_the_first_field_of_some_steps():
    first, second = draft("- log_history: Hello\n- stop: done\n").steps

    assert first.fields["text"].value == "Hello"
    assert second.fields["result"].value == "done"


def test_a_stop_needs_nothing_below_it():
    (step,) = draft("- stop:\n").steps

    assert step.fields == {}


def test_steps_without_an_id_get_one_that_is_free_among_them():
    read_ = draft(
        """
        - stop: a
        - id: stop_2
          stop: b
        - stop: c
        - if: contact.email
          then: [{stop: d}]
          else: [{stop: e}, {stop: f}]
        """
    )

    assert [step.path for step in read_.every_step()] == [
        "stop_1", "stop_2", "stop_3", "if_1", "if_1/then/stop_1", "if_1/else/stop_1", "if_1/else/stop_3",
    ]  # fmt: skip


def test_branches_errors_and_loops_have_paths_of_their_own():
    read_ = draft(
        """
        - id: way
          choose:
            branches:
              - {when: contact.email, steps: [{id: a, stop: x}]}
              - {when: contact.phone, steps: [{id: b, stop: x}]}
            else: [{id: c, stop: x}]
          on_error: [{id: d, stop: x}]
        - for_each: {items: "{{ contact.emails }}", steps: [{id: e, stop: x}]}
        """
    )

    assert [step.path for step in read_.every_step()] == [
        "way", "way/branches/1/a", "way/branches/2/b", "way/else/c", "way/on_error/d", "for_each_1", "for_each_1/steps/e",
    ]  # fmt: skip


def test_the_conditions_of_a_choose_are_left_to_be_worked_out_in_turn():
    (step,) = draft("- choose: {branches: [{when: contact.email, steps: [{stop: x}]}], else: stop}").steps

    (branch,) = step.fields["branches"].value
    assert isinstance(branch["when"], Deferred)
    assert step.fields["else"].value == "stop"


def test_what_is_attached_is_no_condition():
    (step,) = draft(
        "- id: m\n  send_email: {to: a@b.example, template: t, attach: [{invitation: '{{ contact }}'}]}"
    ).steps

    assert isinstance(step.fields["attach"].value[0]["invitation"], Expression)


def test_an_if_beside_a_word_guards_it_and_an_if_with_then_is_a_step():
    guarded, branching = draft(
        "- {if: contact.email, stop: x}\n- {if: contact.email, then: [{stop: x}]}\n"
    ).steps

    assert guarded.guard is not None
    assert guarded.kind is not None
    assert guarded.kind.word == "stop"
    assert branching.guard is None
    assert branching.kind is not None
    assert branching.kind.word == "if"


def test_defaults_stand_in_for_fields_that_a_step_leaves_out():
    head = HEAD + "defaults:\n  notify: {to: sales, subject: Hello, retry: transient}\n"

    first, second = draft("- notify: {text: x}\n- {notify: {text: x, to: me}, retry: none}\n", head).steps

    assert (first.fields["to"].value, first.fields["subject"].value) == ("sales", "Hello")
    assert first.retry is None
    assert first.default_retry is not None
    assert first.default_retry.word == "transient"
    assert second.fields["to"].value == "me"
    assert second.retry is not None
    assert second.retry.word == "none"


def test_the_title_is_made_of_the_id_if_there_is_none():
    assert draft("- stop: x").title == "P"
    assert [step.title for step in draft("- {id: say_hello, stop: x}\n- {name: Bye, stop: x}\n- stop: x").steps] == [
        "Say hello", "Bye", "End the process",
    ]  # fmt: skip


def test_a_python_name_is_no_key_of_the_language():
    assert problems(
        HEAD + "steps:\n  - id: m\n    send_email: {to: a@b.example, from_: x, template: t}\n"
    ) == ["p.yaml:8:35: 'from_' is not a key of 'send_email'"]


def test_mistakes_far_apart_are_told_together():
    found = problems(
        "process: p\nmdoe: single\ntriggers: [{manul: {}}]\nsteps: [{stopp: x}, {user_task: 1h}, {}]\n"
    )

    assert found == [
        "p.yaml:2:1: 'mdoe' is not a key of a process",
        "p.yaml:3:13: 'manul' is not a key of a trigger",
        "p.yaml:4:10: 'stopp' is not a key of a step",
        "p.yaml:4:22: 'user_task' is not available in this version",
        "p.yaml:4:38: this step does nothing",
    ]


@pytest.mark.parametrize(
    "text",
    ["hello", "[1, 2]", "42", "process: [p]\ntriggers: {}\nsteps: 5", "process: p\nsteps: [[], 5, null]"],
)
def test_whatever_a_file_holds_is_a_problem_with_a_place(text: str):
    found = problems(text)

    assert found
    assert all(problem.startswith("p.yaml:") for problem in found)
