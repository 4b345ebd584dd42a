"""What `call` steps may call, by name: the customer's own Python, one line for each function.

A function takes the step's `args` by keyword and returns plain data. It may be called again after a crash, so
it must not mind. An `ArithmeticError`, `LookupError`, `TypeError` or `ValueError` fails the step for good;
`procession.errors.TemporaryError` is worth another try.

It runs in a process of its own, which imports this module and the function's name in `FUNCTIONS`, within limits of time and
memory (settings `functions.*`). One that takes too long is worth another try; one that ends its process fails for good.
"""

from collections.abc import Callable, Mapping
from typing import Any

FUNCTIONS: Mapping[str, Callable[..., Any]] = {}
