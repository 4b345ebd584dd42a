"""One file per kind of step; `STEPS` lists them all, in the order of the documentation."""

from procession.steps.call import CALL
from procession.steps.choose import CHOOSE
from procession.steps.create import CREATE
from procession.steps.create_activity import CREATE_ACTIVITY
from procession.steps.delete import DELETE
from procession.steps.for_each import FOR_EACH
from procession.steps.if_ import IF
from procession.steps.kind import StepKind
from procession.steps.log_history import LOG_HISTORY
from procession.steps.notify import NOTIFY
from procession.steps.read import READ
from procession.steps.send_email import SEND_EMAIL
from procession.steps.send_message import SEND_MESSAGE, THROW_SIGNAL
from procession.steps.set import SET
from procession.steps.stop import STOP
from procession.steps.update import UPDATE
from procession.steps.wait import WAIT
from procession.steps.wait_for import WAIT_FOR

__all__ = ["STEPS", "kind_of"]

STEPS: tuple[StepKind, ...] = (
    READ,
    CREATE,
    UPDATE,
    DELETE,
    CREATE_ACTIVITY,
    SET,
    SEND_EMAIL,
    LOG_HISTORY,
    NOTIFY,
    IF,
    CHOOSE,
    FOR_EACH,
    WAIT,
    WAIT_FOR,
    SEND_MESSAGE,
    THROW_SIGNAL,
    STOP,
    CALL,
)

_BY_WORD = {kind.word: kind for kind in STEPS}


def kind_of(word: str) -> StepKind | None:
    return _BY_WORD.get(word)
