"""Draft → `Typed`: everything a process names is there and fits. One function per rule, `RULES` lists them.

typing_pass.py  gives every value its type, every place the names it can see (naming.py)
typed.py        what the rules look at
the others      the rules, by what they are about
"""

from collections.abc import Callable, Iterable

from procession.errors import ProcessError, ProcessErrors
from procession.model import Draft
from procession.rules.braces import texts_are_no_forgotten_expressions
from procession.rules.effect import keys_have_an_effect
from procession.rules.events import (
    events_are_known,
    events_can_be_found,
    names_are_written_out,
    timeouts_can_be_read,
)
from procession.rules.expressions import expressions_make_sense
from procession.rules.functions import functions_are_registered
from procession.rules.ids import ids_are_unique, steps_have_ids_where_needed
from procession.rules.inputs import input_values_fit, inputs_say_what_they_need
from procession.rules.moments import (
    pauses_are_positive,
    schedules_can_be_read,
    waits_can_be_read,
    written_times_can_be_read,
    zones_are_known,
)
from procession.rules.names import names_can_be_used
from procession.rules.order import every_step_can_be_reached, mode_has_a_key
from procession.rules.people import addresses_are_addresses
from procession.rules.records import changed_fields_are_known, entities_are_known, fields_are_known
from procession.rules.replies import replies_follow_a_mail
from procession.rules.templates import templates_are_there, templates_fit_where_they_are_used
from procession.rules.triggers import triggers_give_the_inputs
from procession.rules.typed import Typed, World
from procession.rules.typing_pass import type_draft
from procession.rules.wanted import fields_get_what_they_need

__all__ = ["RULES", "Rule", "Typed", "World", "check"]

Rule = Callable[[Typed, World], Iterable[ProcessError]]

RULES: tuple[Rule, ...] = (
    ids_are_unique,
    steps_have_ids_where_needed,
    names_can_be_used,
    inputs_say_what_they_need,
    input_values_fit,
    triggers_give_the_inputs,
    schedules_can_be_read,
    zones_are_known,
    entities_are_known,
    changed_fields_are_known,
    fields_are_known,
    expressions_make_sense,
    fields_get_what_they_need,
    texts_are_no_forgotten_expressions,
    written_times_can_be_read,
    waits_can_be_read,
    events_are_known,
    events_can_be_found,
    names_are_written_out,
    timeouts_can_be_read,
    pauses_are_positive,
    addresses_are_addresses,
    templates_are_there,
    templates_fit_where_they_are_used,
    replies_follow_a_mail,
    functions_are_registered,
    mode_has_a_key,
    every_step_can_be_reached,
    keys_have_an_effect,
)


LATER_THAN_0_1 = (keys_have_an_effect,)
"""Rules that a version which was published before them need not keep: it goes on as it did."""


def check(draft: Draft, world: World, *, pinned: bool = False) -> Typed:
    """The draft, proved: whatever it names is there. `pinned`: it was proved when it was published.

    Raises:
        ProcessErrors: every problem at once, those of its shape too; each place has one for each mistake.
    """
    typed = type_draft(draft, world)
    rules = [rule for rule in RULES if not pinned or rule not in LATER_THAN_0_1]
    found = [*draft.problems, *(problem for rule in rules for problem in rule(typed, world))]
    if found:
        once = {(str(problem.at), problem.message): problem for problem in reversed(found)}
        raise ProcessErrors(f"{draft.document.file} has mistakes", problems=tuple(once.values()))
    return typed
