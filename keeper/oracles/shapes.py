"""The kind of price source at an address, recognised by the published functions it answers.

Interfaces: Chainlink's AggregatorV3Interface, its proxies and SVR's DualAggregator; BGD Labs' price caps
(aave-capo, aave-price-feeds) and synchronicity adapters; Pyth's aggregator port; Morpho's IOracle and
MorphoChainlinkOracleV2; Gearbox's composite, bounded, LP and PT feeds; Compound's scaling, multiplying and
constant feeds. A source that names its inputs by none of these is looked into: see `looking`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from keeper.chain import abi
from keeper.chain.calls import Answer, Call
from keeper.oracles.sources import Kind

_MORPHO_FEEDS = ("BASE_FEED_1()", "BASE_FEED_2()", "QUOTE_FEED_1()", "QUOTE_FEED_2()")
# Compound's feeds, which answer `latestRoundData` themselves with the rounds of one of those they rest on
# (compound-finance/comet, contracts/pricefeeds): one feed behind, or the product of two.
_UNDERLYING = ("underlyingPriceFeed()", "stETHtoUSDPriceFeed()", "stETHtoETHPriceFeed()")
_PRODUCTS = (("priceFeedA()", "priceFeedB()"), ("BTCToUSDPriceFeed()", "WBTCToBTCPriceFeed()"))
LATEST = "latestRoundData()"
ROUND_WORDS = 5
# Gearbox's, which pass on the time of the oldest of what they rest on, and no round.
_SEVERAL = ("priceFeed0()", "priceFeed1()", "priceFeed2()", "priceFeed3()")
_ONE = ("source()", "priceFeed()")
_DUAL = "DualAggregator"

_PROBES = (
    "decimals()",
    "description()",
    "latestAnswer()",
    LATEST,
    "aggregator()",
    "ASSET_TO_USD_AGGREGATOR()",
    "getPriceCap()",
    "BASE_TO_USD_AGGREGATOR()",
    "RATIO_PROVIDER()",
    "getRatio()",
    "ASSET_TO_PEG()",
    "PEG_TO_BASE()",
    "BASE_TO_PEG()",
    *_ONE,
    *_SEVERAL,
    "price()",
    "pyth()",
    "priceId()",
    "typeAndVersion()",
    *_MORPHO_FEEDS,
    *_UNDERLYING,
    *(each for pair in _PRODUCTS for each in pair),
    "constantPrice()",
)


@dataclass(frozen=True, slots=True)
class Found:
    """The finding at one address. `inputs` must be feeds or adapters themselves; of `maybe` only those that
    are count (a ratio's provider may be a feed or a token). `question` is the function that it answered with
    its price, `updated_at` the time of that price, 0 where it gives none."""

    kind: Kind
    decimals: int | None
    description: str
    inputs: tuple[str, ...] = ()
    maybe: tuple[str, ...] = ()
    emitter: str = ""
    note: str = ""
    question: str = ""
    updated_at: int = 0
    is_constant: bool = False
    instead: Kind = "unresolved"
    """Its kind where no contract that it seems to be derived from is a feed."""

    @property
    def is_leaf(self) -> bool:
        """Whether it gives an answer of its own and names no inputs."""
        return self.kind in ("aggregator", "fixed", "morpho-oracle", "unresolved") and not self.inputs


def calls(address: str) -> list[Call]:
    """All probes of one address, whose answers `identify` takes."""
    return [abi.call(address, signature) for signature in _PROBES]


def identify(address: str, answers: list[Answer]) -> Found:
    """Identify a source's kind from its answers; unresolved when it fits no known one."""
    said = dict(zip(_PROBES, answers, strict=True))
    decimals = abi.word(said["decimals()"])
    description = abi.text(said["description()"])

    question = next((each for each in (LATEST, "latestAnswer()", "price()") if said[each].ok), "")
    updated = abi.word(said[LATEST], 3) if is_round(said[LATEST]) else None

    def found(kind: Kind, *inputs: str, note: str = "", emitter: str = "", maybe: str = "") -> Found:
        some = (maybe,) if maybe else ()
        return Found(kind, decimals, description, inputs, some, emitter, note, question, updated or 0)

    asset, base = _at(said, "ASSET_TO_USD_AGGREGATOR()"), _at(said, "BASE_TO_USD_AGGREGATOR()")
    ratio = _at(said, "RATIO_PROVIDER()")
    to_peg = _at(said, "ASSET_TO_PEG()")
    peg = _at(said, "PEG_TO_BASE()") or _at(said, "BASE_TO_PEG()")
    if asset:
        cap = abi.signed(said["getPriceCap()"])
        return found("stable-cap", asset, *([base] if base else []), note="" if cap is None else f"cap {cap}")
    if base:
        return found("ratio-cap", base, note=f"ratio from {ratio}" if ratio else "", maybe=ratio or "")
    if to_peg and peg:
        return found("synchronicity", to_peg, peg)
    pyth = _at(said, "pyth()")
    if pyth and said["priceId()"].ok:
        return found("pyth", emitter=pyth, note=f"price id 0x{said['priceId()'].data[:32].hex()}")
    aggregator = _at(said, "aggregator()")
    if aggregator:
        return found("chainlink", emitter=aggregator)
    constant = abi.signed(said["constantPrice()"])
    if constant is not None:
        return found("fixed", note=f"always {constant}")
    for one, other in _PRODUCTS:
        factors = [at for name in (one, other) if (at := _at(said, name))]
        if len(factors) == len((one, other)):
            return found("synchronicity", *factors)
    several = [at for name in _SEVERAL if (at := _at(said, name))]
    if len(several) > 1:
        return found("composite", *several)
    behind = next((at for name in (*_ONE, *_UNDERLYING) if (at := _at(said, name))), None)
    if behind:
        return found("scaled", behind)
    if is_round(said[LATEST]):
        dual = abi.text(said["typeAndVersion()"]).startswith(_DUAL)
        return found("svr" if dual else "aggregator", emitter=address)
    fixed, answer = abi.signed(said["price()"]), abi.signed(said["latestAnswer()"])
    if fixed is not None and fixed == answer:
        return found("fixed", note=f"always {fixed}")
    if fixed is not None and not said["latestAnswer()"].ok:
        # Morpho's IOracle: one function. Its Chainlink oracle says which feeds it multiplies and divides.
        feeds = [at for name in _MORPHO_FEEDS if (at := _at(said, name))]
        return found("morpho-oracle", *feeds)
    return found("unresolved")


def is_round(answer: Answer) -> bool:
    """Whether this is the answer of `latestRoundData`."""
    return answer.ok and len(answer.data) >= ROUND_WORDS * abi.WORD


def _at(said: Mapping[str, Answer], signature: str) -> str | None:
    return abi.address(said[signature])
