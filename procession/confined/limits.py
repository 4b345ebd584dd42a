"""What one request may take."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """`memory_mb` is counted over what the child had when it was ready; `settings` is the table that sets all this."""

    settings: str
    timeout_seconds: float
    memory_mb: int
    processes: int = 2


NO_MEMORY = 77
"""Exit code of a child that got no more memory from the system."""
