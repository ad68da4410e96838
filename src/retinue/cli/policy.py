"""``retinue policy``: what the organization allows."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import App, Parameter

from retinue.cli import confirm as ask
from retinue.cli import output
from retinue.cli.durations import ago
from retinue.cli.exits import CommandError, Exit
from retinue.cli.options import DANGER_DEFAULTS, DEFAULTS, DangerOptions, Options
from retinue.cli.organization_shapes import BROKEN, POLICY_KEY, POLICY_PRESET, POLICY_VERSION
from retinue.cli.session import Session
from retinue.cli.values import pair
from retinue.client import operations as ops
from retinue.client.models import Page
from retinue.client.organization import PolicyCheck

app = App(name="policy", help="The policy of the organization: KEY=VALUE, see `retinue policy list`.")

Values = Annotated[str, Parameter(help="KEY=VALUE; the value as in YAML, such as 5, true or [role, direct].")]
Unset = Annotated[tuple[str, ...], Parameter(help="Key that the preset decides again.", negative="")]
Preset = Annotated[str | None, Parameter(help="Preset to begin with, see `retinue policy presets`.")]
Environment = Annotated[str | None, Parameter(help="Label of the environment whose values are meant.")]
Document = Annotated[
    str | None, Parameter(name=["--file", "-f"], help="YAML file with the whole document, instead.")
]


@app.command(name="list")
def list_(*, options: Options = DEFAULTS) -> None:
    """List every key with the value in force, what is allowed, and what it means."""
    session = Session(options, ops.LIST_POLICY_KEYS, ops.GET_POLICY)
    keys = session.perform(ops.LIST_POLICY_KEYS).items
    held = session.look(ops.GET_POLICY).in_force
    told = [msgspec.structs.replace(key, value=held.get(key.name)) for key in keys]
    output.show_list([Page(told)], POLICY_KEY, options)


@app.command
def get(
    *,
    version: Annotated[int | None, Parameter(help="That version, as it was stated.")] = None,
    options: Options = DEFAULTS,
) -> None:
    """Show the document: preset, overrides and environments, and what is in force."""
    if version is not None:
        session = Session(options, ops.GET_POLICY_VERSION)
        said = session.perform(ops.GET_POLICY_VERSION, {"number": str(version)})
        output.show_object(msgspec.to_builtins(said), options)
        return
    session = Session(options, ops.GET_POLICY)
    found = session.perform(ops.GET_POLICY)
    output.show_object(msgspec.to_builtins(found), options)
    for line in found.consequences:
        session.say(line)


@app.command(name="set")
def set_(
    *values: Values,
    unset: Unset = (),
    preset: Preset = None,
    environment: Environment = None,
    file: Document = None,
    confirm: Annotated[
        str | None, Parameter(help="Number of accounts and credentials that break, instead of asking.")
    ] = None,
    options: DangerOptions = DANGER_DEFAULTS,
) -> None:
    """Change the policy. First it is tried: what would break is shown, and must be accepted."""
    session = Session(options, ops.CHANGE_POLICY, ops.CHECK_POLICY)
    body = _change(values, unset, preset, environment, file)
    if options.print_curl:
        session.perform(ops.CHANGE_POLICY, None, body)
    found = session.client.call(ops.CHECK_POLICY, None, None, body)
    _accepted(found, confirm, options)
    body |= {"version": found.version, "accept": found.broken_total}
    made = session.perform(ops.CHANGE_POLICY, None, body)
    session.say(f"the policy is at version {made.version}")
    for line in made.consequences:
        session.say(line)
    if options.output is not None:
        output.show_object(msgspec.to_builtins(made), options)
    session.next("retinue policy history")


@app.command
def check(
    *values: Values,
    unset: Unset = (),
    preset: Preset = None,
    environment: Environment = None,
    file: Document = None,
    options: Options = DEFAULTS,
) -> int:
    """Try a change: which keys differ, and which accounts and credentials it would break (exit 7)."""
    session = Session(options, ops.CHECK_POLICY)
    found = session.perform(ops.CHECK_POLICY, None, _change(values, unset, preset, environment, file))
    if options.output in ("json", "jsonl", "yaml"):
        output.show_object(msgspec.to_builtins(found), options)
    else:
        output.show_list([Page(found.broken)], BROKEN, options)
    for line in (*_differences(found), *found.consequences):
        session.say(line)
    session.say(f"{found.broken_total} accounts and credentials would break")
    return Exit.NEGATIVE if found.broken_total else Exit.DONE


@app.command
def presets(*, options: Options = DEFAULTS) -> None:
    """List the presets, with what each says other than the native one."""
    session = Session(options, ops.LIST_PRESETS)
    output.show_list([Page(session.perform(ops.LIST_PRESETS).items)], POLICY_PRESET, options)


@app.command
def presentation(*, environment: Environment = None, options: Options = DEFAULTS) -> None:
    """Show what clients show people: words, places, the lifetimes that forms offer, what they confirm."""
    session = Session(options, ops.GET_PRESENTATION)
    found = session.perform(ops.GET_PRESENTATION, None, None, {"environment": environment})
    output.show_object(msgspec.to_builtins(found), options)


@app.command
def history(
    *,
    limit: Annotated[int | None, Parameter(help="At most so many.")] = None,
    options: Options = DEFAULTS,
) -> None:
    """List the versions of the document, the newest first."""
    session = Session(options, ops.LIST_POLICY_VERSIONS)
    output.show_list(session.pages(ops.LIST_POLICY_VERSIONS, None, None, limit), POLICY_VERSION, options)


def _change(
    values: Iterable[str],
    unset: tuple[str, ...],
    preset: str | None,
    environment: str | None,
    file: str | None,
) -> dict[str, Any]:
    """Return the body of a change. Raises (exit 2) for what is no change."""
    given = dict(pair(each, "credentials.max_usable=5") for each in values)
    if file is not None:
        if given or unset or preset or environment:
            raise CommandError("--file is the whole document", "leave the rest out", Exit.USAGE)
        return {"document": _document(file)}
    if not given and not unset and preset is None:
        raise CommandError("nothing to change", "give KEY=VALUE, --unset, --preset or --file", Exit.USAGE)
    return {
        "set": given or None,
        "unset": list(unset) or None,
        "preset": preset,
        "environment": environment,
    }


def _document(file: str) -> Any:
    import yaml

    try:
        read = yaml.safe_load(Path(file).read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(
            f"{file}: {type(error).__name__}", "name a file that can be read", Exit.USAGE
        ) from None
    except yaml.YAMLError:
        raise CommandError(f"{file}: not YAML", "preset, overrides and environments", Exit.USAGE) from None
    if not isinstance(read, dict):
        raise CommandError(f"{file}: no mapping", "preset, overrides and environments", Exit.USAGE)
    return read


def _differences(found: PolicyCheck) -> list[str]:
    return [f"{each.key}: {json.dumps(each.before)} -> {json.dumps(each.after)}" for each in found.changed]


def _accepted(found: PolicyCheck, confirm: str | None, options: DangerOptions) -> None:
    """Make sure that what would break is meant; without anything that breaks nobody is asked."""
    if not found.broken_total:
        return
    shown = [
        f"{each.effect}: {each.kind} {each.name}: {each.why} (last used {ago(each.last_used_at)})"
        for each in found.broken[:20]
    ]
    count = str(found.broken_total)
    evidence = [*_differences(found), *shown, f"{count} in all"]
    ask.one("break", f"{count} accounts and credentials", evidence, options, _as_name(confirm, count))


def _as_name(confirm: str | None, count: str) -> str | None:
    return f"{count} accounts and credentials" if confirm == count else confirm
