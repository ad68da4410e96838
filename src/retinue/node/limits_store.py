"""Limits that all nodes count together, in Valkey or Redis (``RETINUE_LIMITS_URL``).

One script on the server decides and counts in one step, by the server's clock. A worker leases parts of a
limit from it in the background (:mod:`retinue.node.budgets`). While the store does not answer, each node goes
by its share of the limit, as it does without a store.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from time import monotonic_ns

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError, ResponseError

from retinue.decision import Quota
from retinue.limits import Limiter
from retinue.node.budgets import Asked, Budgets, Told
from retinue.node.metrics import Metrics
from retinue.replica.narrowing import Rate

PREFIX = "retinue:limits:"
#: A question is answered in this time, or the store counts as away.
ANSWER_SECONDS = 0.1
CONNECT_SECONDS = 0.5
#: How long after a failure it is tried again: first, and at most.
BACK_SECONDS, MOST_BACK_SECONDS = 0.25, 4.0
SWEEP_SECONDS = 0.25
AT_ONCE = 256

#: Windows as in :mod:`retinue.limits`: the present second, and a minute that slides. ``a`` counts the second
#: ``s``, ``b`` the minute ``m``, ``c`` the one before. Near the end of a limit leases get small.
SCRIPT = """
local per_second, per_minute = tonumber(ARGV[1]), tonumber(ARGV[2])
local used_second, used_minute, want = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local back, back_minute = tonumber(ARGV[6]), tonumber(ARGV[7])
local time = redis.call('TIME')
local ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local second, minute = math.floor(ms / 1000), math.floor(ms / 60000)
local row = redis.call('HMGET', KEYS[1], 's', 'a', 'm', 'b', 'c')
local a, b, c = tonumber(row[2]) or 0, tonumber(row[4]) or 0, tonumber(row[5]) or 0
local m = tonumber(row[3]) or 0
if tonumber(row[1]) ~= second then a = 0 end
if m ~= minute then
  if m == minute - 1 then c = b else c = 0 end
  b = 0
end
if back_minute == minute then b = math.max(b - back, 0)
elseif back_minute == minute - 1 then c = math.max(c - back, 0) end
a, b = a + used_second, b + used_minute
local within = 1 - (ms % 60000) / 60000
local left, window, reset = math.huge, 60, 60000 - ms % 60000
if per_minute > 0 then left = math.floor(per_minute - b - c * within) end
if per_second > 0 and per_second - a <= left then
  left, window, reset = per_second - a, 1, 1000 - ms % 1000
end
local granted = math.max(math.min(want, left, math.max(1, math.floor(left / 4))), 0)
a, b, left = a + granted, b + granted, left - granted
redis.call('HSET', KEYS[1], 's', second, 'a', a, 'm', minute, 'b', b, 'c', c)
redis.call('PEXPIRE', KEYS[1], 180000)
local lease, wait = 1000, reset
if per_second > 0 then lease = 1000 - ms % 1000 end
if window == 60 and c > 0 and b < per_minute then
  wait = math.min(reset, math.ceil((b + c * within - per_minute + 1) / c * 60000))
end
return {granted, left, window, reset, lease, minute, math.max(wait, 1)}
"""

_log = logging.getLogger("retinue.node")


class SharedLimiter:
    """Counts a worker's calls against limits that all nodes share. :meth:`run` asks the store."""

    def __init__(
        self,
        url: str,
        own: Limiter,
        metrics: Metrics,
        clock_ns: Callable[[], int] = monotonic_ns,
    ) -> None:
        """``own`` counts on this host, for when the store is away. Raises ``ValueError`` for a bad URL."""
        self._own = own
        self._metrics = metrics
        self._clock_ns = clock_ns
        self._budgets = Budgets()
        self._wake = asyncio.Event()
        self._connected = False
        self._digest = ""
        self._client = Redis.from_url(
            url,
            socket_timeout=ANSWER_SECONDS,
            socket_connect_timeout=CONNECT_SECONDS,
            retry=Retry(NoBackoff(), 0),
            client_name="retinue-node",
        )

    def take(self, account: str, rate: Rate, now_ms: int, nodes: int) -> Quota | None:
        """Count one call of ``account``, as :meth:`retinue.limits.Limiter.take` does; never waits."""
        if not (rate.per_second or rate.per_minute):
            return None
        now_ns = self._clock_ns()
        if not self._connected:
            self._metrics.limited_by_share()
            quota = self._own.take(account, rate, now_ms, nodes)
            if quota is not None and not quota.retry_after:
                self._budgets.owe(account, rate, now_ns)
            return quota
        quota = self._budgets.take(account, rate, now_ns, nodes)
        if not quota.retry_after:
            self._own.count(account, now_ms)
        if self._budgets.due:
            self._wake.set()
        return quota

    async def run(self) -> None:
        """Ask for what is due, for ever; go on after every failure of the store."""
        wait = BACK_SECONDS
        self._metrics.limits_away(True)
        while True:
            try:
                await self._connect()
                wait = BACK_SECONDS
                while True:
                    await self._round()
            except (RedisError, OSError, TimeoutError) as error:
                self._lose(error)
            await asyncio.sleep(wait)
            wait = min(2 * wait, MOST_BACK_SECONDS)

    async def close(self) -> None:
        """End the connections."""
        await self._client.aclose()

    async def _connect(self) -> None:
        async with asyncio.timeout(CONNECT_SECONDS + ANSWER_SECONDS):
            self._digest = await self._client.script_load(SCRIPT)
        self._connected = True
        self._metrics.limits_away(False)
        _log.info("limits are counted in the shared store")

    async def _round(self) -> None:
        """Wait until something is due, and ask for it. What comes meanwhile is asked together, next."""
        try:
            async with asyncio.timeout(SWEEP_SECONDS):
                await self._wake.wait()
        except TimeoutError:
            self._budgets.sweep(self._clock_ns())
        self._wake.clear()
        while self._budgets.due:
            await self._ask(self._budgets.questions(self._clock_ns(), AT_ONCE))

    async def _ask(self, questions: list[Asked]) -> None:
        pipe = self._client.pipeline(transaction=False)
        for each in questions:
            rate = each.rate
            numbers = (rate.per_second, rate.per_minute, *each[2:7])
            pipe.evalsha(self._digest, 1, PREFIX + each.account, *map(str, numbers))
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                answers = await pipe.execute(raise_on_error=False)
        except (RedisError, OSError, TimeoutError):
            for each in questions:
                self._budgets.lost(each)
            raise
        self._metrics.limits_asked()
        failed: Exception | None = None
        for asked, answer in zip(questions, answers, strict=True):
            if isinstance(answer, Exception):
                failed = answer
                self._budgets.lost(asked)
            else:
                self._budgets.told(asked, Told(*answer))
        if isinstance(failed, NoScriptError):
            # It was started anew, or emptied.
            self._digest = await self._client.script_load(SCRIPT)
        elif failed is not None:
            raise failed if isinstance(failed, RedisError) else ResponseError(str(failed))

    def _lose(self, error: Exception) -> None:
        """Go by shares from now on."""
        self._metrics.limits_failed()
        if self._connected:
            _log.warning(
                "the shared store of limits does not answer (%s); each node goes by its share",
                type(error).__name__,
            )
        elif not self._budgets.due:
            _log.debug("the shared store of limits is still away (%s)", type(error).__name__)
        self._connected = False
        self._metrics.limits_away(True)
        self._budgets.forget()
