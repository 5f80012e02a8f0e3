// SPDX-License-Identifier: MIT
pragma solidity >=0.8.11 <0.9.0;

// A stand-in for core-contracts' file of this name, which its published version lacks.

library RevertUtil {
    error Errors(bytes[] revertReasons);

    function revertWithReason(bytes memory reason) internal pure {
        assembly {
            revert(add(reason, 32), mload(reason))
        }
    }

    function revertIfError(bytes memory reason) internal pure {
        if (reason.length > 0) revertWithReason(reason);
    }

    /// Reverts with those that are there.
    function revertManyIfError(bytes[] memory reasons) internal pure {
        uint256 count;
        for (uint256 i = 0; i < reasons.length; i++) {
            if (reasons[i].length > 0) count++;
        }
        if (count == 0) return;
        bytes[] memory found = new bytes[](count);
        for (uint256 i = reasons.length; i > 0; i--) {
            if (reasons[i - 1].length > 0) found[--count] = reasons[i - 1];
        }
        revert Errors(found);
    }
}
