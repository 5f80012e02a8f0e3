// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

interface IObservedPool {
    function observe(uint32[] calldata ago) external view returns (int56[] memory ticks, uint160[] memory seconds_);
}

/// @title Averages
/// @notice What averages over a window come from in the seconds to come, if nothing happens: where the window then begins.
library Averages {
    /// Seconds to come, each of which is told.
    uint32 internal constant HORIZON = 15;

    /// @notice The pool's cumulative ticks at the beginning of a window, now and after each second: 7 bytes each, two's
    /// complement. Empty where the pool does not remember so far back.
    function ticks(IObservedPool pool, uint32 window) internal view returns (bytes memory packed) {
        uint32[] memory ago = new uint32[](_last(window) + 1);
        for (uint32 i; i < ago.length; ++i) ago[i] = window - i;
        try pool.observe(ago) returns (int56[] memory found, uint160[] memory) {
            for (uint256 i; i < found.length; ++i) packed = abi.encodePacked(packed, found[i]);
        } catch {}
    }

    /// @notice Prices averaged from the beginning of a window, now and after each second, until now: 16 bytes each.
    /// @param signature The view that answers a price: of an interval, or of `subject` and an interval.
    function prices(address of_, string memory signature, address subject, uint32 window)
        internal
        view
        returns (bytes memory packed)
    {
        for (uint32 i; i <= _last(window); ++i) {
            bytes memory asked = subject == address(0)
                ? abi.encodeWithSignature(signature, uint256(window - i))
                : abi.encodeWithSignature(signature, subject, uint256(window - i));
            (bool ok, bytes memory answer) = of_.staticcall(asked);
            if (!ok || answer.length != 32) return "";
            packed = abi.encodePacked(packed, uint128(abi.decode(answer, (uint256))));
        }
    }

    function _last(uint32 window) private pure returns (uint32) {
        return window < HORIZON ? window : HORIZON;
    }
}
