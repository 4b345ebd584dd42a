"""What is left of a batch of instances after something broke off in it."""

from collections.abc import Sequence

from procession.ports import End, Instance, Ports


def still_running(instances: Sequence[Instance], ports: Ports) -> tuple[list[Instance], list[End]]:
    """Those that go on, and what has become of those whose segment is over: they have no position any more, so whoever
    opened them again would begin anew."""
    numbers = [instance.id for instance in instances]
    with ports.store.unit(write=False) as unit:
        now = {one.id: one for one in unit.journal.instances(ids=numbers, limit=len(numbers))}
    over = {
        number: End(number, one.state, result=one.result, error=one.error, due=one.due)
        for number, one in now.items()
        if one.state != "running"
    }
    return [instance for instance in instances if instance.id not in over], list(over.values())
