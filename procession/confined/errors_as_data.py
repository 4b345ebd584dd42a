"""Errors on their way out of a child: as data, and the same error again on the other side.

{"error": "ExpressionError", "message": …, "hint": …, "at": [file, line, column, excerpt] or None}
"""

import os
from typing import Any

from procession import errors
from procession.confined.limits import NO_MEMORY
from procession.errors import Place, ProcessionError

_CLASSES = {
    kind.__name__: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, ProcessionError) and kind is not errors.ProcessErrors
}


def error_to_data(error: ProcessionError) -> dict[str, Any]:
    """One of a class that an application derived goes out as the class of ours that it was derived from."""
    if isinstance(error.__cause__, MemoryError):
        os._exit(NO_MEMORY)
    at = getattr(error, "at", None)
    return {
        "error": next(kind.__name__ for kind in type(error).__mro__ if _CLASSES.get(kind.__name__) is kind),
        "message": error.message,
        "hint": error.hint,
        "at": [at.file, at.line, at.column, at.excerpt] if isinstance(at, Place) else None,
    }


def error_from_data(data: dict[str, Any]) -> ProcessionError:
    kind, at = _CLASSES[data["error"]], data["at"]
    return kind(data["message"], hint=data["hint"], **({"at": Place(*at)} if at else {}))
