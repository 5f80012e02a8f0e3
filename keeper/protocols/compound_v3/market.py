"""A Comet behind the keeper's interface. Values have 8 decimals, as Comet's prices do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from keeper.chain.erc20 import symbol
from keeper.config.policy import Action, Step
from keeper.margin.lending.comet.rates import present_value
from keeper.margin.lending.comet.terms import BASE_INDEX_SCALE, FACTOR_SCALE
from keeper.margin.lending.weights import Weights
from keeper.model.cure import CureRequest
from keeper.model.offer import Asset, Offer
from keeper.model.plan import Blocked
from keeper.model.purse import Purse
from keeper.model.valuation import AssetLine, Valuation
from keeper.protocols.adapter import Adapter
from keeper.protocols.compound_v3 import planning, records
from keeper.protocols.compound_v3.lens import LENS, CometState, read_market
from keeper.protocols.compound_v3.records import Raw
from keeper.protocols.cures import Cure
from keeper.protocols.event_table import EventTable, topic
from keeper.protocols.roles.market import PricedAsset


class CometMarket(Adapter[CometState, Raw]):
    """One Comet."""

    protocol = "compound-v3"
    called = (
        "supplyTo(address,address,uint256)",
        "absorb(address,address[])",
        "buyCollateral(address,uint256,uint256,address)",
    )
    lens, view_words, scale = LENS, 6, 8
    # A transfer of base between two borrowers emits none: rotation and the totals find it.
    heard = EventTable(
        {
            topic("Supply(address,address,uint256)"): (1, 2),
            topic("Withdraw(address,address,uint256)"): (1, 2),
            topic("Transfer(address,address,uint256)"): (1, 2),
            topic("SupplyCollateral(address,address,address,uint256)"): (1, 2),
            topic("TransferCollateral(address,address,address,uint256)"): (1, 2),
            topic("WithdrawCollateral(address,address,address,uint256)"): (1, 2),
            topic("AbsorbDebt(address,address,uint256,uint256)"): (2,),
            topic("AbsorbCollateral(address,address,address,uint256,uint256)"): (2,),
        }
    )
    what = "a Comet"
    remedy = "Name the Comet proxy (cUSDCv3 or the like)"

    def __init__(self, name: str, address: str, from_block: int) -> None:
        super().__init__(name, address, from_block)
        self.screener = self.seller = self

    # Copying.

    read_state = staticmethod(read_market)
    record_length = staticmethod(records.length)
    decode = staticmethod(records.decode)
    entries = staticmethod(records.entries)

    def weights(self, state: CometState, timestamp: int, factors: Sequence[int]) -> Weights | None:
        equity, maintenance = np.zeros(records.FACTORS), np.zeros(records.FACTORS)
        unbounded = set()
        for factor in factors:
            if factor == records.BASE_FACTOR:
                if state.base_price is None:
                    unbounded.add(factor)
                    continue
                index = state.at(timestamp).borrow_index / BASE_INDEX_SCALE
                maintenance[factor] = index * state.base_price / state.terms.base_scale
                continue
            each = state.collaterals[factor]
            if each.price is None:
                unbounded.add(factor)
                continue
            counted = each.terms.liquidate_cf / FACTOR_SCALE
            equity[factor] = each.price * counted / each.terms.scale
        # A collateral is rounded down twice, a debt to base units and to its value.
        base_unit = (state.base_price or 0) / state.terms.base_scale
        return Weights(
            equity=equity,
            maintenance=maintenance,
            equity_dust=2.0,
            maintenance_dust=1.0 + base_unit,
            unbounded=frozenset(unbounded),
        )

    def counted(self, raw: Raw) -> Mapping[str, int]:
        return {"supplied principal": max(raw.principal, 0), "borrowed principal": max(-raw.principal, 0)}

    def totals(self, state: CometState) -> Mapping[str, int]:
        now = state.totals
        return {"supplied principal": now.supply_base, "borrowed principal": now.borrow_base}

    def read_words(self, account: str, view: Sequence[int]) -> Valuation:
        collateral, debt, weighed, checked, liquidatable, _ = view
        # Comet checks at the indices of its last accrual, we value at the block's. Where it says otherwise
        # than its own numbers do, the verdict is equal to nothing that we compute.
        agrees = (weighed < checked) == bool(liquidatable)
        return planning.valuation(account, collateral, debt, weighed, (weighed < debt) == agrees)

    # Valuing.

    def revision(self, state: CometState) -> int:
        return 3

    def version(self, state: CometState) -> str | None:
        return "3"

    def value(self, state: CometState, accounts: Mapping[str, Raw], timestamp: int) -> list[Valuation]:
        totals = state.at(timestamp)
        return [planning.valued(state, account, raw, totals) for account, raw in accounts.items()]

    def valued(self, state: CometState, account: str, raw: Raw, timestamp: int) -> Valuation:
        return planning.valued(state, account, raw, state.at(timestamp))

    def priced_assets(self, state: CometState) -> list[PricedAsset]:
        prices = [(state.base, state.base_price), *((c.asset, c.price) for c in state.collaterals)]
        return [
            PricedAsset(
                asset.lower(),
                price,
                LENS.call("feedOf(address,address)", self.contract, asset),
                symbol(asset),
            )
            for asset, price in prices
        ]

    def factor_assets(self, state: CometState, factors: Sequence[int]) -> list[str]:
        tokens = [*(c.asset.lower() for c in state.collaterals)]
        return [state.base.lower() if factor == records.BASE_FACTOR else tokens[factor] for factor in factors]

    def price_dependencies(self, state: CometState, raw: Raw) -> frozenset[str]:
        if raw.principal >= 0:
            return frozenset()
        return frozenset(
            {state.base.lower(), *(state.collaterals[place].asset.lower() for place, _ in raw.held)}
        )

    def indices(self, state: CometState, timestamp: int) -> dict[str, dict[str, int]]:
        now = state.at(timestamp)
        return {state.base.lower(): {"supply": now.supply_index, "borrow": now.borrow_index}}

    def lines(
        self, state: CometState, valuation: Valuation, raw: Raw, timestamp: int, symbols: Mapping[str, str]
    ) -> tuple[Sequence[AssetLine], str]:
        totals, base = state.at(timestamp), state.base.lower()
        balance = present_value(raw.principal, totals)
        first = AssetLine(
            base,
            symbols.get(base, base),
            len(str(state.terms.base_scale)) - 1,
            state.base_price or 0,
            supplied=max(balance, 0),
            owed=max(-balance, 0),
            debt=valuation.maintenance,
        )
        held = [planning.line(state, raw, place, totals, symbols) for place, _ in raw.held]
        return [first, *held], "Comet: Σ collateral × liquidation collateral factor ÷ debt"

    # Planning.

    def tokens(self, state: CometState) -> Sequence[str]:
        return [state.base.lower(), *(each.asset.lower() for each in state.collaterals)]

    def assets(self, state: CometState, purse: Purse) -> Mapping[str, Asset]:
        found = [(state.base, state.base_price, state.terms.base_scale)]
        found += [(c.asset, c.price, c.terms.scale) for c in state.collaterals]
        return {
            token.lower(): Asset(token.lower(), purse.symbol(token), price, unit)
            for token, price, unit in found
            if price is not None
        }

    def offers(
        self, state: CometState, account: str, raw: Raw, timestamp: int, purse: Purse
    ) -> list[Offer] | Blocked:
        return planning.offers(
            self.contract, state, account, raw, timestamp, self.assets(state, purse), purse
        )

    def on_sale(self, state: CometState) -> Mapping[str, int]:
        return planning.on_sale(state)

    def sold_for(self, state: CometState) -> frozenset[str]:
        return frozenset({state.base.lower(), *planning.on_sale(state)})

    def sales(self, state: CometState, purse: Purse) -> list[Offer]:
        return planning.sales(self.contract, state, self.assets(state, purse), purse)

    def blocked_reason(self, state: CometState, raw: Raw, request: CureRequest) -> str:
        return "supplying is paused" if state.supply_paused else ""

    def cures(self, state: CometState, raw: Raw, request: CureRequest) -> Sequence[tuple[Action, Asset]]:
        # The base token repays; every collateral that has a price can be supplied.
        assets, base = self.assets(state, request.purse), state.base.lower()
        return [("repay" if token == base else "add_collateral", assets[token]) for token in assets]

    def default_steps(self, state: CometState, raw: Raw, request: CureRequest) -> Sequence[Step]:
        """Repay, then supply what is held."""
        held = [Step(action="add_collateral", asset=state.collaterals[place].asset) for place, _ in raw.held]
        return [Step(action="repay", asset=state.base), *held]

    def cure(
        self, state: CometState, raw: Raw, request: CureRequest, step: Step, asset: Asset
    ) -> Cure | Blocked:
        return planning.cure(self.contract, state, raw, request, step, asset)
