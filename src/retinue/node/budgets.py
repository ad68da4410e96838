"""Parts of a limit that a worker holds: leased from a store that nodes share, used without asking again.

The path of a decision only counts here. What runs out is asked for in the background, so no caller waits for
the store. Until it has answered for an account, a worker goes by the node's share of the limit; what it has
admitted so is charged with its next question. Instants are nanoseconds of a clock that only moves forward.
"""

from __future__ import annotations

from collections import OrderedDict
from math import ceil
from typing import NamedTuple

from retinue.decision import Quota
from retinue.replica.narrowing import Rate

#: Accounts that a worker knows the budgets of; the one that asked longest ago gives way.
MOST = 16_384
_SECOND_NS, _MINUTE_NS, _MS_NS = 1_000_000_000, 60_000_000_000, 1_000_000
#: A lease is for what the account needs in so much of a second, and at most this part of its limit.
_AHEAD_SECONDS, _PART = 0.2, 4
_HALF_NS = _SECOND_NS // 2
_LEAST_ELAPSED_NS = 50 * _MS_NS


class Asked(NamedTuple):
    """A question to the store: what was used beyond the lease, what comes back unused, what is wanted."""

    account: str
    rate: Rate
    used_second: int
    used_minute: int
    want: int
    back: int
    back_minute: int
    at_ns: int


class Told(NamedTuple):
    """Its answer. ``left`` is for everybody; ``wait_ms`` counts where nothing was granted."""

    granted: int
    left: int
    window: int
    reset_ms: int
    lease_ms: int
    minute: int
    wait_ms: int


class _Budget:
    """What a worker knows of one account's limit."""

    __slots__ = (
        "asked_ns", "asking", "back", "back_minute", "demand", "ends_ns", "granted", "held", "left", "minute",
        "owed", "owed_ns", "rate", "reset_ns", "retry_ns", "shut_ns", "wait_ns", "window",
    )  # fmt: skip

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self.held = self.granted = self.ends_ns = self.minute = 0
        self.back = self.back_minute = 0
        self.owed = self.owed_ns = 0
        self.left = self.reset_ns = 0
        self.window = 1 if rate.per_second else 60
        self.retry_ns = self.shut_ns = self.wait_ns = 0
        self.demand = self.asked_ns = 0
        self.asking = False

    @property
    def limit(self) -> int:
        return self.rate.per_second if self.window == 1 else self.rate.per_minute

    def quota(self, now_ns: int) -> Quota:
        remaining = max(min(self.left + self.held, self.limit - self.owed), 0)
        return Quota(self.limit, remaining, self.window, _seconds(self.reset_ns - now_ns))

    def refusal(self, now_ns: int) -> Quota:
        after = min(_seconds(self.wait_ns - now_ns), 10)
        return Quota(self.limit, 0, self.window, _seconds(self.reset_ns - now_ns), after)

    def owe(self, now_ns: int) -> None:
        """Count a call that no lease covers; older than a minute it is not owed any more."""
        if not self.owed or now_ns - self.owed_ns > _MINUTE_NS:
            self.owed, self.owed_ns = 0, now_ns
        self.owed += 1

    def drop(self) -> None:
        """Give back what is left of the lease."""
        if self.held:
            self.back = self.held + (self.back if self.back_minute == self.minute else 0)
            self.back_minute, self.held = self.minute, 0


class Budgets:
    """The budgets of one worker. No method waits for anything."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, _Budget] = OrderedDict()
        self._due: dict[str, _Budget] = {}
        self._leased: dict[str, _Budget] = {}

    @property
    def due(self) -> bool:
        """Whether the store is to be asked for something."""
        return bool(self._due)

    def take(self, account: str, rate: Rate, now_ns: int, nodes: int) -> Quota:
        """Count one call, or refuse it (``retry_after``). ``rate`` has a limit; ``nodes`` are live."""
        budget = self._budget(account, rate)
        budget.demand += 1
        if budget.held and now_ns < budget.ends_ns:
            budget.held -= 1
            if budget.held <= budget.granted // 2:
                self._ask(account, budget)
            return budget.quota(now_ns)
        budget.drop()
        if now_ns >= budget.retry_ns:
            self._ask(account, budget)
        if now_ns < budget.shut_ns or budget.owed >= _share(rate, nodes):
            return budget.refusal(now_ns)
        if now_ns >= budget.reset_ns:
            budget.left = budget.limit
            budget.reset_ns = now_ns + budget.window * _SECOND_NS
        budget.owe(now_ns)
        budget.left = max(budget.left - 1, 0)
        return budget.quota(now_ns)

    def owe(self, account: str, rate: Rate, now_ns: int) -> None:
        """Remember a call that was admitted while the store could not be asked."""
        self._budget(account, rate).owe(now_ns)

    def questions(self, now_ns: int, most: int) -> list[Asked]:
        """Return what is to be asked now; each is answered by :meth:`told` or :meth:`lost`."""
        asked: list[Asked] = []
        while self._due and len(asked) < most:
            account, budget = self._due.popitem()
            recent = now_ns - budget.owed_ns
            used = budget.owed if recent <= _MINUTE_NS else 0
            asked.append(
                Asked(
                    account,
                    budget.rate,
                    used if recent < _SECOND_NS else 0,
                    used,
                    _want(budget, now_ns),
                    budget.back,
                    budget.back_minute,
                    now_ns,
                )
            )
            budget.owed = budget.back = budget.demand = 0
            budget.asked_ns = now_ns
        return asked

    def told(self, asked: Asked, told: Told) -> None:
        """Take an answer. A lease ends by the time of the question, so never later than the store thinks."""
        budget = self._known.get(asked.account)
        if budget is None:
            return
        budget.asking = False
        budget.window, budget.left = told.window, max(told.left, 0)
        budget.reset_ns = asked.at_ns + told.reset_ms * _MS_NS
        if not told.granted:
            if asked.want:
                self._shut(budget, asked.at_ns, told)
            return
        ends_ns = asked.at_ns + told.lease_ms * _MS_NS
        # What is left of a lease of another second must not be used in this one.
        if budget.minute != told.minute or (asked.rate.per_second and ends_ns - budget.ends_ns > _HALF_NS):
            budget.drop()
        budget.held += told.granted
        budget.granted, budget.minute, budget.ends_ns = budget.held, told.minute, ends_ns
        budget.shut_ns = budget.retry_ns = 0
        self._leased[asked.account] = budget

    def lost(self, asked: Asked) -> None:
        """Forget a question that was not answered; what was used is owed still."""
        budget = self._known.get(asked.account)
        if budget is not None:
            budget.asking = False
            budget.owed += asked.used_minute

    def sweep(self, now_ns: int) -> None:
        """Give back what is left of leases that have ended, of accounts that have fallen silent."""
        for account, budget in tuple(self._leased.items()):
            if now_ns >= budget.ends_ns:
                del self._leased[account]
                budget.drop()
                if budget.back:
                    self._ask(account, budget)

    def forget(self) -> None:
        """Hold nothing any more: the store has gone. What is owed stays owed."""
        self._due.clear()
        self._leased.clear()
        for budget in self._known.values():
            budget.held = budget.back = budget.shut_ns = budget.retry_ns = 0
            budget.asking = False

    def _shut(self, budget: _Budget, at_ns: int, told: Told) -> None:
        """Nothing is left. A minute that slides gives back bit by bit: no call goes ahead of an answer."""
        budget.wait_ns = at_ns + told.wait_ms * _MS_NS
        budget.retry_ns = min(budget.wait_ns, at_ns + _SECOND_NS)
        budget.shut_ns = budget.retry_ns if told.window == 1 else at_ns + 2 * _MINUTE_NS

    def _budget(self, account: str, rate: Rate) -> _Budget:
        budget = self._known.get(account)
        if budget is None or budget.rate != rate:
            budget = self._known[account] = _Budget(rate)
            if len(self._known) > MOST:
                self._known.popitem(last=False)
        self._known.move_to_end(account)
        return budget

    def _ask(self, account: str, budget: _Budget) -> None:
        if not budget.asking:
            budget.asking = True
            self._due[account] = budget


def _want(budget: _Budget, now_ns: int) -> int:
    """How many calls are to be leased: what the account has asked lately, for a moment ahead."""
    if not budget.demand:
        return 0
    elapsed = max(now_ns - budget.asked_ns, _LEAST_ELAPSED_NS)
    ahead = ceil(budget.demand * _SECOND_NS / elapsed * _AHEAD_SECONDS)
    return max(1, min(ahead, _tightest(budget.rate) // _PART))


def _share(rate: Rate, nodes: int) -> int:
    return max(_tightest(rate) // max(nodes, 1), 1)


def _tightest(rate: Rate) -> int:
    return min(each for each in (rate.per_second, rate.per_minute) if each)


def _seconds(nanoseconds: int) -> int:
    return max(ceil(nanoseconds / _SECOND_NS), 1)
