"""The page of requirements says what the tests say, and every number is one of Microsoft's."""

from sandbox.requirements import page


def test_the_page_is_what_the_tests_say() -> None:
    assert page.PAGE.read_text(encoding="utf-8") == page.page(), (
        "write it anew: cd tests && python -m sandbox.requirements.page"
    )


def test_every_requirement_named_is_one_of_microsofts() -> None:
    assert set(page.shown()) <= set(page.texts())


def test_at_least_three_hundred_requirements_hold() -> None:
    assert len(page.shown()) >= 300


def test_the_guide_names_the_right_number() -> None:
    guide = page.PAGE.parents[1] / "sandbox.md"

    assert f"- {len(page.shown())} of Microsoft's numbered requirements" in guide.read_text(encoding="utf-8")
