"""The registry: every filter, function and test there is, each with a line of documentation.

The check, the run, the reference documentation and "did you mean" all read it.
"""

from procession.expressions.dates import DATE_FILTERS, DATE_FUNCTIONS, DATE_TESTS
from procession.expressions.filters import LIST_FILTERS, TEXT_FILTERS, VALUE_FILTERS, VALUE_TESTS
from procession.expressions.operation import Operation

__all__ = ["FILTERS", "FUNCTIONS", "TESTS", "Operation"]

FILTERS: dict[str, Operation] = {
    operation.name: operation for operation in (*VALUE_FILTERS, *TEXT_FILTERS, *LIST_FILTERS, *DATE_FILTERS)
}
FUNCTIONS: dict[str, Operation] = {operation.name: operation for operation in DATE_FUNCTIONS}
TESTS: dict[str, Operation] = {operation.name: operation for operation in (*VALUE_TESTS, *DATE_TESTS)}
