"""The table of requirements is whole: each row has its test, and the page says what was shown."""

from __future__ import annotations

from tests.conformance.page import PAGE, render
from tests.conformance.rows import rows, shown


def test_the_table_is_whole() -> None:
    """
    189 requirements, each with an id of its own, of which 126 are stated or implied.
    """
    ids = [row.id for row in rows()]

    assert (189, 189) == (len(ids), len(set(ids)))
    assert 126 == sum(row.is_binding for row in rows())


def test_every_binding_row_has_a_test() -> None:
    """
    Each stated or implied row has a test in the folder of its system, those about pages too, and no test is
    about a row that does not exist.
    """
    owed = {row.id for row in rows() if row.is_binding}

    assert set() == owed - set(shown())
    assert set() == set(shown()) - {row.id for row in rows()}


def test_the_page_is_what_was_shown(outcomes: dict[str, str], writes_page: bool) -> None:
    """
    The stored page of conformance is the one that these tests give, and what it says of a row is what became of
    its test in this run. RETINUE_TEST_SNAPSHOT=write writes it anew, from a run of all of them.
    """
    ran = {each.name: each for each in shown().values() if each.name in outcomes}
    text = render()
    if writes_page and len(ran) == len(shown()):
        PAGE.write_text(text)

    assert {name: "xfailed" if each.missing else "passed" for name, each in ran.items()} == {
        name: outcomes[name] for name in ran
    }
    assert text == PAGE.read_text()
