"""`parallel`: branches side by side, a scope for each inside one that counts how many are over."""

from dataclasses import replace

from procession.position.frame import taken_along
from procession.position.outcomes import Fork
from procession.position.tree import Scope
from procession.position.way import Way


def enter(way: Way, scope: int, path: str, outcome: Fork) -> None:
    rest = ("continue",) if outcome.rest == "continue" else ()
    count = min(outcome.needed, len(outcome.slots))
    fork = way.hold("fork", scope, path, count=count, rest=rest)
    for slot in outcome.slots:
        names = {"vars": way.vars(scope)}
        way.open("branch", fork.id, path, slot, names=names)
    if not count:
        _join(way, fork)


def left(way: Way, scope: Scope) -> None:
    """One branch is over. What it set is merged at the join; of late ones nothing is."""
    fork = way.scopes[scope.parent]
    if fork.kind != "fork":  # it outlived its join
        way.end(fork.id)
        return
    merged = {**fork.names.get("set", {}), **scope.names.get("set", {})}
    fork = replace(fork, number=fork.number + 1, names={"set": merged} if merged else {})
    way.scopes[fork.id] = fork
    if fork.number == fork.count:
        _join(way, fork)


def _join(way: Way, fork: Scope) -> None:
    if fork.rest:
        outermost = min(way.scopes)
        for branch in list(way.inside(fork.id)):
            names = taken_along(way.plan, way.scopes, branch.id)
            way.scopes[branch.id] = replace(branch, parent=outermost, names=names)
    way.cancel(fork.id)
    way.set_vars(fork.parent, fork.names.get("set", {}))
    way.go_on(fork.parent, fork.path)
