"""The engine: process definitions in YAML, compiled to plans and advanced step by step.

It knows no customer, no table and no Prefect. Start reading at `procession.compile`.
"""
