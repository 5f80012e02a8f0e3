// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

/// @title Batch
/// @notice Carries many reads of one block in one `eth_call`: the lenses of all markets of a chain and the
/// protocols' own views. It is never deployed: the caller lays its code over an unused address.
contract Batch {
    struct Call {
        address target;
        bytes data;
    }

    struct Result {
        bool ok;
        bytes result;
    }

    /// @dev Gas kept back for storing a result and returning them all.
    uint256 private constant RESERVE = 50_000;

    /// @notice Makes all calls in order, at the block the `eth_call` names.
    /// @return number The block's number.
    /// @return timestamp The block's Unix time.
    /// @return results One for each call. A failed call has `ok` false and its revert data; so has a call to
    /// an address without code, which would otherwise look like a success without an answer.
    function run(Call[] calldata calls)
        external
        view
        returns (uint256 number, uint256 timestamp, Result[] memory results)
    {
        number = block.number;
        timestamp = block.timestamp;
        results = new Result[](calls.length);
        for (uint256 i; i < calls.length; ++i) {
            if (calls[i].target.code.length == 0) continue;
            (results[i].ok, results[i].result) = calls[i].target.staticcall{gas: _share()}(calls[i].data);
        }
    }

    /// @dev A call that burns all it is given must leave something for those after it: it gets 15/16.
    function _share() private view returns (uint256) {
        uint256 left = gasleft();
        return left > RESERVE ? (left - RESERVE) / 16 * 15 : 0;
    }
}
