"""What the rules let pass: constructs that look odd and are right. What they find is in tests/golden."""

import textwrap

import pytest

from crm.schema import SCHEMA
from procession.compile import compile_text
from procession.mail import Templates

TEMPLATES = Templates.of_files(
    {"hello/subject.txt.j2": "Hello", "hello/body.txt.j2": "{{ meeting.subject }} {{ tone }}"}
)
HEAD = """process: p
inputs:
  meeting: {type: record, of: activity}
  days: {type: int, default: 2}
triggers: [{manual: {on: activity}}]
"""

RIGHT = {
    "addresses of several kinds": """
        - id: a
          send_email:
            to: ["{{ meeting.contact }}", "Bob <bob@acme.example>", "{{ meeting.owner.email }}"]
            cc: "{{ meeting.participants }}"
            from: "{{ meeting.owner.mailbox }}"
            subject: "{{ days }}"
            text: "{{ meeting.start }}"
        """,
    "a template with a name of its own": """
        - id: a
          send_email: {to: "{{ meeting.contact }}", template: hello, with: {tone: "{{ meeting.priority }}"}}
        """,
    "a reply to the mail before it": """
        - id: a
          send_email: {to: "{{ meeting.contact }}", subject: Hello, text: Hello}
        - id: b
          send_email: {to: "{{ meeting.contact }}", subject: Hello, text: Hello, reply_to: a}
        """,
    "a reply to a mail of a branch": """
        - if: meeting.contact
          then:
            - id: a
              send_email: {to: "{{ meeting.contact }}", subject: Hello, text: Hello}
        - id: b
          send_email: {to: "{{ meeting.contact }}", subject: Hello, text: Hello, reply_to: a}
        """,
    "outputs of an earlier branch where all branches are taken": """
        - choose:
            match: all
            branches:
              - {when: days > 1, steps: [{id: n, read: {entity: contact}}]}
              - {when: days > 2, steps: [{stop: "{{ outputs.n.count }}"}]}
            else: stop
        """,
    "one loop after another with the same variable": """
        - for_each: {items: "{{ meeting.participants }}", steps: [{notify: {to: sales, text: "{{ item.name }}"}}]}
        - for_each: {items: "{{ [1, 2] }}", steps: [{notify: {to: sales, text: "{{ item + 1 }}"}}]}
        - for_each: {items: [1, 2], steps: [{notify: {to: sales, text: "{{ item }}"}}]}
        """,
    "a value that counts": """
        - set: {count: 0}
        - for_each: {items: "{{ meeting.participants }}", steps: [{set: {count: "{{ vars.count + 1 }}"}}]}
        - if: vars.count > 1
          stop: several
        """,
    "moments in every form": """
        - create_activity: {type: call, subject: a, due: 1 business day}
        - create_activity: {type: call, subject: a, due: 2026-03-06T10:00+01:00}
        - create_activity: {type: call, subject: a, due: "{{ meeting.start + duration('1h') }}", start: "{{ meeting.start }}"}
        - update: {record: "{{ meeting }}", values: {due: 2026-03-06, start: "{{ now() }}", location: "{{ meeting.location }}"}}
        """,
    "a field is cleared": """
        - update: {record: "{{ meeting }}", values: {location: null}}
        """,
    "one of several values is looked for": """
        - id: a
          read: {entity: activity, where: {type: [call, task], owner: "{{ meeting.owner }}", id: 5}, order: -due, limit: 5}
        """,
    "a choice made by an expression": """
        - update: {record: "{{ meeting }}", values: {status: "{{ 'done' if days > 1 else 'planned' }}"}}
        """,
    "a step after one that stops only sometimes": """
        - if: meeting.contact
          stop: x
        - if: days > 1
          then: [{stop: x}]
        - choose: {branches: [{when: days > 2, steps: [{stop: x}]}], else: [{log_history: {text: x, on: "{{ meeting }}"}}]}
        - stop: y
        """,
    "the error of a step in what follows it": """
        - notify: {to: sales, text: x}
          on_error:
            - if: error.class == 'temporary'
              stop: "{{ error.message }}"
        """,
    "names below inputs": """
        - if: inputs.meeting.subject and inputs.days > 1 and process.title and trigger.event != 'manual'
          stop: x
        """,
}  # fmt: skip


@pytest.mark.parametrize("steps", RIGHT.values(), ids=RIGHT)
def test_what_is_right_is_no_problem(steps: str):
    text = HEAD + "steps:\n" + textwrap.indent(textwrap.dedent(steps).strip("\n"), "  ") + "\n"

    plan = compile_text(text, "p.yaml", TEMPLATES, SCHEMA, ())

    assert plan.steps
