"""Distances against brute force and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import brentq, minimize

from keeper.errors import MarginError
from keeper.margin.portfolio.accounts import Accounts
from keeper.margin.portfolio.distance import Level, book_failures, distances, first_failures
from keeper.margin.portfolio.engine import evaluate
from keeper.margin.portfolio.likeliest import likeliest_failure
from keeper.margin.portfolio.market import MarketData
from tests.unit.margin.portfolio.books import MARKET, options, parameters, perps, random_book

pytestmark = pytest.mark.unit

COVARIANCE = np.array([[0.0016, 0.0018], [0.0018, 0.0036]])
LEVELS = list(Level)


def cushioned(seed: int, accounts: int = 6) -> Accounts:
    """A random book in which every account meets its initial margin with a little to spare."""
    book, p = random_book(seed, accounts), parameters()
    v = evaluate(book, MARKET, p)
    cash = book.cash + v.initial - v.equity + 1_000.0
    return Accounts.of(cash, book.options, book.perps, book.spot, book.collateral)


@pytest.mark.parametrize("level", LEVELS)
def test_a_long_perps_distance_is_its_closed_form(level: Level) -> None:
    p = parameters(basis_minimum=0.0, basis_rate=0.0)
    book = Accounts.of(np.array([20_000.0]), perps=perps([(0, 0, 1.0, 60_000.0)]))
    got = distances(book, 0, MARKET, p, level)
    # 20,000 + (60,000·x − 60,000) = rate·60,000·x
    rate = {Level.CALL: 1.25 * 0.15, Level.LIQUIDATION: 0.15, Level.ZERO: 0.0}[level]
    assert got.alone["BTC"].down == pytest.approx(40_000 / (60_000 * (1 - rate)), rel=1e-10)
    assert got.alone["BTC"].up is None
    assert got.alone["ETH"].nearest is None
    assert got.together.nearest == got.alone["BTC"].down


@pytest.mark.parametrize("seed", [31, 32, 33])
@pytest.mark.parametrize("level", LEVELS)
def test_no_smaller_move_fails(seed: int, level: Level) -> None:
    book, p = cushioned(seed), parameters()
    for account in range(3):
        got = distances(book, account, MARKET, p, level)
        for name, move in [*got.alone.items(), ("all", got.together)]:
            line = np.array([name in (n, "all") for n in MARKET.names], dtype=float)
            for factor in (move.down, move.up):
                if factor is None:
                    continue
                fine = np.exp(np.linspace(0.0, math.log(factor), 2_000))[:, np.newaxis] ** line
                copies = book.one(account).copies(len(fine))
                surplus = level.surplus(evaluate(copies, MARKET.moved(fine), p))
                assert surplus[-1] < 1e-6
                assert (surplus[:-1] > -1e-6).all()


@pytest.mark.parametrize("direction", [(-1.0, 0.0), (0.5, -1.0)])
def test_a_whole_books_distances_are_its_accounts(direction: tuple[float, float]) -> None:
    book, p, line = cushioned(35, 12), parameters(), np.array(direction)
    cash = book.cash.copy()
    cash[3] -= 1e7
    book = Accounts.of(cash, book.options, book.perps, book.spot, book.collateral)
    whole = book_failures(book, MARKET, p, Level.LIQUIDATION, line, workers=2)
    assert whole[3] == 0.0
    for account in range(12):
        alone = first_failures(book.one(account), MARKET, p, Level.LIQUIDATION, line[np.newaxis])
        assert whole[account] == pytest.approx(alone[0], rel=1e-9)


def test_levels_are_passed_in_order() -> None:
    book, p = cushioned(34), parameters()
    for account in range(len(book)):
        call, liquidation, zero = (distances(book, account, MARKET, p, level) for level in LEVELS)
        for name in MARKET.names:
            moves = [d.alone[name].nearest for d in (call, liquidation, zero)]
            sizes = [math.inf if move is None else abs(math.log(move)) for move in moves]
            assert sizes == sorted(sizes)


def test_an_account_already_below_is_at_no_distance() -> None:
    book = Accounts.of(np.array([-1.0]), perps=perps([(0, 0, 1.0, 60_000.0)]))
    got = distances(book, 0, MARKET, parameters(), Level.ZERO)
    assert got.together.down == got.together.up == 1.0
    near = likeliest_failure(book, 0, MARKET, parameters(), COVARIANCE, Level.ZERO)
    assert near.distance == 0.0


def test_mahalanobis_distance_of_one_asset_is_log_move_over_volatility() -> None:
    market = MarketData(("BTC",), np.array([60_000.0]))
    p = parameters(price_range=np.array([0.15]), haircut=np.array([0.1]))
    book = Accounts.of(np.array([20_000.0]), options([(0, 0, -1.0, 66_000.0, 0.2, 0.6, True)]))
    near = likeliest_failure(book, 0, market, p, np.array([[0.0025]]), Level.LIQUIDATION)
    move = distances(book, 0, market, p, Level.LIQUIDATION).alone["BTC"].nearest
    assert move is not None
    assert near.distance == pytest.approx(abs(math.log(move)) / 0.05, rel=1e-9)


def test_mahalanobis_distance_of_two_perps_is_the_numerical_minimum() -> None:
    p = parameters(basis_minimum=0.0, basis_rate=0.0)
    book = Accounts.of(np.array([60_000.0]), perps=perps([(0, 0, 1.0, 60_000.0), (0, 1, -20.0, 3_000.0)]))
    near = likeliest_failure(book, 0, MARKET, p, COVARIANCE, Level.ZERO)
    inverse = np.linalg.inv(COVARIANCE)

    def squared(x: float) -> float:
        # equity 60,000 + 60,000·(e^x − 1) − 60,000·(e^y − 1) = 0 gives y from x
        z = np.array([x, math.log1p(math.exp(x))])
        return float(z @ inverse @ z)

    best = min(squared(x) for x in np.linspace(-3, 2, 100_001))
    assert near.distance == pytest.approx(math.sqrt(best), rel=1e-5)
    assert near.distance >= math.sqrt(best) * (1 - 1e-6)


def test_mahalanobis_distance_of_five_assets_is_the_numerical_minimum() -> None:
    random = np.random.default_rng(5)
    spread = random.normal(size=(5, 5)) * 0.03
    covariance = spread @ spread.T + 0.0004 * np.eye(5)
    market = MarketData(tuple("ABCDE"), np.full(5, 100.0))
    p = parameters(price_range=np.full(5, 0.1), haircut=np.full(5, 0.1))
    sizes = np.array([30.0, -25.0, 10.0, 15.0, -5.0])
    book = Accounts.of(np.array([900.0]), perps=perps([(0, u, q, 100.0) for u, q in enumerate(sizes)]))
    near = likeliest_failure(book, 0, market, p, covariance, Level.ZERO)
    assert near.factors is not None
    inverse = np.linalg.inv(covariance)
    least = minimize(
        lambda z: z @ inverse @ z,
        np.log(near.factors) * 1.2,
        constraints={"type": "eq", "fun": lambda z: 900.0 + 100.0 * sizes @ (np.exp(z) - 1.0)},
        options={"ftol": 1e-14, "maxiter": 500},
    )
    assert near.distance == pytest.approx(math.sqrt(least.fun), rel=1e-4)


@pytest.mark.parametrize("seed", [41, 42])
def test_mahalanobis_distance_agrees_with_a_dense_sweep_of_directions(seed: int) -> None:
    book, p, level = cushioned(seed), parameters(), Level.LIQUIDATION
    root = np.linalg.cholesky(COVARIANCE)
    near = likeliest_failure(book, 0, MARKET, p, COVARIANCE, level)
    one = book.one(0)
    radii = np.linspace(0.0, near.distance, 400)
    for angle in np.linspace(0.0, 2 * np.pi, 180, endpoint=False):
        line = root @ np.array([np.cos(angle), np.sin(angle)])
        moves = np.exp(np.outer(radii[radii < near.distance * 0.985], line))
        surplus = level.surplus(evaluate(one.copies(len(moves)), MARKET.moved(moves), p))
        assert (surplus >= 0).all()
    assert near.factors is not None
    at = level.surplus(evaluate(one, MARKET.moved(near.factors), p))[0]
    assert at == pytest.approx(0.0, abs=1e-3 * 30_000)


def test_an_option_buyer_is_called_where_brentq_says() -> None:
    p = parameters()
    book = Accounts.of(np.array([500.0]), options([(0, 1, 1.0, 3_000.0, 0.25, 0.7, True)]))

    def surplus(log_move: float) -> float:
        v = evaluate(book, MARKET.moved(np.array([1.0, math.exp(log_move)])), p)
        return float(Level.CALL.surplus(v)[0])

    got = distances(book, 0, MARKET, p, Level.CALL).alone["ETH"]
    if got.down is None:
        assert min(surplus(x) for x in np.linspace(-3, 0, 500)) >= 0
    else:
        root = brentq(surplus, math.log(got.down) - 0.01, math.log(got.down) + 0.01)
        assert math.log(got.down) == pytest.approx(root, abs=1e-9)


@pytest.mark.parametrize(
    "covariance",
    [
        np.array([[1.0, 2.0], [2.0, 1.0]]),
        np.array([[1.0, 0.5], [0.2, 1.0]]),
        np.eye(3),
        np.full((2, 2), np.nan),
    ],
)
def test_a_covariance_that_is_none_is_refused(covariance: np.ndarray) -> None:
    with pytest.raises(MarginError, match="covariance"):
        likeliest_failure(random_book(1, 1), 0, MARKET, parameters(), covariance, Level.CALL)
