"""What is done to a rotation that runs: its overlap ends or lasts longer, or the rotation is taken back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from retinue.cli import confirm as ask
from retinue.cli import durations, lookup, quiet
from retinue.cli.exits import CommandError, Exit
from retinue.cli.key_end import evidence
from retinue.cli.options import DangerOptions
from retinue.cli.session import Session
from retinue.cli.shapes import KEY
from retinue.client import operations as ops
from retinue.client.models import Key

WaitZero = Annotated[
    str | None, Parameter(help="End it when the old key was not called for so long.", metavar="DURATION")
]
Finish = Annotated[bool, Parameter(help="End the overlap of a running rotation instead.", negative="")]
Extend = Annotated[
    str | None,
    Parameter(help="Let the old key of a running rotation work for so much longer.", metavar="DURATION"),
]
Undo = Annotated[
    bool, Parameter(help="Take a running rotation back: the old key stays, the new one ends.", negative="")
]


@dataclass(frozen=True)
class Running:
    """What is asked of a rotation that runs."""

    finish: bool = False
    wait_zero: str | None = None
    extend: str | None = None
    undo: bool = False

    def __bool__(self) -> bool:
        return bool(self._given())

    def _given(self) -> list[str]:
        asked = {
            "--finish": self.finish,
            "--wait-zero": self.wait_zero,
            "--extend": self.extend,
            "--undo": self.undo,
        }
        return [flag for flag, value in asked.items() if value]

    def check_alone(self, others: Mapping[str, object]) -> None:
        """Refuse (exit 2) two of these, and one of these beside a flag of a new rotation."""
        given = [*self._given(), *(flag for flag, value in others.items() if value)]
        if self and len(given) > 1 and set(given) != {"--finish", "--wait-zero"}:
            raise CommandError(f"{given[0]} and {given[1]} do not go together", "give one", Exit.USAGE)

    def act(self, key: str, options: DangerOptions, confirm: str | None) -> int:
        """Do it to the rotation that ``key`` is part of."""
        if self.extend:
            return _extend(key, durations.checked(self.extend, "--extend"), options)
        if self.undo:
            return _undo(key, options, confirm)
        session = Session(options, ops.FINISH_ROTATION, ops.LIST_ACCOUNT_KEYS)
        old = lookup.key(session, key)
        if not self.wait_zero:
            ask.one("end at once", lookup.key_label(old), evidence(old), options, confirm)
        elif not options.print_curl:
            seconds = durations.seconds(self.wait_zero, "--wait-zero")
            if not quiet.wait(session, old, seconds):
                session.say(f"the overlap of key {lookup.key_label(old)} has ended by itself")
                return Exit.DONE
        ended = session.perform(ops.FINISH_ROTATION, {"id": old.id})
        session.say(f"retired key {lookup.key_label(ended)} ({ended.id})")
        session.show_change([ended], KEY)
        return Exit.DONE


def _extend(key: str, by: str, options: DangerOptions) -> int:
    session = Session(options, ops.EXTEND_ROTATION, ops.LIST_ACCOUNT_KEYS)
    old = session.perform(ops.EXTEND_ROTATION, {"id": lookup.key(session, key).id}, {"by": by})
    session.say(f"key {lookup.key_label(old)} ({old.id}) retires at {old.retires_at}")
    session.show_change([old], KEY)
    session.next(f"retinue key rotate {old.id} --finish")
    return Exit.DONE


def _undo(key: str, options: DangerOptions, confirm: str | None) -> int:
    """Show the key that ends, which is the new one, before anything happens."""
    session = Session(options, ops.UNDO_ROTATION, ops.LIST_ACCOUNT_KEYS)
    found = lookup.key(session, key)
    ask.one("undo the rotation of", key, evidence(_new(session, found)), options, confirm)
    old = session.perform(ops.UNDO_ROTATION, {"id": found.id})
    session.say(f"key {lookup.key_label(old)} ({old.id}) stays in use; its successor is revoked")
    session.show_change([old], KEY)
    session.next(f"retinue key get {old.id}")
    return Exit.DONE


def _new(session: Session, found: Key) -> Key:
    """Return the successor, whichever of the two was named."""
    if found.rotated_to is None:
        return found
    return session.look(ops.GET_KEY, {"id": found.rotated_to})
