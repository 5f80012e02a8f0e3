// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {Reads} from "./batch/Reads.sol";

/// @title BatchOnce
/// @notice Does what Batch does in the constructor of a contract that is never made: an `eth_call` without a
/// target runs it as initcode. For nodes that take no state overrides.
contract BatchOnce {
    struct Call {
        address target;
        uint256 gas;
        bytes data;
    }

    /// @notice Makes all calls in order and reverts with `abi.encode(number, timestamp, results)`, as
    /// `Batch` returns them: what a constructor returns is limited like its code, what it reverts with is not.
    /// @param places Addresses that calls name; in their stead contracts with `codes` as runtime code are called.
    constructor(address[] memory places, bytes[] memory codes, Call[] memory calls) {
        address[] memory made = new address[](codes.length);
        for (uint256 i; i < codes.length; ++i) {
            made[i] = _create(codes[i]);
        }
        Reads.Result[] memory results = new Reads.Result[](calls.length);
        for (uint256 i; i < calls.length; ++i) {
            address target = calls[i].target;
            for (uint256 k; k < places.length; ++k) {
                if (places[k] == target) target = made[k];
            }
            results[i] = Reads.ask(target, calls[i].gas, calls[i].data, i == 0);
        }
        bytes memory answer = abi.encode(Reads.blockNumber(), block.timestamp, results);
        assembly ("memory-safe") {
            revert(add(answer, 32), mload(answer))
        }
    }

    /// @dev A contract with exactly this runtime code: ten bytes of initcode copy what follows them.
    function _create(bytes memory code) private returns (address made) {
        bytes memory init = abi.encodePacked(hex"61", uint16(code.length), hex"80600a3d393df3", code);
        assembly ("memory-safe") {
            made := create(0, add(init, 32), mload(init))
        }
    }
}
