"""Planning at one block of one chain: what is read for it and what is decided. A market that fails is left
out; the others are planned for without it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from keeper.chain.blocks import Head
from keeper.chain.calls import Reads
from keeper.service.chain_context import ChainContext
from keeper.service.contract_versions import Abilities
from keeper.service.market_troubles import MarketTroubles, is_everyones
from keeper.service.planning.breach import Breach, MarketBreaches
from keeper.service.planning.gas_money import SignerFundsRequest
from keeper.service.planning.inputs import InputReader, PlanningInputs
from keeper.service.planning.planner import plan_block
from keeper.service.reporting.block_report import Decided


@dataclass
class BlockPlanning:
    """Plans for the payer in the markets of one chain."""

    chain: ChainContext
    troubles: MarketTroubles
    _funds: SignerFundsRequest | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._threads = ThreadPoolExecutor(2, thread_name_prefix=f"funds-{self.chain.name}")
        self._abilities = Abilities(self.chain.pool)

    def begin(self) -> None:
        """Forget what was asked for the block before."""
        self._funds = None

    def ask_funds(self, head: Head) -> None:
        """Ask for the payer's funds, as early as it is known that they will be needed; once per block."""
        if self.chain.payer is not None and (self._funds is None or self._funds.head != head):
            self._funds = SignerFundsRequest(self._threads, self.chain.pool, head, self.chain.payer)

    def plan_all(self, head: Head, next_timestamp: int, breaches: Sequence[MarketBreaches]) -> Decided:
        """Decide what to do about all that is due; a market that cannot be planned for is left out."""
        due = [each for market in breaches for each in market.due]
        reads = Reads(self.chain.pool, head)
        for each in breaches:
            reads.learn(each.valued.refresh.answers if each.valued.refresh else {})
        try:
            return self.plan(head, next_timestamp, due, reads)
        except Exception as error:
            if is_everyones(error):
                raise
            if len({each.market.name for each in due}) < 2:
                for market in {each.market.name: each.market for each in due}.values():
                    self.troubles.report(market, head, error)
                return []
        well: list[Breach] = []
        for each in breaches:
            if each.due:
                with self.troubles.contained(each.market, head):
                    self.plan(head, next_timestamp, each.due, reads)
                    well += each.due
        return self.plan(head, next_timestamp, well, reads)

    def plan(
        self, head: Head, next_timestamp: int, due: Sequence[Breach], reads: Reads | None = None
    ) -> Decided:
        """Decide what to do about each breach; `reads` is what is known already of the state."""
        return plan_block(due, self._inputs(head, next_timestamp, due, reads or Reads(self.chain.pool, head)))

    def _inputs(
        self, head: Head, next_timestamp: int, due: Sequence[Breach], reads: Reads
    ) -> PlanningInputs | None:
        """Read the inputs of planning; None where there is nothing to plan or nobody to act."""
        payer = self.chain.payer
        if not due or payer is None:
            return None
        self.ask_funds(head)
        funds, self._funds = self._funds, None
        assert funds is not None, "they were just asked for"
        return InputReader(self.chain, payer, head, next_timestamp, reads, funds, self._abilities).read(due)
