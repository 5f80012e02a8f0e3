"""A Morpho Blue singleton behind the keeper's interface: all its markets, or those that are named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import ClassVar

from keeper.chain import erc20
from keeper.chain.calls import Call
from keeper.config.policy import Action, Step
from keeper.margin.lending.morpho.market import ORACLE_PRICE_SCALE, MarketState
from keeper.margin.lending.morpho.position import (
    borrowed_up,
    collateral_value_down,
    health_factor_down,
    liquidation_price_up,
)
from keeper.margin.rounding import wad_mul_down
from keeper.model.cure import CureRequest
from keeper.model.offer import Asset, Offer
from keeper.model.plan import Blocked
from keeper.model.purse import Purse
from keeper.model.valuation import AssetLine, Valuation
from keeper.protocols.cures import ENDLESS, Cure
from keeper.protocols.morpho_blue import lens, planning
from keeper.protocols.morpho_blue.lens import LENS, Pair
from keeper.protocols.morpho_blue.mirror import MOST_PRICE, MOST_UNLISTED, MorphoMirror, Singleton, Stake
from keeper.protocols.morpho_blue.positions import borrower_of, id_of
from keeper.protocols.roles.market import PricedAsset


class MorphoBlueMarket(MorphoMirror):
    """A Morpho Blue singleton. An account is a borrower in one market: see `positions`."""

    ratio_parts: ClassVar[Mapping[str, int]] = {"lltv": 18}

    def counted(self, raw: Stake) -> Mapping[str, int]:
        return {f"borrow shares of {raw.id}": raw.position.borrow_shares}

    def totals(self, state: Singleton) -> Mapping[str, int]:
        pairs = state.pairs.values()
        return {f"borrow shares of {pair.id}": pair.totals.total_borrow_shares for pair in pairs}

    def view_call(self, account: str) -> Call:
        return lens.valued_call(self.contract, id_of(account), borrower_of(account))

    def read_words(self, account: str, view: Sequence[int]) -> Valuation:
        collateral, debt, lltv, health = view
        return _valuation(account, collateral, debt, lltv, health)

    # Valuing.

    def revision(self, state: Singleton) -> int:
        return 1

    def version(self, state: Singleton) -> str | None:
        return "1.0"

    def decimals(self, state: Singleton, account: str) -> int:
        """Decimals of an account's values: those of its loan token."""
        return state.pairs[id_of(account)].loan_decimals

    def unit_worth(self, state: Singleton, account: str) -> float:
        pair = state.pairs.get(id_of(account))
        if pair is None or not self._vouched(pair):
            return 0.0
        return float((self._says(pair) or Decimal(1)) * 10**self.scale / 10**pair.loan_decimals)

    def value(self, state: Singleton, accounts: Mapping[str, Stake], timestamp: int) -> list[Valuation]:
        ids = {stake.id for stake in accounts.values()} & state.pairs.keys()
        totals = {each: state.pairs[each].at(timestamp) for each in ids}
        return [
            _valued(state, a, stake, totals[stake.id]) for a, stake in accounts.items() if stake.id in ids
        ]

    def valued(self, state: Singleton, account: str, raw: Stake, timestamp: int) -> Valuation:
        return _valued(state, account, raw, state.pairs[raw.id].at(timestamp))

    def priced_assets(self, state: Singleton) -> list[PricedAsset]:
        return [
            *(
                PricedAsset(
                    pair.id,
                    self._asset(pair, pair.collateral, {}).price if pair.usable else None,
                    self._oracle_call(pair.id),
                    erc20.symbol(pair.collateral),
                    token=pair.collateral.lower(),
                    trusted=self._vouched(pair),
                )
                for pair in state.pairs.values()
            ),
            *(
                PricedAsset(each, None, self._oracle_call(each), self._oracle_call(each), trusted=False)
                for each in sorted(state.unread)
            ),
        ]

    def _oracle_call(self, market_id: str) -> Call:
        return LENS.call("oracleOf(address,bytes32)", self.contract, bytes.fromhex(market_id[2:]))

    def price_dependencies(self, state: Singleton, raw: Stake) -> frozenset[str]:
        return frozenset({raw.id}) if raw.position.borrow_shares else frozenset()

    def liquidation_tokens(self, state: Singleton, raw: Stake) -> frozenset[str]:
        pair = state.pairs.get(raw.id)
        # At a stranger's token nothing is asked.
        if pair is None or not self._vouched(pair):
            return frozenset()
        return frozenset({pair.loan.lower(), pair.collateral.lower()})

    def indices(self, state: Singleton, timestamp: int) -> dict[str, dict[str, int]]:
        return {
            pair.id: {
                "borrow_assets": now.total_borrow_assets,
                "borrow_shares": now.total_borrow_shares,
                "supply_assets": now.total_supply_assets,
            }
            for pair in state.pairs.values()
            for now in [pair.at(timestamp)]
        }

    def lines(
        self, state: Singleton, valuation: Valuation, raw: Stake, timestamp: int, symbols: Mapping[str, str]
    ) -> tuple[Sequence[AssetLine], str]:
        pair = state.pairs[raw.id]
        breaks = liquidation_price_up(raw.position, pair.at(timestamp), pair.terms)
        unit = 10**pair.collateral_decimals
        has = AssetLine(
            pair.collateral,
            symbols.get(pair.collateral.lower(), pair.collateral),
            pair.collateral_decimals,
            (pair.price or 0) * unit // ORACLE_PRICE_SCALE,
            supplied=raw.position.collateral,
            collateral=valuation.parts["collateral"],
            threshold=pair.terms.lltv // 10**14,
            breaks_at=None if breaks is None else breaks * unit // ORACLE_PRICE_SCALE,
        )
        owes = AssetLine(
            pair.loan,
            symbols.get(pair.loan.lower(), pair.loan),
            pair.loan_decimals,
            10**pair.loan_decimals,
            owed=valuation.maintenance,
            debt=valuation.maintenance,
        )
        return (has, owes), "Morpho Blue 1.0: collateral × price × LLTV ÷ debt"

    def setup_warnings(self, state: Singleton) -> Sequence[tuple[str, str]]:
        found = []
        if not self._wanted:
            done = "acted on" if self._trusts_all else "watched, and nothing is done there"
            everyone = f"all {len(state.pairs)} markets are {done}; anybody makes one with his own oracle"
            found.append((everyone, f"List the markets that you trust in {self.table}.market_ids"))
        assumed = {pair.loan_symbol for pair in state.pairs.values() if not self._says(pair)}
        if assumed:
            prices = f"{self.table}.loan_prices"
            each = f"a whole {', '.join(sorted(assumed))}"
            if self._trusts_all:
                found.append(
                    (f"{each} is counted as 1 of the base currency", f"Set {prices} for what is no dollar")
                )
            else:
                found.append(
                    (
                        f"what {each} is worth is not said: nothing is done there",
                        f"Set {prices}; a dollar is 1",
                    )
                )
        return found

    # Planning.

    def tokens(self, state: Singleton) -> Sequence[str]:
        trusted = [pair for pair in state.pairs.values() if self._vouched(pair)]
        return sorted({t.lower() for pair in trusted for t in (pair.loan, pair.collateral)})

    def market_warnings(self, state: Singleton) -> Mapping[str, str]:
        found = {}
        if self._numbers.unfollowed:
            most = len(self._numbers.ids) - 1
            found["unfollowed"] = (
                f"more than {most} markets: later ones are not followed; list those you trust"
            )
        if self._left_out:
            found["unread"] = (
                f"more than {MOST_UNLISTED} markets that nobody listed have accounts: later ones are not read"
            )
        return found

    def assets(self, state: Singleton, purse: Purse) -> Mapping[str, Asset]:
        found: dict[str, Asset] = {}
        known = [pair for pair in state.pairs.values() if pair.usable and self._vouched(pair)]
        # What the operator says of a token counts before what any market's oracle does.
        for pair in known:
            found.setdefault(pair.loan.lower(), self._asset(pair, pair.loan, purse.symbols))
        for pair in known:
            found.setdefault(pair.collateral.lower(), self._asset(pair, pair.collateral, purse.symbols))
        return found

    def _asset(self, pair: Pair, token: str, symbols: Mapping[str, str]) -> Asset:
        """A token of a market at the market's own price; the loan token at the operator's price."""
        loan = pair.loan.lower()
        worth = int((self._says(pair) or Decimal(1)) * 10**self.scale)
        if token == pair.loan:
            return Asset(loan, pair.loan_symbol, worth, 10**pair.loan_decimals)
        unit = 10**pair.collateral_decimals
        price = (pair.price or 0) * unit * worth // (ORACLE_PRICE_SCALE * 10**pair.loan_decimals)
        price = min(price, MOST_PRICE)
        name = token.lower()
        return Asset(name, symbols.get(name, name), price, unit)

    def _assets(self, pair: Pair, purse: Purse) -> tuple[Asset, Asset]:
        """The loan token and the collateral."""
        loan, collateral = (self._asset(pair, each, purse.symbols) for each in (pair.loan, pair.collateral))
        return loan, collateral

    def offers(
        self, state: Singleton, account: str, raw: Stake, timestamp: int, purse: Purse
    ) -> list[Offer] | Blocked:
        pair = state.pairs[raw.id]
        if why := self._strange(pair):
            return Blocked(why)
        pays, gets = self._assets(pair, purse)
        borrower, position = borrower_of(account), raw.position
        return planning.offers(self.contract, pair, borrower, position, timestamp, pays, gets)

    def blocked_reason(self, state: Singleton, raw: Stake, request: CureRequest) -> str:
        pair = state.pairs[raw.id]
        if why := self._strange(pair):
            return why
        return "" if pair.usable else "the market's oracle or rate model does not answer"

    def cures(self, state: Singleton, raw: Stake, request: CureRequest) -> Sequence[tuple[Action, Asset]]:
        loan, collateral = self._assets(state.pairs[raw.id], request.purse)
        return [("repay", loan), ("add_collateral", collateral)]

    def cure(
        self, state: Singleton, raw: Stake, request: CureRequest, step: Step, asset: Asset
    ) -> Cure | Blocked:
        return planning.cure(self.contract, state.pairs[raw.id], raw.position, request, step, asset)


def _valued(state: Singleton, account: str, raw: Stake, now: MarketState) -> Valuation:
    pair, price = state.pairs[raw.id], state.pairs[raw.id].price or 0
    return _valuation(
        account,
        collateral_value_down(raw.position.collateral, price),
        borrowed_up(raw.position, now),
        pair.terms.lltv,
        health_factor_down(raw.position, now, price, pair.terms),
    )


def _valuation(account: str, collateral: int, debt: int, lltv: int, health: int) -> Valuation:
    """A valuation in units of the loan token; liquidatable by the contract's `_isHealthy`."""
    carries = wad_mul_down(collateral, lltv)
    return Valuation(
        account,
        carries,
        debt,
        collateral - debt,
        carries < debt,
        None,
        None if health == ENDLESS else health,
        {"collateral": collateral, "debt": debt, "lltv": lltv},
    )
