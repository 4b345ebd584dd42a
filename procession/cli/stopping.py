"""How a command that runs until somebody stops it is stopped: Ctrl-C, or SIGTERM from whatever keeps it running."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class _Told(BaseException):
    """No error: nothing but the block's own end may catch it."""


@contextmanager
def until_told_to_stop() -> Iterator[None]:
    """The block is left in order when this process is told to stop, wherever in it that is; told twice, the process ends
    at once."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        raise _Told

    before = {number: signal.signal(number, stop) for number in SIGNALS}
    try:
        yield
    except _Told:
        pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
