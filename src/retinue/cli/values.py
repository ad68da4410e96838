"""Values that people write as ``NAME=VALUE``."""

from __future__ import annotations

from typing import Any

from retinue.cli.exits import CommandError, Exit


def pair(text: str, example: str) -> tuple[str, Any]:
    """Return name and value of ``NAME=VALUE``, the value as in YAML. Raises (exit 2) for anything else."""
    import yaml

    name, equals, value = text.partition("=")
    if not equals or not name:
        raise CommandError(f"{text}: not NAME=VALUE", f"such as {example}", Exit.USAGE)
    try:
        return name, yaml.safe_load(value)
    except yaml.YAMLError:
        raise CommandError(
            f"{name}: the value is not YAML", 'quote it, such as name="a: b"', Exit.USAGE
        ) from None
