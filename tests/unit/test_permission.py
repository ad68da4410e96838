"""Permission names, wildcards, and sets as bit masks."""

from __future__ import annotations

import pytest

from retinue import permission
from retinue.permission import MAX_LENGTH, holds, indexes, is_name, is_pattern, mask, matches, union, without
from retinue.server.access.catalogue import (
    MANAGEMENT,
    RESERVED_RESOURCES,
    Declaration,
    check_declaration,
    covers,
)
from retinue.server.errors import Refused

NAMES = [
    "report:read",
    "company:view",
    "company.email:update",
    "a:b",
    "company.email.address:view",
    "service_account:create",
    "work-flow:re-run",
    "a1.b2:c3",
    "a-:b_",
    "r" * 63 + ":" + "a" * 64,
]
PATTERNS = ["company:*", "*:read", "*:*", "company.*:view", "company.*.email:view", "company.*:*", "a.b.*:c"]
NEITHER = [
    "",
    ":",
    "report",
    "report:",
    ":read",
    "report:read:all",
    "report.read",
    "Report:read",
    "report:Read",
    "1report:read",
    "report:1read",
    "_report:read",
    "-report:read",
    ".report:read",
    "report.:read",
    "report..email:read",
    "report:read ",
    " report:read",
    "report:read\n",
    "report:\nread",
    "report :read",
    "report:read,report:write",
    'report:read"',
    "report\\:read",
    "repört:read",
    "report:reаd",  # a Cyrillic a
    "report：read",  # a full-width colon
    "repor\u212a:read",  # the Kelvin sign
    "report:re٣",
    "report\x00:read",
    "r" * 64 + ":" + "a" * 64,
]
NO_PATTERN = [
    "*",
    "rep*:read",
    "*port:read",
    "report:re*",
    "**:read",
    "report:**",
    "*.email:read",
    "*.*:read",
    "report.**:read",
    "report.*",
    "?:read",
    "report:[a-z]",
]


@pytest.mark.parametrize("text", NAMES)
def test_names(text: str) -> None:
    """``resource:action``, the resource dotted or not: a name, and a pattern that covers itself."""
    assert is_name(text)
    assert is_pattern(text)
    assert matches(text, text)


@pytest.mark.parametrize("text", PATTERNS)
def test_patterns(text: str) -> None:
    """``*`` for a whole part is a pattern and no name: it can be granted, never asked for or declared."""
    assert is_pattern(text)
    assert not is_name(text)


@pytest.mark.parametrize("text", NEITHER + NO_PATTERN)
def test_neither(text: str) -> None:
    """Anything else is neither, whatever it looks like: other alphabets, blanks, ends of lines, parts of parts."""
    assert not is_name(text)
    assert not is_pattern(text)


def test_the_longest_name() -> None:
    """A name of the greatest length is one, one more character and it is not."""
    name = "r:" + "a" * (MAX_LENGTH - 2)

    assert 128 == MAX_LENGTH == len(name)
    assert is_name(name)
    assert is_pattern("*" + name[1:])
    assert not is_name(name + "a")
    assert not is_pattern("*" + name[1:] + "a")


@pytest.mark.parametrize(
    ("pattern", "covered", "not_covered"),
    [
        (
            "company:view",
            ["company:view"],
            ["company:update", "company.email:view", "companys:view", "a:view"],
        ),
        (
            "company:*",
            ["company:view", "company:update"],
            ["company.email:view", "companyx:view", "other:view"],
        ),
        ("*:read", ["report:read", "company.email:read", "a.b.c:read"], ["report:reads", "report:write"]),
        ("*:*", ["report:read", "a.b.c:d"], []),
        (
            "company.*:view",
            ["company.email:view", "company.phone:view"],
            ["company:view", "company.email.work:view", "other.email:view", "company.email:update"],
        ),
        ("company.*:*", ["company.email:view", "company.phone:update"], ["company:view", "company.a.b:view"]),
        ("a.*.c:d", ["a.b.c:d", "a.x.c:d"], ["a.b.x:d", "a.c:d", "a.b.b.c:d", "x.b.c:d"]),
        ("a.*.*:d", ["a.b.c:d"], ["a.b:d", "a.b.c.d:d", "a:d"]),
        (
            "company.email:view",
            ["company.email:view"],
            ["company:view", "company.email.work:view", "company-email:view", "companyxemail:view"],
        ),
    ],
)
def test_what_a_pattern_covers(pattern: str, covered: list[str], not_covered: list[str]) -> None:
    """``*`` stands for one whole part; a permission on ``company`` does not include ``company.email``."""
    assert [True] * len(covered) == [matches(pattern, name) for name in covered]
    assert [False] * len(not_covered) == [matches(pattern, name) for name in not_covered]


def test_resource() -> None:
    """The resource is what stands before the colon, dots and all."""
    assert "company.email" == permission.resource_of("company.email:view")
    assert "*" == permission.resource_of("*:read")
    assert "company.*" == permission.resource_of("company.*:*")


# --- reserved resources ------------------------------------------------------------------------------


def test_the_reserved_resources_are_those_that_guard_retinue() -> None:
    """Each management permission is a name; its resource is reserved, and every reserved one has some."""
    assert {permission.resource_of(name) for name in MANAGEMENT} == set(RESERVED_RESOURCES)
    assert all(is_name(name) for name in MANAGEMENT)
    assert len(MANAGEMENT) == len(set(MANAGEMENT))
    assert {
        "user",
        "credential",
        "role",
        "grant",
        "policy",
        "organization",
        "audit_log",
    } <= RESERVED_RESOURCES


@pytest.mark.parametrize("resource", sorted(RESERVED_RESOURCES))
@pytest.mark.parametrize("form", ["{}:read", "{}:anything", "{}.part:read"])
def test_a_host_cannot_declare_a_reserved_resource(resource: str, form: str) -> None:
    """Neither the resource nor a part below it; the refusal names the field."""
    with pytest.raises(Refused, match="reserved") as caught:
        check_declaration(Declaration(form.format(resource)), "permissions[0]")

    assert "permissions[0].name" == caught.value.field


@pytest.mark.parametrize("name", ["users:read", "my.user:read", "user-data:read", "report.role:read"])
def test_a_resource_beside_a_reserved_one_can_be_declared(name: str) -> None:
    """Only the first part of a resource is reserved, and only as a whole."""
    check_declaration(Declaration(name))


@pytest.mark.parametrize("pattern", ["*:read", "*:*", "*:create"])
def test_the_star_does_not_reach_management(pattern: str) -> None:
    """``*`` as resource reaches the host's permissions alone; for Owner it reaches all."""
    action = pattern.partition(":")[2]
    managed = [name for name in MANAGEMENT if action in ("*", name.partition(":")[2])]

    assert managed
    assert not any(covers(pattern, name) for name in managed)
    assert all(covers(pattern, name, reaches_management=True) for name in managed)
    assert covers(pattern, "report:read") == (action in ("*", "read"))


def test_a_named_management_resource_is_reached() -> None:
    """``user:*`` is granted on purpose: it covers what it says."""
    assert covers("user:*", "user:create")
    assert covers("user:create", "user:create")
    assert not covers("user:*", "user.data:read")


# --- sets --------------------------------------------------------------------------------------------

EDGES = [0, 1, 7, 8, 62, 63, 64, 65, 127, 128, 255, 256, 999, 1_000]


@pytest.mark.parametrize("index", EDGES)
def test_a_mask_of_one(index: int) -> None:
    """A mask holds its index and no neighbour; it is as long as it must be."""
    made = mask([index])

    assert [index] == [each for each in range(1_100) if holds(made, each)]
    assert [index] == indexes(made)
    assert index // 8 + 1 == len(made)


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 1_000])
def test_a_mask_of_many(size: int) -> None:
    """The first n permissions, all of them and none beyond; the empty set is the empty mask."""
    made = mask(range(size))

    assert list(range(size)) == indexes(made)
    assert all(holds(made, index) for index in range(size))
    assert not any(holds(made, index) for index in range(size, size + 100))
    assert (b"" == made) == (size == 0)


def test_masks_as_sets() -> None:
    """Union and difference are those of sets, whatever the lengths; order and repetition do not matter."""
    sets = [set(), {0}, {63}, {64}, {1, 63, 64, 1_000}, set(range(0, 1_000, 3)), set(range(1_000))]
    for one in sets:
        for other in sets:
            assert mask(one | other) == union([mask(one), mask(other)])
            assert mask(one - other) == without(mask(one), mask(other))
    assert mask(set().union(*sets)) == union(mask(each) for each in sets)
    assert mask([3, 1, 2]) == mask([1, 2, 3, 3, 1])
    assert b"" == union([])
    assert b"" == without(mask([5]), mask(range(10)))


def test_a_longer_mask_is_read_the_same() -> None:
    """Zero bytes at the end (a catalogue that was larger) change nothing."""
    padded = mask([1, 9]) + b"\0" * 8

    assert [1, 9] == indexes(padded)
    assert mask([1, 9]) == union([padded])
    assert mask([9]) == without(padded, mask([1]))
    assert not holds(padded, 70)
    assert not holds(b"", 0)
