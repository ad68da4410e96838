"""A host with a real follower, and a wire to a model of the control plane on which anything may happen."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from retinue import pepper
from retinue.node import settings as node_settings
from retinue.node.feed_client import FeedError, PollAnswer, SnapshotAnswer
from retinue.node.follower import Follower
from retinue.replica.store import Store
from retinue.token import Kind as TokenKind
from retinue.token import mint
from tests.property.control import Control
from tests.unit.replicas import Place, put


class Killed(BaseException):
    """The process is killed; nothing of ours handles it."""


class Wire:
    """Stands for the connection. What happens to the next calls is told beforehand, then all goes well."""

    def __init__(self, control: Control) -> None:
        self.control = control
        self.during: list[Callable[[], None]] = []
        self.fault: type[BaseException] | None = None
        self.repeat: int | None = None
        self.answers: list[PollAnswer] = []
        #: The epochs for which a journal was handed over to its end.
        self.handed: set[int] = set()

    def poll(self, body: dict[str, Any], _timeout: float) -> PollAnswer:
        """Answer a poll, or give an answer to an earlier one."""
        applied = body["applied"]
        said = [each for each in (applied, body.get("seen")) if each is not None]
        answer = self.control.poll(
            body["incarnation"],
            applied["epoch"],
            applied["revision"],
            body.get("after"),
            said=tuple((each["revision"], each["mark"]) for each in said),
        )
        self.answers.append(answer)
        if self.repeat is not None:
            answer = self.answers[self.repeat % len(self.answers)]
        self._meanwhile()
        return answer

    def snapshot(self, after: str, _timeout: float, *, relay: bool = False) -> SnapshotAnswer:
        """Answer with a page of a snapshot."""
        page = self.control.snapshot(after)
        self._meanwhile()
        return page

    def journal(self, body: dict[str, Any], _timeout: float) -> int:
        """Take a page of a journal; nothing in it is unknown here."""
        self._meanwhile()
        if not body["more"]:
            self.handed.add(body["epoch"])
        return 0

    def close(self) -> None:
        """Nothing is held."""

    def _meanwhile(self) -> None:
        """Commits between what was read for an answer and its arrival; then the answer may be lost."""
        for act in self.during:
            act()
        fault, self.during, self.fault, self.repeat = self.fault, [], None, None
        if fault is FeedError:
            raise FeedError(0, "lost")
        if fault is not None:
            raise fault


def commit(control: Control, changes: dict[Place, int | None]) -> None:
    """Commit records by number; ``None`` takes one away."""
    control.commit(
        {place: None if number is None else put(*place, number).value for place, number in changes.items()}
    )


class Host:
    """A host with a follower: its folder outlives the process."""

    def __init__(self, control: Control) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="retinue-host-"))
        self.wire = Wire(control)
        pepper.create(self.folder / "pepper")
        pepper.write_private(self.folder / "node-token", mint(TokenKind.NODE).reveal())
        self._settings = node_settings.from_environment({"RETINUE_HOME": str(self.folder)})
        self.start()

    def start(self) -> None:
        """Start a follower on what is there, with the wire in place of a connection."""
        self.follower = cast(Any, Follower(self._settings))
        for user in (self.follower, self.follower._loading, self.follower._handing):
            user._client = self.wire
        self.wire.answers = []

    def kill(self) -> None:
        """The process is gone: what it held is free, and only what it wrote is left."""
        self.follower._replica.close()
        os.close(self.follower._lock)

    def step(self) -> None:
        """One turn of the follower; where it is killed, another one is started."""
        try:
            self.follower._step()
        except Killed:
            self.kill()
            self.start()

    @property
    def store(self) -> Store:
        """The replica, which may be opened once in a process."""
        self.follower._replica.open()
        return cast(Store, self.follower._replica._store)

    def remove(self) -> None:
        """End it, and its folder."""
        self.kill()
        shutil.rmtree(self.folder)
