"""``retinue export``, ``plan``, ``diff``, ``apply``: an organization's access as YAML, to live in git."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from retinue.cli import confirm, output
from retinue.cli.cells import Column, Shape, clean
from retinue.cli.exits import CommandError, Exit
from retinue.cli.options import (
    CHANGE_DEFAULTS,
    DANGER_DEFAULTS,
    DEFAULTS,
    ChangeOptions,
    DangerOptions,
    Options,
)
from retinue.cli.session import Session
from retinue.client import configuration as ops
from retinue.client.configuration import Plan, PlannedStep
from retinue.client.models import Page

export_app = App(name="export", help="The organization's access as YAML, without secrets.")
plan_app = App(name="plan", help="What a document would change.")
diff_app = App(name="diff", help="How the organization differs from a document.")
apply_app = App(name="apply", help="Make the organization what a document says.")

STEP = Shape[PlannedStep](
    columns=(
        Column("act", "act"),
        Column("section", "section"),
        Column("key", "key"),
        Column("fields", "fields"),
    ),
    name=lambda step: f"{step.section}/{step.key}",
    id=lambda step: f"{step.section}/{step.key}",
)
_SIGNS = {"create": "+", "update": "~", "delete": "-"}
File = Annotated[Path, Parameter(name=["--file", "-f"], help="The document; - is standard input.")]
Prune = Annotated[
    bool, Parameter(help="Delete what is there and not in the document; people never.", negative="")
]
Justification = Annotated[str | None, Parameter(help="Why, for what is granted.")]


@export_app.default
def export(
    *,
    out: Annotated[Path | None, Parameter(help="File to write instead of standard output.")] = None,
    options: Options = DEFAULTS,
) -> None:
    """Print the organization's access as YAML: everything but secrets."""
    import yaml

    session = Session(options, ops.EXPORT)
    document = session.perform(ops.EXPORT)
    if options.output not in (None, "yaml"):
        output.show_object(document, options)
        return
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    if out is None:
        print(text, end="")
        return
    out.write_text(text, encoding="utf-8")
    session.say(f"wrote {out}")
    session.next(f"retinue plan -f {out}")


@plan_app.default
def plan(
    *,
    file: File,
    prune: Prune = False,
    justification: Justification = None,
    options: ChangeOptions = CHANGE_DEFAULTS,
) -> int:
    """Show what a document would change; exit 7 if that is anything."""
    session = Session(options, ops.PLAN)
    found = session.perform(ops.PLAN, None, _asked(file, prune, justification))
    _show(found, options)
    for line in _talk(found):
        session.say(line)
    return Exit.NEGATIVE if found.steps else Exit.DONE


@diff_app.default
def diff(*, file: File, prune: Prune = False, options: Options = DEFAULTS) -> int:
    """Show how the organization differs from a document; exit 7 if it does, for a check in CI."""
    session = Session(options, ops.PLAN)
    found = session.perform(ops.PLAN, None, _asked(file, prune, None))
    if options.output is None:
        for step in found.steps:
            print(clean(f"{_SIGNS[step.act]} {step.section} {step.key}"))
            for each in step.fields:
                print(clean(f"    {each.field}: {_value(each.before)} -> {_value(each.after)}"))
    else:
        _show(found, options)
    if not found.steps:
        session.say("no difference")
    return Exit.NEGATIVE if found.steps else Exit.DONE


def _value(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


@apply_app.default
def apply(
    *,
    file: File,
    prune: Prune = False,
    justification: Justification = None,
    accept: Annotated[
        int | None, Parameter(help="How many accounts and keys may break by a stricter policy.")
    ] = None,
    options: DangerOptions = DANGER_DEFAULTS,
) -> None:
    """Make the organization what a document says: all of it or nothing."""
    session = Session(options, ops.APPLY)
    asked = _asked(file, prune, justification)
    if options.print_curl:
        session.perform(ops.APPLY, None, asked)
    found = session.ask(ops.PLAN, asked)
    if not found.steps:
        session.say("nothing to change")
        return
    evidence = [f"{_SIGNS[step.act]} {step.section} {step.key}" for step in found.steps]
    if found.refused is not None:
        raise CommandError(found.refused.detail, f"see: retinue plan -f {file}", Exit.CONFLICT)
    confirm.one("apply", str(file), evidence, options)
    done = session.perform(ops.APPLY, None, {**asked, "digest": found.digest, "accept": accept})
    if options.output is not None:
        output.show_list([Page(done.steps)], STEP, options)
    session.say(f"applied {len(done.steps)} changes")
    session.next("retinue audit list --since 1h")


def _asked(file: Path, prune: bool, justification: str | None) -> dict[str, Any]:
    return {"document": _read(file), "prune": prune or None, "justification": justification}


def _read(file: Path) -> Any:
    import yaml

    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
        document = yaml.load(text, _loader())  # noqa: S506  (a safe loader)
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}", "name a file that can be read", Exit.USAGE) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        first = str(error).partition("\n")[0]
        raise CommandError(f"{file}: not YAML: {first}", "see: retinue export", Exit.USAGE) from None
    if not isinstance(document, dict):
        raise CommandError(f"{file}: not a document", "see: retinue export", Exit.USAGE)
    return document


def _loader() -> Any:
    """Return YAML's safe loader that leaves instants as they are written: the API reads them."""
    import yaml

    class Loader(yaml.SafeLoader):
        pass

    Loader.yaml_implicit_resolvers = {
        first: [each for each in found if each[0] != "tag:yaml.org,2002:timestamp"]
        for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    return Loader


def _show(found: Plan, options: Options) -> None:
    if options.output in ("json", "yaml", "jsonl"):
        import msgspec

        output.show_object(msgspec.to_builtins(found), options)
    elif options.output is None and not found.steps:
        return
    else:
        output.show_list([Page(found.steps)], STEP, options)


def _talk(found: Plan) -> list[str]:
    if not found.steps:
        return ["nothing to change"]
    counts = {word: sum(step.act == word for step in found.steps) for word in _SIGNS}
    lines = [", ".join(f"{count} to {word}" for word, count in counts.items() if count)]
    if found.broken_total:
        lines.append(f"{found.broken_total} accounts and keys would break: --accept {found.broken_total}")
    if found.refused is not None:
        lines.append(f"would be refused: {found.refused.detail} ({found.refused.code})")
    return lines
