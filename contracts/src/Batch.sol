// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {Reads} from "./batch/Reads.sol";

/// @title Batch
/// @notice Carries many reads of one block in one `eth_call`: the lenses of all markets of a chain and the
/// protocols' own views. It is never deployed: the caller lays its code over an unused address.
contract Batch {
    struct Call {
        address target;
        uint256 gas;
        bytes data;
    }

    /// @notice What is done before the reads: a price that is brought to an oracle. Coins go along where it asks for a
    /// fee (ERC-7412), out of the balance that the caller lays over this address.
    struct Update {
        address target;
        bytes data;
    }

    /// @notice What became of an update: `fee` is what it asked for, `result` what it reverted with.
    struct Outcome {
        bool ok;
        uint256 fee;
        bytes result;
    }

    /// @dev The most gas that an update may use, so that none starves the reads.
    uint256 private constant UPDATE_GAS = 6_000_000;
    uint256 private constant LONGEST = 1_024;
    bytes4 private constant FEE_REQUIRED = bytes4(keccak256("FeeRequired(uint256)"));

    /// @notice Makes all calls in order, at the block the `eth_call` names.
    /// @return number The chain's own number of the block.
    /// @return timestamp The block's Unix time.
    /// @return results One for each call.
    function run(Call[] calldata calls)
        external
        view
        returns (uint256 number, uint256 timestamp, Reads.Result[] memory results)
    {
        results = new Reads.Result[](calls.length);
        _ask(calls, results, 0, new Outcome[](0));
        return (Reads.blockNumber(), block.timestamp, results);
    }

    /// @notice Makes the calls of `plain`, then `updates`, of which one that fails changes nothing and ends nothing,
    /// and those of `behind` them. A call of this very contract, whatever its data, is answered with what became of the
    /// updates.
    /// @return number The chain's own number of the block.
    /// @return timestamp The block's Unix time.
    /// @return results One for each call, in this order.
    function runBehind(Call[] calldata plain, Update[] calldata updates, Call[] calldata behind)
        external
        returns (uint256 number, uint256 timestamp, Reads.Result[] memory results)
    {
        results = new Reads.Result[](plain.length + behind.length);
        Outcome[] memory outcomes = new Outcome[](updates.length);
        _ask(plain, results, 0, outcomes);
        for (uint256 i; i < updates.length; ++i) {
            outcomes[i] = _brought(updates[i]);
        }
        _ask(behind, results, plain.length, outcomes);
        return (Reads.blockNumber(), block.timestamp, results);
    }

    function _ask(Call[] calldata calls, Reads.Result[] memory results, uint256 from, Outcome[] memory outcomes)
        private
        view
    {
        for (uint256 i; i < calls.length; ++i) {
            results[from + i] = calls[i].target == address(this)
                ? Reads.Result(true, false, abi.encode(outcomes))
                : Reads.ask(calls[i].target, calls[i].gas, calls[i].data, from + i == 0);
        }
    }

    /// @dev First without coins: what does without any is free, and what does not says how many it takes.
    function _brought(Update calldata update) private returns (Outcome memory outcome) {
        outcome = _called(update, 0);
        bytes memory why = outcome.result;
        if (outcome.ok || why.length != 36 || bytes4(why) != FEE_REQUIRED) return outcome;
        uint256 fee;
        assembly ("memory-safe") {
            fee := mload(add(why, 36))
        }
        if (fee != 0) outcome = _called(update, fee);
    }

    function _called(Update calldata update, uint256 fee) private returns (Outcome memory outcome) {
        outcome.fee = fee;
        if (update.target.code.length == 0 || fee > address(this).balance) return outcome;
        bytes memory data = update.data;
        address target = update.target;
        uint256 given = gasleft() / 4 < UPDATE_GAS ? gasleft() / 4 : UPDATE_GAS;
        bool ok;
        bytes memory result;
        assembly ("memory-safe") {
            ok := call(given, target, fee, add(data, 32), mload(data), 0, 0)
            let size := returndatasize()
            if gt(size, LONGEST) { size := LONGEST }
            result := mload(0x40)
            mstore(0x40, add(result, and(add(size, 63), not(31))))
            mstore(result, size)
            returndatacopy(add(result, 32), 0, size)
        }
        outcome.ok = ok;
        if (!ok) outcome.result = result;
    }
}
