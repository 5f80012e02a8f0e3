"""The nodes of one chain: requests go to the best of those that answer, each checked for its chain id
first."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

import structlog

from keeper.chain.answers import BusyError, CannotError, RefusedError, RpcError, WrongStateError
from keeper.chain.budget import RequestBudget
from keeper.chain.head import Head
from keeper.chain.node import Node, NodeError
from keeper.chain.node_choice import NodeChoice
from keeper.chain.node_health import LONG
from keeper.config import Chain
from keeper.errors import ConfigError

log = structlog.get_logger()

# Where every node is busy or behind, those that said so at once are asked again after so many seconds; where
# none is busy, all being behind or away, only after the first of these.
PAUSES = (0.05, 0.25, 0.5, 1.0)
FEW_PAUSES = 2
# Where several are asked, the others are waited for so many seconds once one has answered; who was silent
# before for some times as long as its answers take, and not less than the second number.
PATIENCE, LEAST_PATIENCE = 1.0, 0.25
TIMES_ITS_LATENCY = 4
# Of these answers a node may owe so many; one that is silent to everything, one.
MOST_OWED, MOST_OWED_IN_TROUBLE = 4, 1


class NodePool(NodeChoice):
    """The nodes of one chain. Requests go to the current node; when it fails, or another is better, they go
    there and stay. No lock is held during a request."""

    def __init__(self, name: str, chain: Chain) -> None:
        super().__init__(name, [Node(url, chain.timeout) for url in chain.rpc])
        self.chain_id = chain.chain_id
        self.budget = RequestBudget(chain.requests_per_second)
        self._checked: set[int] = set()
        self._threads = [ThreadPoolExecutor(MOST_OWED, f"each-{name}-{i}") for i in range(len(self.nodes))]
        self._owed: list[list[Future[Any]]] = [[] for _ in self.nodes]
        self._was_right: set[int] = set()
        self.worked_at: Head | None = None
        """The block of the last decision: a node without it is behind."""

    @property
    def requests(self) -> int:
        return sum(node.requests for node in self.nodes)

    def call(self, method: str, *params: Any) -> Any:
        """Make one request at the current node or, where it gives no answer of the chain's, at the others in
        turn.

        RpcError where the chain's answer is an error: a refusal was then repeated by another node, if there
        is one. NodeError where all nodes are in trouble, with each one's words.
        """
        return self.call_by(lambda node: node.call(method, list(params)))

    def code(self, address: str) -> str:
        """As `Node.code`."""
        return str(self.call_by(lambda node: node.code(address)))

    def call_by(self, ask: Callable[[Node], Any]) -> Any:
        """As `call`, for a request that depends on what the node can do; `ask` makes it."""
        failures: dict[int, NodeError] = {}
        slow: set[int] = set()
        for tries, pause in enumerate(PAUSES):
            try:
                return self._round(ask, failures, slow, last=False)
            except NodeError as error:
                if not isinstance(error, BusyError | WrongStateError):
                    if failures.keys() >= set(self._order()):
                        raise
                    break
                if tries >= FEW_PAUSES and not (isinstance(error, BusyError) and error.reached):
                    break
            if slow.issuperset(self._order()):
                break
            time.sleep(pause)
        return self._round(ask, failures, slow, last=True)

    def send(self, raw: str) -> str:
        """Hand over a signed transaction; its hash as the node gives it.

        RefusedError only where no node can have taken it: one that gave no answer may have. Where any may,
        NodeError, after the nodes that are busy were asked again: that is harmless.
        """
        lost: NodeError | None = None
        for pause in (*PAUSES[:FEW_PAUSES], None):
            try:
                return self._send(raw, lost)
            except BusyError as error:
                lost = error
                if pause is None or not error.reached or all(s.is_silent for s in self.standings):
                    raise
            time.sleep(pause)
        raise AssertionError("the last round returns or raises")

    def _send(self, raw: str, lost: NodeError | None) -> str:
        """Send to one node after the other; `lost`: it was handed over before, and may have been accepted."""
        again, refused = lost is not None, None
        for index in self._order():
            if again and self.standings[index].is_silent:
                continue
            try:
                found = str(self._ask(index, lambda node: node.call("eth_sendRawTransaction", [raw])))
            except NodeError as error:
                lost = error if lost is None or not lost.reached else lost
            except RefusedError as error:
                if refused is not None and (lost is None or not lost.reached):
                    raise refused from None
                refused = refused or error
            else:
                if lost is not None and not again and index != self._current:
                    self._go(index, "failover")
                return found
        if lost is not None and (lost.reached or refused is None):
            raise lost
        if refused is not None:
            raise refused
        raise self._nobody()

    def call_another(self, method: str, *params: Any) -> Any:
        """Make one request at a node other than the current one, where another answers."""
        for index in self._order()[1:]:
            try:
                return self._ask(index, lambda node: node.call(method, list(params)))
            except (NodeError, RpcError):
                continue
        return self.call(method, *params)

    def call_each(self, method: str, *params: Any) -> list[Any]:
        """Make the same request at every node at once; returns their answers, errors included, in order. A
        node more than a second slower than the first counts as giving no answer. A node that refuses other
        requests is asked too: without its word another's alone would count. A node that seldom refuses is
        asked again."""

        def ask(index: int) -> Any:
            started = time.monotonic()
            for pause in (*PAUSES[:FEW_PAUSES], None):
                try:
                    return self._ask(index, lambda node: node.call(method, list(params)))
                except (NodeError, RpcError, ConfigError) as error:
                    late = pause is None or time.monotonic() - started > LONG
                    if late or self._is_in_trouble(index) or not isinstance(error, BusyError):
                        return error
                time.sleep(pause or 0)
            raise AssertionError("the last try returns")

        if len(self.nodes) == 1:
            return [ask(0)]
        asked = [self._asked_beside(index, ask) for index in range(len(self.nodes))]
        left = set(asked)
        answered = False
        while left and not answered:
            done, left = wait(left, return_when=FIRST_COMPLETED)
            answered = any(not isinstance(each.result(), Exception) for each in done)
        started = time.monotonic()
        for index, each in sorted(enumerate(asked), key=lambda pair: self._patience(pair[0])):
            wait([each], timeout=max(started + self._patience(index) - time.monotonic(), 0))
        late = "did not answer in time"
        return [
            each.result() if each.done() else BusyError(late, where=node.label)
            for each, node in zip(asked, self.nodes, strict=True)
        ]

    def _patience(self, index: int) -> float:
        if not self.standings[index].is_silent:
            return PATIENCE
        return min(max(TIMES_ITS_LATENCY * self.standings[index].latency, LEAST_PATIENCE), PATIENCE)

    def _asked_beside(self, index: int, ask: Callable[[int], Any]) -> Future[Any]:
        """Ask one node on a thread of its own; a node that still owes earlier answers is asked no more."""
        owed = self._owed[index] = [each for each in self._owed[index] if not each.done()]
        if len(owed) >= (MOST_OWED_IN_TROUBLE if self._is_in_trouble(index) else MOST_OWED):
            silent: Future[Any] = Future()
            silent.set_result(BusyError("still owes earlier answers", where=self.nodes[index].label))
            return silent
        owed.append(self._threads[index].submit(ask, index))
        return owed[-1]

    def _round(
        self, ask: Callable[[Node], Any], failures: dict[int, NodeError], slow: set[int], *, last: bool
    ) -> Any:
        """Ask each node once, until one gives the chain's answer; a refusal is put to one other node.
        `failures` of this request, by node, are kept from round to round. Nodes that were silent before wait
        for the last round while there are others, as each may take its whole time limit; slow nodes (`slow`)
        are not asked again."""
        broken: list[NodeError] = []
        refused: RefusedError | None = None
        order = self._order()
        waits = not last and any(not self.standings[index].is_silent for index in order)
        for index in order:
            if index in slow or (waits and refused is None and self.standings[index].is_silent):
                continue
            try:
                result = self._ask(index, ask)
            except NodeError as error:
                broken.append(error)
                failures[index] = error
                if self.standings[index].is_silent:
                    slow.add(index)
                continue
            except RefusedError as error:
                if refused is not None:
                    raise refused from None
                refused = error
                continue
            if refused is None and index != self._current:
                self._failover(index, broken)
            return result
        if refused is not None:
            raise refused
        if not failures:
            raise self._nobody()
        raise self._all_in_trouble([failures[index] for index in sorted(failures)])

    def _ask(self, index: int, ask: Callable[[Node], Any]) -> Any:
        standing = self.standings[index]
        started = time.monotonic()
        try:
            self._check_chain(index)
            self.budget.take()
            started = time.monotonic()
            result = ask(self.nodes[index])
        except (CannotError, RpcError):
            raise
        except WrongStateError:
            standing.was_behind()
            raise
        except NodeError as error:
            standing.failed(seconds=time.monotonic() - started)
            if standing.is_silent or not error.reached:
                # It may be another when it is back; who refuses is there.
                self._checked.discard(index)
            raise
        standing.answered(time.monotonic() - started)
        return result

    def _all_in_trouble(self, failures: Sequence[NodeError]) -> NodeError:
        """One error for all nodes, of the kind that says how to proceed, with each one's words."""
        others = [
            (n.label, s.excluded) for n, s in zip(self.nodes, self.standings, strict=True) if s.excluded
        ]
        said = [*((each.where, each.what) for each in failures), *others]
        if len(said) == 1:
            return failures[0]
        what = "; ".join(dict.fromkeys(f"{where}: {words}" for where, words in said))
        where = f"chain {self.name}, all {len(self.nodes)} nodes"
        busy = [each for each in failures if isinstance(each, BusyError)]
        if busy:
            refused, reached = any(e.refused for e in failures), any(e.reached for e in failures)
            return BusyError(what, where=where, refused=refused, reached=reached)
        if any(isinstance(each, WrongStateError) for each in failures):
            return WrongStateError(what, where=where)
        cannot = [each for each in failures if isinstance(each, CannotError)]
        if not cannot:
            return NodeError(what, where=where)
        about = next((each.about for each in cannot if each.about == "size"), cannot[0].about)
        return CannotError(what, where=where, about=about)

    def _check_chain(self, index: int) -> None:
        """Raise NodeError for a node of another chain, which is asked no more; ConfigError when it is the
        only one."""
        if index in self._checked:
            return
        node, standing = self.nodes[index], self.standings[index]
        if not standing.excluded:
            self.budget.take()
            found = int(node.call("eth_chainId", []), 16)
            if found == self.chain_id:
                self._checked.add(index)
                self._was_right.add(index)
                return
            if index in self._was_right:
                # It served this chain before: a passing trouble, which is looked at again.
                raise BusyError(f"now says that it serves chain {found}", where=node.label)
            standing.excluded = f"serves chain {found}, but chain_id says {self.chain_id}"
            log.error("wrong chain", chain=self.name, node=node.label, found=found)
        if all(each.excluded for each in self.standings):
            raise self._nobody()
        raise NodeError(standing.excluded, where=f"chains.{self.name}, {node.label}")

    def _nobody(self) -> ConfigError:
        return ConfigError(
            self.standings[0].excluded,
            where=f"chains.{self.name}, {self.nodes[0].label}",
            remedy="Correct chain_id or the rpc entry",
        )
