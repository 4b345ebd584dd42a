"""What is left of instances that somebody had before: where they are, and who of them goes on."""

from collections.abc import Sequence

from procession.conversion import converted
from procession.plan import Plan
from procession.ports import Checkpoint, End, Instance, Ports, Wait


def reopened(
    plan: Plan, begun: Sequence[Instance], ports: Ports
) -> dict[int, tuple[Checkpoint | None, tuple[Wait, ...]]]:
    """`{instance: (where it is, what it waited for)}`."""
    numbers = [instance.id for instance in begun]
    with ports.store.unit(write=False) as unit:
        found, waits = unit.journal.positions(numbers), unit.journal.waits(numbers)
        of_0_1 = [instance for instance in begun if instance.is_of_0_1 and instance.id not in found]
        if of_0_1:
            found |= converted(plan, of_0_1, unit)
    return {number: (found.get(number), waits.get(number, ())) for number in numbers}


def still_running(instances: Sequence[Instance], ports: Ports) -> tuple[list[Instance], list[End]]:
    """Of a batch in which something broke off: those that go on, and what has become of those whose segment is over. They
    have no position any more, or wait: whoever opened them again would begin anew."""
    numbers = [instance.id for instance in instances]
    with ports.store.unit(write=False) as unit:
        now = {one.id: one for one in unit.journal.instances(ids=numbers, limit=len(numbers))}
    over = {
        number: End(number, one.state, result=one.result, error=one.error)
        for number, one in now.items()
        if one.state != "running"
    }
    return [instance for instance in instances if instance.id not in over], list(over.values())
