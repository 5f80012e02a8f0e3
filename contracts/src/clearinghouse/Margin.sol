// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {IMarkets, IScenarios, IValuation} from "./Interfaces.sol";
import {AccountState, Pledge, Portfolio} from "./Types.sol";

/// @title Margin
/// @notice Judges accounts by what they are: resolves positions and collateral at the markets' present terms, and values
/// them in scenarios. `cash` of a state that is passed in counts as it is, interest included.
contract Margin {
    IMarkets public immutable markets;
    IScenarios public immutable scenarios;
    IValuation public immutable valuation;

    constructor(IMarkets markets_, IScenarios scenarios_, IValuation valuation_) {
        (markets, scenarios, valuation) = (markets_, scenarios_, valuation_);
    }

    /// @notice An account as it can be valued now.
    function portfolio(AccountState calldata state) public view returns (Portfolio memory found) {
        found.cash = state.cash;
        found.pledges = markets.pledges(state.collateral);
        (found.lines, found.contingency) = markets.lines(state.legs);
    }

    /// @notice Cash, collateral after haircuts and positions at their marks.
    function equityOf(AccountState calldata state) external view returns (int256) {
        return valuation.equity(portfolio(state));
    }

    /// @notice Equity, and what the account is worth in one scenario of the maintenance set.
    function valueIn(AccountState calldata state, uint256 scenario) external view returns (int256 equity, int256 value) {
        Portfolio memory found = portfolio(state);
        equity = valuation.equity(found);
        value = valuation.valueIn(found, scenarios.one(false, scenario), 0);
    }

    /// @notice Equity, and the least that the account is worth in any scenario of a set, with that scenario.
    function worst(AccountState calldata state, bool initial)
        external
        view
        returns (int256 equity, int256 value, uint256 scenario)
    {
        Portfolio memory found = portfolio(state);
        equity = valuation.equity(found);
        (value, scenario) = valuation.worst(found, scenarios.set(initial));
    }

    /// @notice Whether an account is above initial margin, or in no scenario that lacks margin worse off than before; and the
    /// least that it is worth in any scenario of the initial set, with that scenario.
    function admits(AccountState calldata before, AccountState calldata state)
        external
        view
        returns (bool yes, int256 value, uint256 scenario)
    {
        return valuation.admits(portfolio(before), portfolio(state), scenarios.set(true));
    }

    /// @notice What collateral is worth after haircuts.
    function pledged(uint256[] calldata amounts) external view returns (uint256 value) {
        Pledge[] memory held = markets.pledges(amounts);
        for (uint256 i; i < held.length; ++i) value += held[i].value;
    }
}
