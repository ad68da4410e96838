"""The flags that commands share.

A command takes the group that fits it, so that its help shows no flag that does nothing there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from cyclopts import Group, Parameter

GROUP = Group("Global flags", sort_key=100)
Format = Literal["table", "json", "jsonl", "yaml", "csv", "tsv", "name", "id"]


@Parameter(name="*", group=GROUP)
@dataclass(frozen=True, kw_only=True)
class FormOptions:
    """For every command that shows data of a server."""

    output: Annotated[
        Format | None,
        Parameter(name=["--output", "-o"], help="Form of the data: table on a terminal, tsv in a pipe."),
    ] = None
    fields: Annotated[
        str | None,
        Parameter(help="Only these fields, comma-separated, dotted for inner ones.", metavar="A,B"),
    ] = None
    profile: Annotated[
        str | None, Parameter(help="Which server and sign-in. [env: RETINUE_PROFILE]", metavar="NAME")
    ] = None
    quiet: Annotated[
        bool, Parameter(name=["--quiet", "-q"], negative="", help="No talk on standard error, errors only.")
    ] = False
    no_color: Annotated[bool, Parameter(negative="", help="No colour. [env: NO_COLOR]")] = False


@Parameter(name="*", group=GROUP)
@dataclass(frozen=True, kw_only=True)
class Options(FormOptions):
    """For every command that calls the API."""

    organization: Annotated[
        str | None,
        Parameter(
            name=["--org"], help="Organization, by handle or id. [env: RETINUE_ORG]", metavar="ORGANIZATION"
        ),
    ] = None
    verbose: Annotated[
        bool,
        Parameter(name=["--verbose", "-v"], negative="", help="Show each request with its status and id."),
    ] = False
    print_curl: Annotated[
        bool, Parameter(negative="", help="Show the API call as a curl command and do not make it.")
    ] = False
    print_permission: Annotated[
        bool, Parameter(negative="", help="Show the permissions that the command needs and do nothing.")
    ] = False


@Parameter(name="*", group=GROUP)
@dataclass(frozen=True, kw_only=True)
class ChangeOptions(Options):
    """For commands that change something."""

    reason: Annotated[str | None, Parameter(help="Why, in words, for the audit log.", metavar="TEXT")] = None
    dry_run: Annotated[
        bool, Parameter(negative="", help="Let the server try it, show what it would answer, change nothing.")
    ] = False


@Parameter(name="*", group=GROUP)
@dataclass(frozen=True, kw_only=True)
class DangerOptions(ChangeOptions):
    """For commands that ask before they act."""

    yes: Annotated[bool, Parameter(name=["--yes", "-y"], negative="", help="Do not ask.")] = False
    no_input: Annotated[
        bool, Parameter(negative="", help="Never ask; without --yes exit 10. [env: RETINUE_NO_INPUT]")
    ] = False


#: What a command gets when no flag is given.
FORM_DEFAULTS = FormOptions()
DEFAULTS = Options()
CHANGE_DEFAULTS = ChangeOptions()
DANGER_DEFAULTS = DangerOptions()

#: Flags with no value, and flags with one, that may also stand before the noun.
LEADING_SWITCHES = frozenset(
    {
        "-q",
        "--quiet",
        "-v",
        "--verbose",
        "--no-color",
        "--print-curl",
        "--print-permission",
        "--dry-run",
        "--yes",
        "-y",
        "--no-input",
    }
)
LEADING_VALUES = frozenset({"-o", "--output", "--fields", "--org", "--profile", "--reason"})


def leading_flags_last(arguments: list[str]) -> list[str]:
    """Return ``arguments`` with global flags that stand before the noun moved behind everything else.

    They stay before a ``--``, behind which the words of another program begin.
    """
    leading: list[str] = []
    rest = list(arguments)
    while rest:
        name = rest[0].partition("=")[0]
        if rest[0] in LEADING_SWITCHES or (name in LEADING_VALUES and "=" in rest[0]):
            leading.append(rest.pop(0))
        elif rest[0] in LEADING_VALUES and len(rest) > 1:
            leading += [rest.pop(0), rest.pop(0)]
        else:
            break
    end = rest.index("--") if "--" in rest else len(rest)
    return rest[:end] + leading + rest[end:]
