// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {Black76} from "./Black76.sol";
import {Kind, Line, PRICE_TO_WAD, Pledge, Portfolio, ScenarioSet, WAD} from "./Types.sol";

/// @title Valuation
/// @notice What an account is worth in a scenario, in all of them, and as things stand. Pure arithmetic, in a contract of
/// its own for its size. Every product is rounded down, against the account, once.
/// @dev docs/CLEARINGHOUSE.md has the formulas; `keeper/margin/portfolio/clearinghouse/valuation.py` is the same in Python.
contract Valuation {
    error NoSuchScenario(uint256 scenario, uint256 scenarios);

    /// @dev A step is in ten-thousandths of a width.
    int256 private constant STEP = 1e4;
    /// @dev Prices and volatilities fall to a thousandth of themselves at most.
    int256 private constant LEAST_FACTOR = 1e15;

    // As things stand.

    /// @notice Equity: cash, collateral after haircuts and positions at their marks. No contingency is taken off.
    function equity(Portfolio calldata account) public pure returns (int256 value) {
        value = account.cash;
        for (uint256 i; i < account.pledges.length; ++i) value += int256(account.pledges[i].value);
        for (uint256 i; i < account.lines.length; ++i) {
            value += _line(account.lines[i], WAD, WAD);
        }
    }

    // In scenarios.

    /// @notice The account's value in one scenario. Below zero it has less than that scenario's set demands.
    function valueIn(Portfolio calldata account, ScenarioSet calldata set, uint256 scenario) public pure returns (int256) {
        if (scenario >= scenarios(set)) revert NoSuchScenario(scenario, scenarios(set));
        return _valueIn(account, set, scenario);
    }

    /// @notice The least value over all scenarios, and the first scenario that has it.
    function worst(Portfolio calldata account, ScenarioSet calldata set) public pure returns (int256 value, uint256 at) {
        uint256 count = scenarios(set);
        if (count == 0) revert NoSuchScenario(0, 0);
        value = type(int256).max;
        for (uint256 i; i < count; ++i) {
            int256 found = _valueIn(account, set, i);
            if (found < value) (value, at) = (found, i);
        }
    }

    /// @notice Whether `later` is worth at least what `earlier` is in every scenario.
    function fallsNowhere(Portfolio calldata earlier, Portfolio calldata later, ScenarioSet calldata set)
        external
        pure
        returns (bool)
    {
        uint256 count = scenarios(set);
        for (uint256 i; i < count; ++i) {
            if (_valueIn(later, set, i) < _valueIn(earlier, set, i)) return false;
        }
        return true;
    }

    /// @notice How many scenarios a set has.
    function scenarios(ScenarioSet calldata set) public pure returns (uint256) {
        return set.steps.length / (2 * (3 * set.underlyings + set.collaterals));
    }

    function _valueIn(Portfolio calldata account, ScenarioSet calldata set, uint256 scenario)
        private
        pure
        returns (int256 value)
    {
        uint256 numbers = 3 * set.underlyings + set.collaterals;
        uint256 first = scenario * numbers;
        value = account.cash - int256(account.contingency);
        for (uint256 i; i < account.pledges.length; ++i) {
            Pledge calldata pledge = account.pledges[i];
            int256 move = _move(set, first + 3 * set.underlyings + pledge.token, 4 * set.underlyings + pledge.token);
            value += _down(int256(pledge.value) * _factor(move));
        }
        for (uint256 i; i < account.lines.length; ++i) {
            Line calldata line = account.lines[i];
            uint256 step = first + 3 * line.underlying;
            uint256 width = 4 * uint256(line.underlying);
            int256 price = _move(set, step, width);
            if (line.kind == Kind.Perpetual) {
                value += _line(line, _factor(price + _move(set, step + 2, width + 3)), WAD);
            } else {
                int256 turn = _move(set, step + 1, width + 1);
                if (turn < 0) turn = _move(set, step + 1, width + 2);
                value += _line(line, _factor(price), _factor(turn));
            }
        }
    }

    // One leg.

    /// @dev A perpetual: size * mark * factor - carried. An option: size * Black-76 of the forward
    /// settled + open * index * factor, at deviation * turn.
    function _line(Line calldata line, int256 factor, int256 turn) private pure returns (int256) {
        if (line.kind == Kind.Perpetual) {
            return _down(int256(line.size) * int256(uint256(line.price)) * factor) - line.carried;
        }
        uint256 moving = uint256(line.price) * line.open / PRICE_TO_WAD;
        uint256 forward = line.settled * PRICE_TO_WAD + moving * uint256(factor) / uint256(WAD);
        uint256 deviation = line.deviation * uint256(turn) / uint256(WAD);
        (uint256 call, uint256 put) = Black76.prices(forward, line.strike * PRICE_TO_WAD, deviation);
        int256 price = int256(line.kind == Kind.Call ? call : put);
        return _floor(int256(line.size) * price, int256(PRICE_TO_WAD));
    }

    /// @dev A move of a scenario as a fraction: its step times the width it counts in, rounded towards zero.
    function _move(ScenarioSet calldata set, uint256 number, uint256 width) private pure returns (int256) {
        uint256 at = 2 * number;
        int256 step = int16(uint16(bytes2(set.steps[at:at + 2])));
        return step * int256(set.widths[width]) / STEP;
    }

    function _factor(int256 move) private pure returns (int256) {
        return move < LEAST_FACTOR - WAD ? LEAST_FACTOR : WAD + move;
    }

    function _down(int256 product) private pure returns (int256) {
        return _floor(product, WAD);
    }

    /// @dev Towards minus infinity.
    function _floor(int256 numerator, int256 denominator) private pure returns (int256 quotient) {
        quotient = numerator / denominator;
        if (numerator < 0 && quotient * denominator != numerator) --quotient;
    }
}
