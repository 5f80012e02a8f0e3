// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {Black76} from "./Black76.sol";
import {Kind, Line, PRICE_TO_WAD, Portfolio, ScenarioSet, WAD} from "./Types.sol";

/// @title Valuation
/// @notice What an account is worth in a scenario, in all of them, and as things stand. Pure arithmetic, in a contract of
/// its own for its size. Every product is rounded down, against the account, once.
/// @dev docs/CLEARINGHOUSE.md has the formulas; `keeper/margin/portfolio/clearinghouse/valuation.py` is the same in Python.
contract Valuation {
    error NoSuchScenario(uint256 scenario, uint256 scenarios);

    /// @dev What every scenario moves: one factor per underlying for perpetuals, for an option's index and for its
    /// volatility, and one per collateral.
    struct Factors {
        int256[] perpetual;
        int256[] index;
        int256[] volatility;
        int256[] collateral;
    }

    /// @dev A step is in ten-thousandths of a width.
    int256 private constant STEP = 1e4;
    /// @dev Prices and volatilities fall to a thousandth of themselves at most.
    int256 private constant LEAST_FACTOR = 1e15;

    // As things stand.

    /// @notice Equity: cash, collateral after haircuts and positions at their marks. No contingency is taken off.
    function equity(Portfolio memory account) external pure returns (int256 value) {
        value = account.cash;
        for (uint256 i; i < account.pledges.length; ++i) value += int256(account.pledges[i].value);
        for (uint256 i; i < account.lines.length; ++i) value += _line(account.lines[i], WAD, WAD);
    }

    // In scenarios.

    /// @notice The account's value in one scenario. Below zero it has less than that scenario's set demands.
    function valueIn(Portfolio memory account, ScenarioSet memory set, uint256 scenario) external pure returns (int256) {
        if (scenario >= scenarios(set)) revert NoSuchScenario(scenario, scenarios(set));
        return _value(account, _factors(set, scenario));
    }

    /// @notice The least value over all scenarios, and the first scenario that has it.
    function worst(Portfolio memory account, ScenarioSet memory set) external pure returns (int256 value, uint256 at) {
        uint256 count = scenarios(set);
        if (count == 0) revert NoSuchScenario(0, 0);
        value = type(int256).max;
        for (uint256 i; i < count; ++i) {
            int256 found = _value(account, _factors(set, i));
            if (found < value) (value, at) = (found, i);
        }
    }

    /// @notice The least value over all scenarios of what an account has become; and whether it is worth nothing less than
    /// before in every scenario in which it is worth less than nothing.
    function admits(Portfolio memory before, Portfolio memory account, ScenarioSet memory set)
        external
        pure
        returns (bool yes, int256 value, uint256 at)
    {
        uint256 count = scenarios(set);
        if (count == 0) revert NoSuchScenario(0, 0);
        (yes, value) = (true, type(int256).max);
        for (uint256 i; i < count; ++i) {
            Factors memory factors = _factors(set, i);
            int256 found = _value(account, factors);
            if (found < value) (value, at) = (found, i);
            if (found < 0 && found < _value(before, factors)) yes = false;
        }
    }

    /// @notice How many scenarios a set has.
    function scenarios(ScenarioSet memory set) public pure returns (uint256) {
        return set.steps.length / (2 * (3 * set.underlyings + set.collaterals));
    }

    /// @dev cash - contingency + Σ ⌊collateral · factor⌋ + Σ lines
    function _value(Portfolio memory account, Factors memory by) private pure returns (int256 value) {
        value = account.cash - int256(account.contingency);
        for (uint256 i; i < account.pledges.length; ++i) {
            value += int256(account.pledges[i].value) * by.collateral[account.pledges[i].token] / WAD;
        }
        for (uint256 i; i < account.lines.length; ++i) {
            Line memory line = account.lines[i];
            uint256 u = line.underlying;
            value += line.kind == Kind.Perpetual
                ? _line(line, by.perpetual[u], WAD)
                : _line(line, by.index[u], by.volatility[u]);
        }
    }

    // One leg.

    /// @dev A perpetual: ⌊size · mark · factor⌋ - carried. An option: ⌊size · Black-76 of the forward
    /// settled + open · index · factor at deviation · turn⌋. No product overflows: sizes, prices and costs have 64 and 128
    /// bits, a factor is below 2^80, an option's price is at most 2^128 or Black-76 reverts.
    function _line(Line memory line, int256 factor, int256 turn) private pure returns (int256) {
        unchecked {
            if (line.kind == Kind.Perpetual) {
                return _down(int256(line.size) * int256(uint256(line.price)) * factor, WAD) - line.carried;
            }
            uint256 moving = uint256(line.price) * line.open / PRICE_TO_WAD;
            uint256 forward = line.settled * PRICE_TO_WAD + moving * uint256(factor) / uint256(WAD);
            uint256 deviation = line.deviation * uint256(turn) / uint256(WAD);
            (uint256 call, uint256 put) = Black76.prices(forward, line.strike * PRICE_TO_WAD, deviation);
            return _down(int256(line.size) * int256(line.kind == Kind.Call ? call : put), int256(PRICE_TO_WAD));
        }
    }

    // What a scenario moves.

    function _factors(ScenarioSet memory set, uint256 scenario) private pure returns (Factors memory by) {
        uint256 count = set.underlyings;
        uint256 step = scenario * (3 * count + set.collaterals);
        by.perpetual = new int256[](count);
        by.index = new int256[](count);
        by.volatility = new int256[](count);
        by.collateral = new int256[](set.collaterals);
        for (uint256 u; u < count; ++u) {
            int256 price = _move(set, step, 4 * u);
            by.index[u] = _factor(price);
            by.volatility[u] = _factor(_move(set, step + 1, _isDown(set, step + 1) ? 4 * u + 2 : 4 * u + 1));
            by.perpetual[u] = _factor(price + _move(set, step + 2, 4 * u + 3));
            step += 3;
        }
        for (uint256 c; c < set.collaterals; ++c) by.collateral[c] = _factor(_move(set, step + c, 4 * count + c));
    }

    /// @dev A move as a fraction: a step times the width it counts in, rounded towards zero.
    function _move(ScenarioSet memory set, uint256 number, uint256 width) private pure returns (int256) {
        return _step(set, number) * int256(set.widths[width]) / STEP;
    }

    function _isDown(ScenarioSet memory set, uint256 number) private pure returns (bool) {
        return _step(set, number) < 0;
    }

    /// @dev Inside `steps`: a scenario of it is asked for.
    function _step(ScenarioSet memory set, uint256 index) private pure returns (int256 step) {
        bytes memory steps = set.steps;
        assembly ("memory-safe") {
            step := signextend(1, shr(240, mload(add(add(steps, 32), shl(1, index)))))
        }
    }

    function _factor(int256 move) private pure returns (int256) {
        return move < LEAST_FACTOR - WAD ? LEAST_FACTOR : WAD + move;
    }

    /// @dev Towards minus infinity.
    function _down(int256 numerator, int256 denominator) private pure returns (int256 quotient) {
        unchecked {
            quotient = numerator / denominator;
            if (numerator < 0 && quotient * denominator != numerator) --quotient;
        }
    }
}
