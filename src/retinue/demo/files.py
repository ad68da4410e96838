"""The demo's files: a folder of its own, and secrets that only their owner can read."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def temporary() -> Iterator[Path]:
    """Make a private folder, and take it away with everything in it at the end."""
    folder = Path(tempfile.mkdtemp(prefix="retinue-demo-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def private(path: Path, text: str) -> Path:
    """Write a new file that nobody else can read, and return where it is."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    return path
