"""What an import did, on the terminal or for a script."""

from pathlib import Path

from procession.application import Imported
from procession.cli import output
from procession.spelling import count


def tell_of_import(report: Imported, file: Path, *, dry_run: bool, json: bool) -> None:
    if json:
        problems = [{"row": row, "column": column, "message": text} for row, column, text in report.problems]
        told = {
            "entity": report.entity,
            "rows": report.rows,
            "saved": report.saved,
            "earlier": report.earlier,
        }
        output.emit({**told, "problems": problems})
        return
    for row, column, text in report.problems:
        output.say(f"{file}, row {row}{f', {column}' if column else ''}: {text}")
    if report.earlier:
        output.say(f"The first {report.earlier:,} rows were saved by an import that had broken off.")
    if report.saved > report.earlier and report.problems:
        output.note(f"Imported {count(report.saved, report.entity)} of {report.rows:,}.", "red")
    elif report.problems:
        wrong = count(len(report.problems), "problem")
        output.note(f"Nothing was imported: {wrong} in {count(report.rows, 'row')}.", "red")
    elif dry_run:
        rows = count(report.rows - report.earlier, report.entity)
        output.note(f"Would import {rows}; nothing was saved.", "green")
    else:
        output.note(f"Imported {count(report.rows, report.entity)}.", "green")
