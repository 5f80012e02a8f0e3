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

    /// @notice Makes all calls in order, at the block the `eth_call` names.
    /// @return number The chain's own number of the block.
    /// @return timestamp The block's Unix time.
    /// @return results One for each call.
    function run(Call[] calldata calls)
        external
        view
        returns (uint256 number, uint256 timestamp, Reads.Result[] memory results)
    {
        number = Reads.blockNumber();
        timestamp = block.timestamp;
        results = new Reads.Result[](calls.length);
        for (uint256 i; i < calls.length; ++i) {
            results[i] = Reads.ask(calls[i].target, calls[i].gas, calls[i].data, i == 0);
        }
    }
}
