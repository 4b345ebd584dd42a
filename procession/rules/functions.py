"""`call` calls what the application registered."""

from collections.abc import Iterable

from procession.errors import ReferenceProblem
from procession.rules.typed import Typed, World, problem
from procession.spelling import did_you_mean, one_of


def functions_are_registered(typed: Typed, world: World) -> Iterable[ReferenceProblem]:
    for step in typed.draft.every_step():
        name = step.fields["function"].value if "function" in step.fields else None
        if isinstance(name, str) and name not in world.functions:
            known = sorted(world.functions)
            there = f"There is {one_of(known)}." if known else "None is registered; see flows/functions.py."
            hint = did_you_mean(name, known) or there
            yield problem(
                typed.draft,
                f"there is no function {name!r}",
                (*step.where, "call", "function"),
                hint,
                offset=0,
            )
