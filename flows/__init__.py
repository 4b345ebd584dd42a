"""The Prefect edge: processes as flows, the server that shows their runs, the engine that makes them.

Start reading at `flows.engine`, which puts the parts together; `flows.wiring` puts the application together.
"""

import os

# Prefect reads it while it is imported, and would else send an event out
os.environ.setdefault("DO_NOT_TRACK", "1")
