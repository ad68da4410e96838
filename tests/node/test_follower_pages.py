"""What an answer of the feed must be, so that it may be applied: the rules by themselves."""

from __future__ import annotations

import pytest

from retinue.node import pages
from retinue.node.feed_client import FeedError, PollAnswer, SnapshotAnswer
from retinue.replica.records import Change, Kind, Meta

AT = Meta(epoch=2, revision=10)


def _answer(
    head: int, *revisions: int, epoch: int = 2, more: bool = False, following: str | None = None
) -> PollAnswer:
    changes = [Change(revision, Kind.HOLDER, "x") for revision in revisions]
    return PollAnswer("0" * 32, epoch, head, changes, more, not more, 0, next=following)


@pytest.mark.parametrize(
    ("answer", "revision"),
    [
        (_answer(10), 10),
        (_answer(12), 12),
        (_answer(12, 11), 12),
        (_answer(15, 11, 12, more=True), 12),
        (_answer(15, 12, 11, more=True), 12),
        (_answer(15, 11, more=True, following="11/holder/x"), 10),
    ],
)
def test_an_answer_leads_to(answer: PollAnswer, revision: int) -> None:
    """
    All changes lead to the head; a part of them to the last revision in it; a part of a revision to nothing
    that is new.
    """
    assert revision == pages.reached(answer, AT, None)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (_answer(9), "stale"),
        (_answer(15, more=True), "stalled"),
        (_answer(15, 10, more=True), "stalled"),
        (_answer(15, 3, more=True), "stalled"),
        (_answer(15, 10, more=True, following="10/holder/x"), "stalled"),
        (_answer(15, 11, more=True, following="11/holder/a"), "stalled"),
        (_answer(15, following="11/holder/x"), "stalled"),
        (_answer(15, 11, epoch=1), "stale"),
        (_answer(15, 11, epoch=3), "stale"),
    ],
)
def test_an_answer_that_leads_nowhere(answer: PollAnswer, code: str) -> None:
    """
    What leads back, stands still although there is more, or begins elsewhere is refused.
    """
    with pytest.raises(FeedError) as refused:
        pages.reached(answer, AT, "11/holder/a")

    assert code == refused.value.code


def _page(following: str | None, *places: str, epoch: int = 2) -> SnapshotAnswer:
    changes = [Change(9, Kind(place.partition("/")[0]), place.partition("/")[2]) for place in places]
    return SnapshotAnswer(epoch, 9, changes, following)


@pytest.mark.parametrize(
    ("page", "after"),
    [
        (_page(None), ""),
        (_page("holder/b", "permission/z", "holder/a", "holder/b"), ""),
        (_page("principal/a", "holder/c", "principal/a"), "holder/b"),
        (_page(None, "holder/c", "identity_key/z", epoch=3), "holder/b"),
    ],
)
def test_a_page_that_fits(page: SnapshotAnswer, after: str) -> None:
    """
    A page holds what lies behind the one before, up to its own end.
    """
    pages.check(page, after, AT)


@pytest.mark.parametrize(
    ("page", "after", "code"),
    [
        (_page(None, epoch=1), "", "stale"),
        (_page("holder/b"), "holder/b", "stalled"),
        (_page("permission/z"), "holder/b", "stalled"),
        (_page("secret/x"), "", "unreadable"),
        (_page(None, "holder/b"), "holder/b", "unreadable"),
        (_page(None, "permission/z"), "holder/b", "unreadable"),
        (_page("holder/b", "holder/c"), "", "unreadable"),
    ],
)
def test_a_page_that_does_not_fit(page: SnapshotAnswer, after: str, code: str) -> None:
    """
    A page of an earlier epoch, one that does not go on, and one that holds another's records are refused.
    """
    with pytest.raises(FeedError) as refused:
        pages.check(page, after, AT)

    assert code == refused.value.code
