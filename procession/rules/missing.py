"""Names that lead nowhere, each told once: at its first use, or at the declaration that is misspelt instead.

An input `opporutnity` whose every use says `opportunity` is one mistake, in the line of the input.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from procession.errors import ReferenceProblem
from procession.expressions import Finding
from procession.model import YamlPath
from procession.rules.typed import Typed, TypedLeaf, problem
from procession.spelling import closest

_SHOWN = 5
_SEVERAL = 2


@dataclass(frozen=True, slots=True)
class Slip:
    """One finding of an expression, as it will be told."""

    found: TypedLeaf
    finding: Finding
    offset: int
    """In the leaf."""


def told_once(typed: Typed, slips: Iterable[Slip]) -> Iterator[ReferenceProblem]:
    """The problems of these slips, one for each name that is missing."""
    by_name: dict[tuple[str, str], list[Slip]] = {}
    for slip in slips:
        finding = slip.finding
        if finding.kind == "missing":
            by_name.setdefault((finding.group, finding.name), []).append(slip)
        else:
            yield problem(
                typed.draft, finding.message, slip.found.leaf.path, finding.hint, offset=slip.offset
            )
    for (group, name), same in by_name.items():
        yield misspelt_declaration(typed, name, group) or _first_of(typed, same)


def _first_of(typed: Typed, same: list[Slip]) -> ReferenceProblem:
    places = sorted(
        (typed.draft.place(s.found.leaf.path, offset=s.offset).line, n) for n, s in enumerate(same)
    )
    first = same[places[0][1]]
    others = list(dict.fromkeys(str(line) for line, _ in places[1:] if line != places[0][0]))
    where = f" (nor in line {', '.join(others[:_SHOWN])}{' …' * (len(others) > _SHOWN)})" if others else ""
    message, hint = first.finding.message + where, first.finding.hint
    return problem(typed.draft, message, first.found.leaf.path, hint, offset=first.offset)


def misspelt_declaration(typed: Typed, name: str, group: str = "") -> ReferenceProblem | None:
    """The problem of a name that was declared almost like this one and is used nowhere, if there is one and
    this one is used more than once: between two single words, the later is the slip."""
    declared = dict(_declared(typed, group))
    near = closest(name, declared)
    if not near or name in declared or _uses(typed, name, group) < _SEVERAL or _is_used(typed, near, group):
        return None
    used = f"{group}.{name}" if group else name
    path, key = declared[near]
    message = f"{near!r} is used nowhere, but {used!r} is"
    return problem(typed.draft, message, path, f"Did you mean {name!r}?", key=key, offset=0)


def _declared(typed: Typed, group: str) -> Iterator[tuple[str, tuple[YamlPath, bool]]]:
    """Every name that the author gave: (name, (its path, whether it stands as a key))."""
    draft = typed.draft
    if not group:
        yield from ((declared.name, (declared.where, True)) for declared in draft.inputs)
    for step in draft.every_step():
        if not group and step.each and step.shape is not None:
            yield step.each, ((*step.where, "for_each", "as"), False)
        elif group == "outputs" and step.named:
            yield step.id, ((*step.where, "id"), False)
        elif group == "vars" and step.kind and step.kind.word == "set":
            yield from ((name, ((*step.where, "set", name), True)) for name in step.fields)


def _is_used(typed: Typed, name: str, group: str) -> bool:
    before = rf"{group}\s*\.\s*" if group else r"\b"
    used = re.compile(rf"{before}{re.escape(name)}\b")
    if any(used.search(expression.source) for found in typed.leaves for expression, _ in found.leaf.spans):
        return True
    steps = typed.draft.every_step()
    return group == "outputs" and any(
        s.fields["reply_to"].value == name for s in steps if "reply_to" in s.fields
    )


def _uses(typed: Typed, name: str, group: str) -> int:
    """How often a missing name is used: in expressions, by triggers, in mail templates."""
    uses = sum((finding.group, finding.name) == (group, name) for finding in _missing(typed))
    if group:
        return uses
    mails = (found for mail in typed.mails for found in mail.problems if isinstance(found, ReferenceProblem))
    given = sum(name in trigger.inputs for trigger in typed.draft.triggers)
    return uses + given + sum(found.missing == name for found in mails)


def missing_names(typed: Typed) -> set[str]:
    """The names that expressions of the process use and that are not there."""
    return {finding.name for finding in _missing(typed) if not finding.group}


def _missing(typed: Typed) -> Iterator[Finding]:
    for found in typed.leaves:
        for checked in found.checks:
            yield from (finding for finding in checked.findings if finding.kind == "missing")
