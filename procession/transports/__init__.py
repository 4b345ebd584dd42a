"""Wires to the outside world, one protocol each, behind the ports of `procession.ports`."""
