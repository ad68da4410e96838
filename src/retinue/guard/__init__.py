"""Protects an API: tells whether a token may do something, and answers for the host if it may not."""

from retinue.guard.core import Guard, GuardError
from retinue.guard.outcome import Caller, Denied

__all__ = ["Caller", "Denied", "Guard", "GuardError"]
