// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

/// @title Rehearsal
/// @notice Makes a signer's calls one after another in one `eth_call`, for nodes without `eth_simulateV1`. It is
/// never deployed: the caller lays its code over the signer's own address, so that each call comes from there.
contract Rehearsal {
    struct Step {
        address target;
        uint256 value;
        bytes data;
    }

    struct Outcome {
        bool ok;
        uint256 gas;
        bytes result;
    }

    /// @notice Makes all calls in order; one that fails ends none of those after it.
    /// @return outcomes For each whether it worked, the gas it took within, and what it returned.
    function run(Step[] calldata steps) external payable returns (Outcome[] memory outcomes) {
        outcomes = new Outcome[](steps.length);
        for (uint256 i; i < steps.length; ++i) {
            uint256 before = gasleft();
            (outcomes[i].ok, outcomes[i].result) = steps[i].target.call{value: steps[i].value}(steps[i].data);
            outcomes[i].gas = before - gasleft();
        }
    }

    /// @dev The signer is no contract and takes what it is sent, with whatever hook it is asked by.
    fallback() external payable {}

    receive() external payable {}
}
