"""The way of one instance through its plan, as data: where it is, what is next, where it is then.

tree      scopes and tokens: the position, and its JSON
outcomes  what can come of a turn
moving    begin, turns, proceed: the only way from one position to the next
names     what the way gave names to
way       a position while it is moved; on it stand the constructs, a file each:
          sequence, loop, repeat, fork, children, events, errors
"""

from procession.position.frame import Frame, frame
from procession.position.moving import (
    Turn,
    begin,
    child_ended,
    proceed,
    resume,
    start_event,
    turns,
    wake,
    woken,
)
from procession.position.outcomes import (
    Done,
    End,
    Enter,
    Failed,
    Fork,
    Held,
    Leave,
    Loop,
    Outcome,
    Repeat,
    Spawn,
    TryAgain,
    Wait,
)
from procession.position.tree import Over, Position, Scope, Token, from_json, to_json

__all__ = [
    "Done",
    "End",
    "Enter",
    "Failed",
    "Fork",
    "Frame",
    "Held",
    "Leave",
    "Loop",
    "Outcome",
    "Over",
    "Position",
    "Repeat",
    "Scope",
    "Spawn",
    "Token",
    "TryAgain",
    "Turn",
    "Wait",
    "begin",
    "child_ended",
    "frame",
    "from_json",
    "proceed",
    "resume",
    "start_event",
    "to_json",
    "turns",
    "wake",
    "woken",
]
