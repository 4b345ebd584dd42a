"""Plans: what the engine is told about a process that has no mistake."""

import textwrap
from datetime import date, timedelta

import pytest

from crm.schema import SCHEMA
from procession.compile import compile_files, compile_text
from procession.expressions import Expression
from procession.mail import Templates
from procession.plan import NO_RETRY, TRANSIENT, Plan, Retry, every_step
from procession.records import record_of
from procession.values import BusinessDays

TEMPLATES = Templates.of_files(
    {
        "hello/subject.txt.j2": "Hello {{ meeting.contact.name }}",
        "hello/body.txt.j2": "{{ meeting.opportunity.account.phone }}{% include '_base/foot.j2' %}",
        "bye/subject.txt.j2": "Bye",
        "bye/body.txt.j2": "{{ recipient.account.website }}",
        "_base/foot.j2": "{{ sender.phone }}",
    }
)
HEAD = """
process: p
inputs: {meeting: {type: record, of: activity}}
triggers: [{manual: {on: activity}}]
"""


def plan(steps: str, head: str = HEAD, templates: Templates = TEMPLATES) -> Plan:
    text = f"{head.lstrip()}steps:\n{textwrap.indent(textwrap.dedent(steps), '  ')}"
    return compile_text(text, "p.yaml", templates, SCHEMA, {"rate"})


def test_a_plan_reads_the_references_that_expressions_follow():
    made = plan(
        """
        - if: meeting.contact.account.country == 'DE' and meeting.subject
          log_history: {text: "{{ meeting.owner.team }}", on: "{{ meeting.opportunity }}"}
        """
    )

    assert made.reads == {"meeting": {("contact",), ("contact", "account"), ("owner",), ("opportunity",)}}


def test_a_plan_reads_what_its_templates_follow_also_through_the_recipient():
    made = plan(
        "- id: a\n  send_email: {to: '{{ meeting.contact }}', template: \"{{ 'hello' if meeting.start else 'bye' }}\"}"
    )

    assert made.reads["meeting"] == {
        ("contact",), ("contact", "account"), ("opportunity",), ("opportunity", "account"),
    }  # fmt: skip


def test_a_plan_reads_what_its_key_its_zone_and_its_history_follow():
    head = (
        HEAD
        + 'key: "{{ meeting.opportunity.account.id }}"\ntimezone: "{{ meeting.owner.timezone }}"\nhistory: {on: "{{ meeting.account }}"}\n'
    )

    assert plan("- stop: x", head).reads["meeting"] == {("opportunity",), ("owner",), ("account",)}


def test_a_name_and_an_id_are_known_without_following():
    assert plan("- log_history: {text: '{{ meeting.contact.name }}', on: '{{ meeting.account }}'}").reads[
        "meeting"
    ] == {("account",)}


def test_loops_and_named_values_are_traced_back_to_the_input():
    made = plan(
        """
        - set: {boss: "{{ meeting.owner }}"}
        - for_each:
            items: "{{ meeting.participants | where(opt_out=false) }}"
            as: who
            steps:
              - notify: {to: "{{ vars.boss }}", text: "{{ who.account.website }}"}
        """
    )

    assert made.reads["meeting"] == {("owner",), ("participants",), ("participants", "account")}


def test_steps_that_find_records_say_what_later_steps_follow_from_them():
    made = plan(
        """
        - id: calls
          read: {entity: activity, where: {type: call}}
        - for_each:
            items: "{{ outputs.calls.records }}"
            steps:
              - if: item.contact.email
                notify: {to: "{{ item.owner }}", text: "{{ outputs.calls.first.account.phone }}"}
        """
    )

    assert made.steps[0].reads == {("contact",), ("owner",), ("account",)}


def test_the_record_of_a_trigger_goes_to_the_only_input_of_its_kind():
    head = HEAD.replace(
        "triggers: [", "triggers: [{id: saved, record: activity, events: [added], if: record.contact.email}, "
    )

    made = plan("- stop: x", head + 'key: "{{ meeting.opportunity.stage }}"\n')

    trigger = made.triggers[0]
    assert isinstance(trigger.inputs["meeting"], Expression)
    assert trigger.inputs["meeting"].source == "record"
    assert trigger.reads == {("contact",), ("opportunity",)}


def test_what_a_trigger_writes_out_for_an_input_has_its_type():
    head = """
process: p
inputs:
  after: {type: duration}
  day: {type: date}
  words: {type: list}
triggers: [{schedule: "0 8 * * 1", inputs: {after: 90m, day: 2026-03-06, words: [a, b]}}]
"""

    (trigger,) = plan("- stop: x", head).triggers

    assert trigger.inputs == {"after": timedelta(minutes=90), "day": date(2026, 3, 6), "words": ("a", "b")}


def test_inputs_have_their_types_and_defaults_have_theirs():
    made = plan(
        "- stop: x",
        """
process: p
inputs:
  contact: {type: record, of: contact, required: false}
  after: {type: duration, default: 2 business days}
  within: {type: duration, default: 90m, min: 1h}
  day: {type: date, default: 2026-03-06}
  size: {type: select, options: [s, l], default: s}
triggers: [{manual: {}}]
""",
    )

    contact, after, within, day, size = made.inputs
    assert (contact.type, contact.required, contact.title) == (record_of("contact"), False, "Contact")
    assert (after.default, after.required) == (BusinessDays(2), False)
    assert (within.default, within.minimum) == (timedelta(minutes=90), timedelta(hours=1))
    assert day.default == date(2026, 3, 6)
    assert (size.default, size.options) == ("s", ("s", "l"))


def test_retries_are_resolved():
    a, b, c, d = plan(
        """
        - {id: m1, send_email: {to: a@x.example, subject: x, text: x}}
        - {id: m2, send_email: {to: a@x.example, subject: x, text: x}, retry: transient}
        - {id: m3, send_email: {to: a@x.example, subject: x, text: x}, retry: {max_attempts: 3, interval: 1m, on: [temporary, permanent]}}
        - {id: m4, send_email: {to: a@x.example, subject: x, text: x}, retry: none}
        """
    ).steps

    assert (a.retry, b.retry, d.retry) == (NO_RETRY, TRANSIENT, NO_RETRY)
    assert c.retry == Retry(max_attempts=3, interval=timedelta(minutes=1), on=("temporary", "permanent"))


def retries(steps: str, head: str = HEAD) -> dict[str, int]:
    """`{path: tries}`"""
    return {step.path: step.retry.max_attempts for step in every_step(plan(steps, head))}


def test_a_retry_around_steps_is_for_every_step_inside_that_names_none():
    tries = retries(
        """
        - id: way
          if: meeting.contact
          then:
            - {id: a, send_email: {to: a@x.example, subject: x, text: x}}
            - {id: b, send_email: {to: a@x.example, subject: x, text: x}, retry: none}
            - id: each
              for_each:
                items: "{{ meeting.participants }}"
                steps:
                  - {id: c, send_email: {to: a@x.example, subject: x, text: x}, retry: {max_attempts: 2}}
                  - {id: d, send_email: {to: a@x.example, subject: x, text: x}}
              retry: {max_attempts: 3}
          else:
            - {id: e, call: {function: rate}}
          retry: {max_attempts: 4}
        - {id: f, send_email: {to: a@x.example, subject: x, text: x}}
        """
    )

    assert tries == {
        "way": 4, "way/then/a": 4, "way/then/b": 1, "way/then/each": 3, "way/then/each/steps/c": 2,
        "way/then/each/steps/d": 3, "way/else/e": 4, "f": 1,
    }  # fmt: skip


def test_what_handles_an_error_goes_by_the_retry_around_the_step_that_failed():
    tries = retries(
        """
        - id: way
          choose:
            branches:
              - when: meeting.contact
                steps:
                  - id: a
                    call: {function: rate}
                    retry: {max_attempts: 2}
                    on_error: [{id: b, send_email: {to: a@x.example, subject: x, text: x}}]
            else: [{id: c, send_email: {to: a@x.example, subject: x, text: x}}]
          retry: {max_attempts: 4}
          on_error: [{id: d, send_email: {to: a@x.example, subject: x, text: x}}]
        """
    )

    assert {path.rpartition("/")[2]: count for path, count in tries.items()} == {
        "way": 4, "a": 2, "b": 4, "c": 4, "d": 1,
    }  # fmt: skip


def test_the_retry_of_a_block_comes_before_that_of_the_defaults():
    tries = retries(
        """
        - {id: a, send_email: {to: a@x.example, subject: x, text: x}}
        - {id: way, if: meeting.contact, then: [{id: b, send_email: {to: a@x.example, subject: x, text: x}}], retry: {max_attempts: 4}}
        """,
        HEAD + "defaults: {send_email: {retry: {max_attempts: 9}}}\n",
    )

    assert tries == {"a": 9, "way": 4, "way/then/b": 4}


def test_a_first_pause_longer_than_the_longest_is_the_longest():
    (step,) = plan(
        "- {id: m5, send_email: {to: a@x.example, subject: x, text: x}, retry: {interval: 2h}}"
    ).steps

    assert (step.retry.interval, step.retry.max_interval) == (timedelta(hours=2), timedelta(hours=2))


def test_a_trigger_by_hand_says_what_it_does():
    (trigger,) = plan(
        "- stop: x", HEAD.replace("{manual: {on: activity}}", "{manual: {on: activity}, title: Do it}")
    ).triggers

    assert trigger.title == "Do it"


@pytest.mark.parametrize(("own", "of_process", "zone"), [
    ("", "", "UTC"), ("", "Asia/Tokyo", "Asia/Tokyo"), ("Europe/Berlin", "Asia/Tokyo", "Europe/Berlin"),
    ("", "{{ c.timezone }}", "UTC"),
])  # fmt: skip
def test_a_schedule_is_in_its_own_zone_else_in_that_of_its_process(own: str, of_process: str, zone: str):
    """Where the process has one that does not depend on what it is about."""
    text = "process: p\ninputs: {c: {type: record, of: contact, required: false}}\n"
    text += f'timezone: "{of_process}"\n' if of_process else ""
    text += f"triggers: [{{schedule: '0 8 * * 1'{f', timezone: {own}' if own else ''}}}]\nsteps: [{{set: {{x: 1}}}}]\n"

    made = compile_text(text, "p.yaml", TEMPLATES, SCHEMA, ())

    assert made.triggers[0].timezone == zone


def test_schedules_are_resolved():
    head = (
        "process: p\ntriggers: [{schedule: '0 8 * * 1', timezone: Europe/Berlin}, {schedule: {every: 15m}}]\n"
    )

    first, second = plan("- stop: x", head).triggers

    assert (first.cron, first.timezone, first.events, first.id) == (
        "0 8 * * 1",
        "Europe/Berlin",
        ("schedule",),
        "schedule_1",
    )
    assert (second.every, second.cron) == (timedelta(minutes=15), "")


def test_a_plan_keeps_the_files_it_was_made_from_and_can_be_made_from_them_again():
    made = plan("- id: a\n  send_email: {to: '{{ meeting.contact }}', template: hello}")

    again = compile_files(made.files, SCHEMA, {"rate"})

    assert list(made.files) == ["_base/foot.j2", "hello/body.txt.j2", "hello/subject.txt.j2", "p.yaml"]
    assert again == made


def test_the_digest_changes_with_the_process_and_with_its_templates_only():
    send = "- id: a\n  send_email: {to: '{{ meeting.contact }}', template: bye}"
    files = TEMPLATES.files("bye") | TEMPLATES.files("hello")

    made = plan(send)

    assert plan(send).digest == made.digest
    assert plan(send, templates=Templates.of_files(files | {"hello/body.txt.j2": "x"})).digest == made.digest
    assert plan(send, templates=Templates.of_files(files | {"bye/body.txt.j2": "x"})).digest != made.digest
    assert plan(send + "  # a comment").digest != made.digest


def test_a_template_that_only_the_run_can_name_pins_all_of_them():
    made = plan("- id: a\n  send_email: {to: '{{ meeting.contact }}', template: '{{ meeting.category }}'}")

    assert {"bye/body.txt.j2", "hello/body.txt.j2"} < set(made.files)


def test_children_come_after_their_parent():
    made = plan(
        """
        - id: way
          if: meeting.contact
          then: [{id: a, stop: x}]
          else: [{id: b, stop: x}]
        """
    )

    assert [step.path for step in every_step(made)] == ["way", "way/then/a", "way/else/b"]


@pytest.mark.parametrize(
    "extra", ["", "errors:\n  - notify: {to: sales, text: '{{ error.message }} {{ outputs.a.state }}'}\n"]
)
def test_errors_see_every_step_before(extra: str):
    made = plan("- id: a\n  send_email: {to: '{{ meeting.contact }}', template: bye}", HEAD + extra)

    assert [step.path for step in made.errors] == (["errors/notify_1"] if extra else [])


# --- whose outputs are kept


MAILS = Templates.of_files(
    {
        **{path: text for name in ("hello", "bye") for path, text in TEMPLATES.files(name).items()},
        "after/subject.txt.j2": "After",
        "after/body.txt.j2": "{% include '_base/count.j2' %}",
        "after/de/subject.txt.j2": "Danach {{ outputs['german'].count }}",
        "after/de/body.txt.j2": "Danach",
        "_base/count.j2": "{{ outputs.shared.count }}",
        "all/subject.txt.j2": "All",
        "all/body.txt.j2": "{% for step in outputs %}{{ step }}{% endfor %}",
        "computed/subject.txt.j2": "Computed",
        "computed/body.txt.j2": "{{ outputs[meeting.subject].count }}",
    }
)
FINDS = "\n".join(
    f"- {{id: {id_}, read: {{entity: contact}}}}"
    for id_ in ("guarded", "written", "shared", "german", "unread")
)


def test_kept_are_the_outputs_that_expressions_read_wherever_they_stand():
    made = plan(
        f"""{FINDS}
- if: outputs.guarded.count > 0
  notify: {{to: sales, text: "There are {{{{ outputs.written.count }}}}"}}
"""
    )

    assert made.kept == {"guarded", "written"}


def test_kept_are_the_outputs_that_a_mail_reads_in_any_language_and_any_of_its_files():
    made = plan(
        f"{FINDS}\n- id: a\n  send_email: {{to: '{{{{ meeting.contact }}}}', template: after}}",
        templates=MAILS,
    )

    assert made.kept == {"shared", "german"}


def test_a_mail_that_is_replied_to_is_kept():
    made = plan(
        """
        - {id: first, send_email: {to: "{{ meeting.contact }}", template: bye}}
        - {id: second, send_email: {to: "{{ meeting.contact }}", template: bye, reply_to: first}}
        """
    )

    assert made.kept == {"first"}


@pytest.mark.parametrize("template", ["all", "computed"])
def test_all_outputs_are_kept_for_a_mail_that_reads_them_as_a_whole_or_by_a_computed_name(template: str):
    made = plan(
        f"{FINDS}\n- id: a\n  send_email: {{to: '{{{{ meeting.contact }}}}', template: {template}}}",
        templates=MAILS,
    )

    assert made.kept == {"guarded", "written", "shared", "german", "unread", "a"}


def test_what_the_errors_section_reads_is_kept():
    made = plan(FINDS, HEAD + "errors: [{notify: {to: sales, text: '{{ outputs.unread.count }}'}}]\n")

    assert made.kept == {"unread"}


# --- where steps stand


def test_every_step_is_located_by_its_path():
    made = plan(
        """
        - id: pick
          choose:
            branches:
              - {when: meeting.contact, steps: [{id: a, stop: x}]}
              - {when: meeting.owner, steps: [{id: b, set: {x: 1}}, {id: c, stop: x}]}
            else: [{id: d, set: {z: 1}}]
          on_error: [{id: e, stop: x}]
        - {id: each, for_each: {items: "{{ meeting.participants }}", steps: [{id: f, set: {y: 1}}]}}
        """,
        HEAD + "errors: [{id: g, stop: x}]\n",
    )

    steps = list(every_step(made))
    assert [place.step for place in made.located.values()] == steps
    assert [place.order for place in made.located.values()] == list(range(len(steps)))
    assert {path: (at.parent, at.slot, at.number) for path, at in made.located.items()} == {
        "pick": ("", "steps", 0),
        "pick/branches/1/a": ("pick", "branches/1", 0),
        "pick/branches/2/b": ("pick", "branches/2", 0),
        "pick/branches/2/c": ("pick", "branches/2", 1),
        "pick/else/d": ("pick", "else", 0),
        "pick/on_error/e": ("pick", "on_error", 0),
        "each": ("", "steps", 1),
        "each/steps/f": ("each", "steps", 0),
        "errors/g": ("", "errors", 0),
    }  # fmt: skip
