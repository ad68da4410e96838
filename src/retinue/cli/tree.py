"""The tree of commands as plain data, read from the command framework."""

from __future__ import annotations

import typing
from typing import Any

from cyclopts import App


def describe() -> dict[str, Any]:
    """Return commands, flags, and the values that flags and words can have."""
    from retinue.cli.app import app

    found = _node(app)
    found["commands"]["sa"] = found["commands"]["account"]
    return found


def _node(app: App) -> dict[str, Any]:
    commands = {
        name: _node(app[name]) for name in app if not name.startswith("-") and app[name].show is not False
    }
    if commands:
        return {"commands": commands, "flags": ["--help"], "values": {}, "choices": []}
    flags, choices = ["--help"], list[str]()
    values: dict[str, list[str]] = {}
    for argument in app.assemble_argument_collection():
        named = [name for name in argument.names if name.startswith("-") and name != "-"]
        flags += named
        listed = _literals(argument.hint)
        if not named:
            choices = choices or listed
        elif argument.hint is not bool:
            values |= dict.fromkeys(named, listed)
    return {"commands": {}, "flags": flags, "values": values, "choices": choices}


def _literals(hint: Any) -> list[str]:
    """Return the texts that a parameter of this type can be, if they are listed."""
    if typing.get_origin(hint) is typing.Literal:
        return [str(each) for each in typing.get_args(hint)]
    return [text for each in typing.get_args(hint) for text in _literals(each)]
