"""Clients that change things all the time, and remember every answer.

Each owns the accounts that it creates, so it knows what each of its objects must be. A change that is sent
with an ``Idempotency-Key`` is repeated until it is answered; of one without, a broken connection leaves
unknown whether it was made, and its object is left alone from then on.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus

from tests.crash.history import JSON, Call, History, Pass, Ref, State, now
from tests.crash.wanted import Account, Key, Wanted
from tests.support.wire import Broken, Reply, Wire

ACCOUNTS, KEYS = "/v1/service-accounts", "/v1/keys"
MOST_ACCOUNTS, MOST_KEYS = 6, 6
PERMISSIONS = ("report:read", "report:write", "report:export")
_PAUSE_SECONDS = 0.02
_RETRY_SECONDS = 0.05


class Changer(threading.Thread):
    """One client. It goes on until ``stopping`` is set, and finishes what it has begun."""

    def __init__(
        self, name: str, wire: Wire, owner: str, history: History, sent: Callable[[], None], seed: str
    ) -> None:
        super().__init__(name=name, daemon=True)
        self.stopping = threading.Event()
        self._wire = wire
        self._owner = owner
        self._history = history
        self._sent = sent
        self._chance = random.Random(seed)  # noqa: S311
        self._accounts: list[Account] = []
        self._count = 0

    def run(self) -> None:
        """Change things."""
        while not self.stopping.is_set():
            self._change()
            time.sleep(self._chance.random() * _PAUSE_SECONDS)
        self._wire.close()

    def _change(self) -> None:
        if not self._accounts or (len(self._accounts) < MOST_ACCOUNTS and self._chance.random() < 0.1):
            self._create_account()
            return
        account = self._chance.choice(self._accounts)
        keys = account.keys
        if not keys or (len(keys) < MOST_KEYS and self._chance.random() < 0.25):
            self._issue(account)
        elif self._chance.random() < 0.25:
            acts = (self._describe, self._switch, self._grant, self._take_away, self._delete_account)
            self._chance.choices(acts, (5, 4, 6, 5, 1))[0](account)
        else:
            key = self._chance.choice(keys)
            act = self._chance.choices(
                (self._rename, self._rotate, self._regenerate, self._revoke), (3, 3, 3, 6)
            )[0]
            # A rotation adds a key; of those the policy allows ten at once.
            full = len(keys) >= MOST_KEYS and act == self._rotate
            (self._revoke if key.is_retiring or full else act)(key)

    def _next(self, letter: str) -> str:
        self._count += 1
        return f"{letter}-{self.name}-{self._count}"

    # --- accounts -------------------------------------------------------------------------------------

    def _create_account(self) -> None:
        name = self._next("a")
        body: JSON = {"name": name, "purpose": "a test", "owners": [self._owner]}
        if self._chance.random() < 0.5:
            body |= {"permissions": ["report:read"], "justification": "a test"}
        wanted = Wanted(
            "account.created", "POST", ACCOUNTS, body,
            lambda answer: {("account", answer["id"]): Account("", name).state()} if answer else {},
            lambda answer: str(answer.get("id", "")), name,
        )  # fmt: skip
        if (answer := self._made(wanted)) is not None:
            self._accounts.append(Account(answer["id"], name))

    def _describe(self, account: Account) -> None:
        text = self._next("text")
        states: Mapping[Ref, State] = {("account", account.id): account.state(description=text)}
        wanted = Wanted(
            "account.updated", "PATCH", f"{ACCOUNTS}/{account.id}", {"description": text},
            lambda _: states, lambda _: account.id, text,
        )  # fmt: skip
        if self._made(wanted, account) is not None:
            account.description = text

    def _switch(self, account: Account) -> None:
        verb, state = ("disable", "disabled") if account.is_enabled else ("enable", "enabled")
        states: Mapping[Ref, State] = {("account", account.id): account.state(state=state)}
        wanted = Wanted(
            f"account.{state}", "POST", f"{ACCOUNTS}/{account.id}/{verb}", {},
            lambda _: states, lambda _: account.id,
        )  # fmt: skip
        if self._made(wanted, account) is not None:
            account.is_enabled = not account.is_enabled

    def _delete_account(self, account: Account) -> None:
        states: dict[Ref, State] = {("account", account.id): account.state(state="deleted")}
        states |= {("key", key.id): key.state(state="revoked") for key in account.keys}
        wanted = Wanted(
            "account.deleted", "DELETE", f"{ACCOUNTS}/{account.id}", None,
            lambda _: states, lambda _: account.id, ends=tuple(key.token for key in account.keys),
        )  # fmt: skip
        if self._made(wanted, account) is not None:
            self._accounts.remove(account)

    def _grant(self, account: Account) -> None:
        free = [each for each in PERMISSIONS[1:] if each not in account.grants]
        if not free:
            return
        permission, text = self._chance.choice(free), self._next("why")
        state = {"permission": permission, "account": account.id}
        wanted = Wanted(
            "grant.created", "POST", f"{ACCOUNTS}/{account.id}/grants",
            {"permission": permission, "justification": text},
            lambda answer: {("grant", answer["id"]): state} if answer else {},
            lambda answer: str(answer.get("id", "")), text,
        )  # fmt: skip
        if (answer := self._made(wanted, account)) is not None:
            account.grants[permission] = answer["id"]

    def _take_away(self, account: Account) -> None:
        if not account.grants:
            return
        permission = self._chance.choice(list(account.grants))
        ident = account.grants[permission]
        wanted = Wanted(
            "grant.deleted", "DELETE", f"{ACCOUNTS}/{account.id}/grants/{ident}", None,
            lambda _: {("grant", ident): None}, lambda _: ident,
        )  # fmt: skip
        if self._made(wanted, account) is not None:
            del account.grants[permission]

    # --- keys -----------------------------------------------------------------------------------------

    def _issue(self, account: Account) -> None:
        name = self._next("k")
        path = f"{ACCOUNTS}/{account.id}/keys"
        if (
            answer := self._made(self._issuing(account, name, path, {"name": name}, {}), account)
        ) is not None:
            account.keys.append(self._key(answer, account, name))

    def _rotate(self, key: Key) -> None:
        name, at_once = self._next("k"), self._chance.random() < 0.5
        ends = (key.token,) if at_once else ()
        old: dict[Ref, State] = {("key", key.id): key.state(state="revoked" if at_once else "active")}
        body = {"overlap": "0s" if at_once else "1h", "name": name}
        wanted = self._issuing(key.account, name, f"{KEYS}/{key.id}/rotate", body, old, ends)
        if (answer := self._made(wanted, key.account)) is not None:
            key.account.keys.append(self._key(answer, key.account, name))
            key.is_retiring = True
            if at_once:
                key.account.keys.remove(key)

    def _issuing(
        self,
        account: Account,
        name: str,
        path: str,
        body: JSON,
        others: Mapping[Ref, State],
        ends: tuple[Pass, ...] = (),
    ) -> Wanted:
        state = {"name": name, "state": "active", "account": account.id}
        return Wanted(
            "key.issued", "POST", path, body,
            lambda answer: {**others, ("key", answer["key"]["id"]): state} if answer else others,
            lambda answer: str(answer["key"]["id"]) if answer else "", name, ends=ends,
        )  # fmt: skip

    def _rename(self, key: Key) -> None:
        name = self._next("k")
        states: Mapping[Ref, State] = {("key", key.id): key.state(name=name)}
        wanted = Wanted(
            "key.renamed", "PATCH", f"{KEYS}/{key.id}", {"name": name},
            lambda _: states, lambda _: key.id, name,
        )  # fmt: skip
        if self._made(wanted, key.account) is not None:
            key.name = name

    def _regenerate(self, key: Key) -> None:
        states: Mapping[Ref, State] = {("key", key.id): key.state()}
        wanted = Wanted(
            "key.regenerated", "POST", f"{KEYS}/{key.id}/regenerate", {},
            lambda _: states, lambda _: key.id, ends=(key.token,),
        )  # fmt: skip
        if (answer := self._made(wanted, key.account)) is not None:
            key.token = self._history.issued(answer["token"], key.id, key.account.id)

    def _revoke(self, key: Key) -> None:
        states: Mapping[Ref, State] = {("key", key.id): key.state(state="revoked")}
        wanted = Wanted(
            "key.revoked", "POST", f"{KEYS}/{key.id}/revoke", {},
            lambda _: states, lambda _: key.id, is_repeatable=True, ends=(key.token,),
        )  # fmt: skip
        if self._made(wanted, key.account) is not None:
            key.account.keys.remove(key)

    def _key(self, answer: JSON, account: Account, name: str) -> Key:
        ident = answer["key"]["id"]
        return Key(ident, account, name, self._history.issued(answer["token"], ident, account.id))

    # --- one change -----------------------------------------------------------------------------------

    def _made(self, wanted: Wanted, account: Account | None = None) -> JSON | None:
        """Make a change, remember it, and return its answer; ``None``, and the account left alone, without."""
        repeats = wanted.is_repeatable and self._chance.random() < 0.5
        name = None if repeats or self._chance.random() < 0.3 else f"{wanted.event}/{self._next('i')}"
        reply, began, attempts = self._send(wanted, name)
        returned = now()
        code = "" if reply is None or reply.status < HTTPStatus.BAD_REQUEST else str(reply.body.get("code"))
        # The change was made, only its answer with the token is lost: somebody has used the token since.
        is_done = reply is not None and (not code or code == "idempotency_used")
        answer = reply.body if reply is not None and not code else {}
        self._history.calls.append(
            Call(
                event=wanted.event,
                subject=wanted.subject(answer),
                mark=wanted.mark,
                outcome="done" if is_done else "unknown" if reply is None else "refused",
                states=wanted.states(answer),
                revision=int(reply.headers.get("retinue-revision", "0")) if reply is not None else 0,
                request=(wanted.method, wanted.path),
                attempts=attempts,
                with_key=name is not None,
                refusal="" if reply is None or is_done else f"{reply.status} {code}",
            )
        )
        if is_done:
            for each in wanted.ends:
                self._history.ended(each.number, began, returned)
        if answer:
            return dict(answer)
        if account is not None:
            self._history.unsure.update(key.token.number for key in account.keys)
            self._accounts.remove(account)
        return None

    def _send(self, wanted: Wanted, name: str | None) -> tuple[Reply | None, float, int]:
        """Return the answer (``None``: unknown), when the answered attempt began, and how many there were."""
        headers = {} if name is None else {"Idempotency-Key": name}
        attempts = 0
        while True:
            attempts += 1
            began = now()
            try:
                reply = self._wire.call(wanted.method, wanted.path, wanted.body, headers, sent=self._sent)
                if reply.status != HTTPStatus.SERVICE_UNAVAILABLE:
                    return reply, began, attempts
                sent = True
            except Broken as broken:
                sent = broken.sent
            if sent and name is None and not wanted.is_repeatable:
                return None, began, attempts
            time.sleep(_RETRY_SECONDS)
