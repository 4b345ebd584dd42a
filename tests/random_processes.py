"""Random processes of every construct, for tests that run them: short ones, whose end can be compared.

What they print of `vars.at`, `vars.total` and the items of loops shows whether values survive; nothing they write depends
on the hour at which it is done.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from hypothesis import strategies as st

FUNCTIONS = ("boom", "flaky", "echo")
GONE = "gone@acme.example"
"""An address that the mail server refuses, while it takes the mail for others."""

Draw = Any
Step = dict[str, Any]

KEPT = "{{ vars.at }}, {{ vars.at | time }}, {{ vars.total }}, {{ vars.seen | join('-') }}"
BIG = "so much that it is kept by itself " * 40
MANY = f"{{{{ ['{BIG[:600]}', '{BIG[:601]}'] }}}}"
TRY_AGAIN = {"max_attempts": 3, "interval": "1m", "jitter": 0}
BEGINNING = {
    "id": "begin",
    "set": {
        "total": 0, "seen": "{{ ['start'] }}",
        "at": "{{ moment('2026-03-06 23:30') | in_zone('Asia/Kolkata') }}",
    },
}  # fmt: skip


def _effects(n: int, items: str) -> list[list[Step]]:
    """Steps that leave something behind."""
    on = "{{ deal }}"
    caught = {"id": f"mend{n}", "log_history": {"text": "{{ error.message }} {{ error.step }}", "on": on}}
    return [
        [{"id": f"log{n}", "log_history": {"text": f"note {n} {items}: {KEPT}", "on": on}}],
        [{"id": f"mail{n}", "send_email": {"to": "ann@acme.example", "subject": f"Hello {n} {items}", "text": KEPT}},
         {"id": f"said{n}", "log_history": f"it was {{{{ outputs.mail{n}.state }}}}"}],
        [{"id": f"many{n}", "send_email": {
            "to": ["ann@acme.example", GONE], "cc": "bob@us.example", "subject": f"To many {n} {items}", "text": "Hi"}},
         {"id": f"who{n}", "log_history": f"many: {{{{ outputs.many{n}.state }}}}"}],
        [{"id": f"refused{n}", "send_email": {"to": GONE, "subject": "To nobody", "text": "Hi"}, "on_error": [caught]}],
        [{"id": f"draft{n}", "send_email": {
            "to": "ann@acme.example", "subject": f"Draft {n} {items}", "text": "…", "send": "draft"}}],
        [{"id": f"held{n}", "send_email": {
            "to": "ann@acme.example", "subject": f"Held {n} {items}", "text": "…", "undo": "2 minutes"}},
         {"id": f"went{n}", "log_history": f"held: {{{{ outputs.held{n}.state }}}}"}],
        [{"id": f"still{n}", "send_email": {
            "to": "ann@acme.example", "subject": f"Still {n} {items}", "text": KEPT, "undo": "1 hour", "still": "deal.amount > 8"}},
         {"id": f"kept{n}", "log_history": f"still: {{{{ outputs.still{n}.state }}}}"}],
        [{"id": f"wait{n}", "wait": {"for": "1 hour"}}, {"id": f"after{n}", "log_history": f"waited {n} {items}: {KEPT}"}],
        [{"id": f"until{n}", "wait": {"until": "2026-03-06T10:00+01:00"}}, {"id": f"then{n}", "log_history": f"then {n}"}],
        *([{"id": f"past{n}", "wait": {"until": "{{ moment('2026-03-01 10:00') }}", "if_past": if_past}},
           {"id": f"next{n}", "log_history": f"next {n} {items}"}, {"id": f"rest{n}", "log_history": f"rest {n} {items}"}]
          for if_past in ("run", "skip", "end_branch")),
        [{"id": f"tell{n}", "send_message": {"name": f"done {n}", "about": on, "data": {"n": n, "items": f"i{items}"}}},
         {"id": f"heard{n}", "wait_for": {"message": f"done {n}", "match": "event.data.items == 'i" + items.replace("{{ ", "' ~ ").replace(" }}", " ~ '") + "'"}},
         {"id": f"word{n}", "log_history": f"heard {{{{ outputs.heard{n}.data.n }}}} {items}"}],
        [{"id": f"late{n}", "wait_for": {"message": "never", "of": "any"}, "timeout": "1 hour",
          "on_timeout": [{"id": f"gaveup{n}", "log_history": f"nothing {n} {items} {{{{ error.class }}}}"}]}],
        [{"id": f"first{n}", "wait_for": [
            {"message": "never", "of": "any", "then": [{"id": f"no{n}", "log_history": "never"}]},
            {"until": "2026-03-06T10:00+01:00", "then": [{"id": f"yes{n}", "log_history": f"moment {n} {items}"}]}]}],
        [{"id": f"team{n}", "notify": {"to": "sales", "subject": f"Team {n} {items}", "text": KEPT}}],
        [{"id": f"call{n}", "create_activity": {
            "type": "call", "subject": f"Call {n} {items}", "connected_to": ["{{ deal }}"]}}],
        [{"id": f"made{n}", "create": {"entity": "account", "values": {"name": f"Made {n} {items}"}}},
         {"id": f"gone{n}", "if": f"outputs.made{n}.record", "delete": {"record": f"{{{{ outputs.made{n}.record }}}}"}},
         {"id": f"told{n}", "log_history": f"there was {{{{ outputs.made{n}.record.name | default('nothing') }}}}"}],
        [{"id": f"change{n}", "update": {"record": on, "values": {"amount": "{{ deal.amount + 1 }}"}}}],
        [{"id": f"find{n}", "read": {"entity": "activity", "where": {"type": "call"}, "order": "id"}},
         {"id": f"found{n}", "log_history": f"{{{{ outputs.find{n}.count }}}} calls"}],
        [{"id": f"add{n}", "set": {"total": f"{{{{ vars.total + {n} }}}}", "last": f"{n} {items}"}}],
        [{"id": f"zone{n}", "set": {"at": "{{ vars.at | in_zone('America/New_York') }}"}}],
        [{"id": f"boom{n}", "call": {"function": "boom", "args": {"n": n}}, "on_error": [caught]}],
        [{"id": f"flaky{n}", "call": {"function": "flaky", "args": {"n": n}}, "retry": TRY_AGAIN},
         {"id": f"echo{n}", "call": {"function": "echo", "args": {"text": f"{{{{ outputs.flaky{n}.value }}}} {items}"}}}],
        [{"id": f"big{n}", "call": {"function": "echo", "args": {"text": BIG}}},
         {"id": f"size{n}", "log_history": f"{{{{ outputs.big{n}.value | length }}}} characters"}],
        [{"id": f"guard{n}", "if": "deal.amount > 8", "log_history": {"text": f"big {n}", "on": on}}],
    ]  # fmt: skip


@st.composite
def processes(draw: Draw) -> Mapping[str, Any]:
    """A process of a dozen steps or so in nested conditions, choices and loops."""
    numbers = iter(range(1, 1000))
    steps = [BEGINNING, *_list(draw, numbers, 2), *_list(draw, numbers, 1)]
    if draw(st.integers(0, 2)) == 0:
        steps.append({"id": "last", "delete": {"record": "{{ deal }}"}})
        steps.append({"id": "lost", "log_history": {"text": "{{ deal.name }} is gone", "on": "{{ acme }}"}})
    process = {
        "process": "random", "title": "Random",
        "inputs": {"deal": {"type": "record", "of": "opportunity"}, "acme": {"type": "record", "of": "account"}},
        "triggers": [{"manual": {"on": "opportunity"}}],
        "mode": "parallel",
        "timezone": draw(st.sampled_from(["Europe/Berlin", "America/New_York"])),
        "history": {"on": "{{ deal }}"},
        "steps": steps,
    }  # fmt: skip
    if draw(st.booleans()):
        process["errors"] = [
            {
                "id": "sorry",
                "log_history": {"text": "{{ error.message }}: {{ vars.total }}", "on": "{{ deal }}"},
            },
            *_list(draw, numbers, 0),
        ]
    return process


def _list(draw: Draw, numbers: Iterator[int], depth: int, items: str = "") -> list[Step]:
    found: list[Step] = []
    for _ in range(draw(st.integers(1, 2))):
        found += draw(st.sampled_from(_effects(next(numbers), items)))
    if depth and draw(st.integers(0, 3)):
        found.append(_flow(draw, numbers, depth - 1, items))
    return found


def _flow(draw: Draw, numbers: Iterator[int], depth: int, items: str) -> Step:
    """A step with steps inside, which may catch what fails there, or say how it is tried again."""
    n = next(numbers)

    def inside(more: str = "") -> list[Step]:
        return _list(draw, numbers, depth, f"{items} {more}".strip())

    kind = draw(st.sampled_from(["if", "choose", "choose all", "for_each", "for_each", "stop"]))
    condition = st.sampled_from(["deal.amount > 8", "not deal.name", "vars.total > 5"])
    step: Step = {"id": f"flow{n}"}
    if kind == "if":
        step |= {"if": draw(condition), "then": inside(), "else": inside()}
    elif kind == "for_each":
        step["for_each"] = {
            "items": draw(st.sampled_from(["{{ ['a', 'b'] }}", "{{ vars.seen }}", "{{ [1, 2, 3] }}", MANY])), "as": f"x{n}",
            "steps": inside(f"{{{{ x{n} }}}}"),
        }  # fmt: skip
        step["for_each"]["steps"].append({"id": f"sum{n}", "set": {"total": "{{ vars.total + 1 }}"}})
    elif kind == "stop":
        end = draw(st.sampled_from(["enough", {"error": "never again"}]))
        return step | {"if": draw(condition), "then": [{"stop": end}]}
    else:
        branches = [{"when": draw(condition), "steps": inside()} for _ in range(draw(st.integers(1, 3)))]
        step["choose"] = {"branches": branches, "match": "all" if kind == "choose all" else "first"}
        step["choose"]["else"] = draw(st.sampled_from(["stop", None])) or inside()
    more = draw(st.sampled_from(["", "", "on_error", "retry"]))
    if more == "on_error":
        text = {"text": "caught {{ error.message }}", "on": "{{ deal }}"}
        step["on_error"] = [{"id": f"caught{n}", "log_history": text}, *inside()]
    elif more == "retry":  # for a step inside that says nothing itself
        step["retry"] = TRY_AGAIN
        _inside(step).append({"id": f"limps{n}", "call": {"function": "flaky", "args": {"n": n}}})
    return step


def _inside(step: Step) -> list[Step]:
    """Steps that may be taken there."""
    if "choose" in step:
        found: list[Step] = step["choose"]["branches"][0]["steps"]
    else:
        found = step["for_each"]["steps"] if "for_each" in step else step["then"]
    return found
