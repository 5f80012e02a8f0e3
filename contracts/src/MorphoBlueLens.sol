// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {Id, IMorpho, Market, MarketParams, Position} from "@morpho-org/morpho-blue/src/interfaces/IMorpho.sol";
import {IIrm} from "@morpho-org/morpho-blue/src/interfaces/IIrm.sol";
import {IOracle} from "@morpho-org/morpho-blue/src/interfaces/IOracle.sol";
import {MorphoBalancesLib} from "@morpho-org/morpho-blue/src/libraries/periphery/MorphoBalancesLib.sol";

interface IAdaptiveCurve {
    function rateAtTarget(Id id) external view returns (int256);
}

interface ITokenDecimals {
    function decimals() external view returns (uint8);
}

/// @title MorphoBlueLens
/// @notice Reads markets and positions of a Morpho Blue singleton as they are stored, and, for comparison, a position's
/// debt and health by Morpho's own libraries. It is never deployed: the caller lays its code over an unused address in
/// an `eth_call`.
contract MorphoBlueLens {
    using MorphoBalancesLib for IMorpho;

    struct State {
        Id id;
        MarketParams params;
        Market totals;
        /// Meaningless unless `priced`: the oracle may revert.
        uint256 price;
        bool priced;
        /// Average borrow rate from the last update to this block; meaningless unless `rated`.
        uint256 borrowRate;
        bool rated;
        /// Of the adaptive curve; zero where the rate model has none.
        int256 rateAtTarget;
        bool adaptive;
        uint8 loanDecimals;
        uint8 collateralDecimals;
        /// What the loan token answers to `symbol()`, cut off: anybody's token may be the loan token of a market.
        bytes loanSymbol;
    }

    uint256 private constant ORACLE_PRICE_SCALE = 1e36;
    uint256 private constant WAD = 1e18;
    uint256 private constant KEY = 52;
    uint256 private constant SYMBOL_BYTES = 128;
    uint256 private constant SYMBOL_GAS = 100_000;
    /// What an oracle over several vaults and feeds takes, with room.
    uint256 private constant ORACLE_GAS = 1_500_000;
    /// What a rate model takes, which Morpho's owner allowed.
    uint256 private constant RATE_GAS = 500_000;
    uint256 private constant DECIMALS_GAS = 100_000;
    /// More than all that is asked of one market can burn, and answering takes.
    uint256 private constant MARKET_GAS = 3_200_000;

    /// @notice The markets of these ids, as of their last update, with price and rate at this block: of all of them
    /// in their order, or of the first for which there is gas. One at least is always tried.
    function markets(IMorpho morpho, Id[] calldata ids) external view returns (State[] memory states) {
        states = new State[](ids.length);
        for (uint256 i; i < ids.length; ++i) {
            if (i != 0 && gasleft() < MARKET_GAS) {
                assembly ("memory-safe") {
                    mstore(states, i)
                }
                break;
            }
            State memory state = states[i];
            state.id = ids[i];
            state.params = morpho.idToMarketParams(ids[i]);
            state.totals = morpho.market(ids[i]);
            if (state.totals.lastUpdate == 0) continue;
            (state.priced, state.price) = _word(state.params.oracle, abi.encodeCall(IOracle.price, ()), ORACLE_GAS);
            if (state.params.irm != address(0)) _rate(state);
            state.loanDecimals = _decimals(state.params.loanToken);
            state.collateralDecimals = _decimals(state.params.collateralToken);
            state.loanSymbol = _symbol(state.params.loanToken);
        }
    }

    /// @notice For each 52 bytes of `keys`, a borrower and an id: borrow shares and collateral, 16 bytes each.
    function positions(IMorpho morpho, bytes calldata keys) external view returns (bytes memory packed) {
        uint256 count = keys.length / KEY;
        packed = new bytes(32 * count);
        for (uint256 i; i < count; ++i) {
            bytes calldata key = keys[KEY * i:KEY * (i + 1)];
            Position memory at = morpho.position(Id.wrap(bytes32(key[20:])), address(bytes20(key[:20])));
            uint256 word = uint256(at.borrowShares) << 128 | at.collateral;
            assembly ("memory-safe") {
                mstore(add(add(packed, 32), mul(32, i)), word)
            }
        }
    }

    /// @notice Collateral in loan token units, debt, LLTV and health (wad; the greatest integer without debt) of a
    /// position at this block, as Morpho computes them. Reverts where Morpho would.
    function valued(IMorpho morpho, Id id, address borrower)
        external
        view
        returns (uint256 collateral, uint256 debt, uint256 lltv, uint256 health)
    {
        MarketParams memory params = morpho.idToMarketParams(id);
        Position memory at = morpho.position(id, borrower);
        collateral = uint256(at.collateral) * IOracle(params.oracle).price() / ORACLE_PRICE_SCALE;
        debt = morpho.expectedBorrowAssets(params, borrower);
        lltv = params.lltv;
        health = debt == 0 ? type(uint256).max : collateral * lltv / WAD * WAD / debt;
    }

    /// @notice The oracle of a market: what its price hangs on.
    function oracleOf(IMorpho morpho, Id id) external view returns (address) {
        return morpho.idToMarketParams(id).oracle;
    }

    function _rate(State memory state) private view {
        address irm = state.params.irm;
        uint256 atTarget;
        bytes memory question = abi.encodeCall(IIrm.borrowRateView, (state.params, state.totals));
        (state.rated, state.borrowRate) = _word(irm, question, RATE_GAS);
        (state.adaptive, atTarget) = _word(irm, abi.encodeCall(IAdaptiveCurve.rateAtTarget, (state.id)), RATE_GAS);
        state.rateAtTarget = int256(atTarget);
    }

    /// @dev One word of an answer. Anybody's oracle or token may answer nothing, too little or endlessly, or burn all
    /// the gas it gets: that is its own market's fault and must not be the others'. (What `try` decodes, it does not
    /// catch.)
    function _word(address target, bytes memory data, uint256 most) private view returns (bool ok, uint256 word) {
        assembly ("memory-safe") {
            ok := staticcall(most, target, add(data, 32), mload(data), 0, 32)
            ok := and(ok, gt(returndatasize(), 31))
            if ok { word := mload(0) }
        }
    }

    function _symbol(address token) private view returns (bytes memory answer) {
        answer = new bytes(SYMBOL_BYTES);
        assembly ("memory-safe") {
            // symbol()
            mstore(0, shl(224, 0x95d89b41))
            let ok := staticcall(SYMBOL_GAS, token, 0, 4, add(answer, 32), SYMBOL_BYTES)
            let size := returndatasize()
            if gt(size, SYMBOL_BYTES) { size := SYMBOL_BYTES }
            mstore(answer, mul(ok, size))
        }
    }

    function _decimals(address token) private view returns (uint8) {
        (bool ok, uint256 decimals) = _word(token, abi.encodeCall(ITokenDecimals.decimals, ()), DECIMALS_GAS);
        return ok && decimals <= type(uint8).max ? uint8(decimals) : 0;
    }
}
