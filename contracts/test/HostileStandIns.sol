// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

/// @notice What a stranger may put where a token or an oracle is expected: whatever it is asked, it answers in its one
/// way. Tests lay its code over a token or an oracle that was honest until then.
contract HostileStandIn {
    enum Way {
        /// Burns all the gas it is given.
        Burn,
        /// Reverts at every other block, and else answers with `word`.
        Flicker,
        /// Answers ten million bytes.
        Flood,
        /// A name with NUL, an escape sequence and marks that turn the direction of writing; 255 decimals.
        Dress,
        /// Answers with `word`, whatever it was asked.
        Lie
    }

    Way private immutable _way;
    uint256 private immutable _word;

    constructor(Way way, uint256 word) {
        (_way, _word) = (way, word);
    }

    fallback() external {
        uint256 word = _word;
        if (_way == Way.Burn) {
            while (true) {}
        }
        if (_way == Way.Flicker && block.number % 2 == 1) revert();
        if (_way == Way.Flood) {
            assembly {
                return(0, 10000000)
            }
        }
        if (_way == Way.Dress) {
            // symbol() and name(); all else is decimals.
            if (msg.sig == 0x95d89b41 || msg.sig == 0x06fdde03) _answer(abi.encode(unicode"US\u0000D\u001b[2JC\u202e"));
            word = 255;
        }
        _answer(abi.encode(word));
    }

    function _answer(bytes memory data) private pure {
        assembly {
            return(add(data, 32), mload(data))
        }
    }
}
