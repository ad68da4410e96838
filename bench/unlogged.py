"""A node's worker that decides and answers, and logs nothing: what the request log costs is what it saves."""

from __future__ import annotations

import runpy

from retinue.usage import Spool


def _nothing(self: Spool, *entry: object) -> bool:
    return True


if __name__ == "__main__":
    Spool.append = Spool.append_encoded = _nothing  # type: ignore[method-assign,assignment]
    runpy.run_module("retinue.node", run_name="__main__")
