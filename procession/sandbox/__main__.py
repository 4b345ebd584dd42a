"""`python -m procession.sandbox`: the same as `procession sandbox`."""

from procession.cli.sandbox import app

app()
