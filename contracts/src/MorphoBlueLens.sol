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

    /// @notice The markets of these ids, as of their last update, with price and rate at this block.
    function markets(IMorpho morpho, Id[] calldata ids) external view returns (State[] memory states) {
        states = new State[](ids.length);
        for (uint256 i; i < ids.length; ++i) {
            State memory state = states[i];
            state.id = ids[i];
            state.params = morpho.idToMarketParams(ids[i]);
            state.totals = morpho.market(ids[i]);
            if (state.totals.lastUpdate == 0) continue;
            (state.priced, state.price) = _price(state.params.oracle);
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

    function _price(address oracle) private view returns (bool, uint256) {
        if (oracle.code.length == 0) return (false, 0);
        try IOracle(oracle).price() returns (uint256 price) {
            return (true, price);
        } catch {
            return (false, 0);
        }
    }

    function _rate(State memory state) private view {
        try IIrm(state.params.irm).borrowRateView(state.params, state.totals) returns (uint256 rate) {
            (state.rated, state.borrowRate) = (true, rate);
        } catch {}
        try IAdaptiveCurve(state.params.irm).rateAtTarget(state.id) returns (int256 rate) {
            (state.adaptive, state.rateAtTarget) = (true, rate);
        } catch {}
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
        if (token.code.length == 0) return 0;
        try ITokenDecimals(token).decimals() returns (uint8 decimals) {
            return decimals;
        } catch {
            return 0;
        }
    }
}
