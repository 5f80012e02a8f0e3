// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {Tokens} from "./liquidator/Tokens.sol";

/// @title PriceCarrier
/// @notice Brings signed prices to the oracles that ask for them (ERC-7412) and makes one call in the same transaction;
/// what the call earns goes on to whoever asked for it. Nobody owns it and between two transactions it holds nothing.
/// @dev Anybody may have it call anything. So nobody may ever approve it, nor give it a right anywhere: all that it
/// lacks against a thief is something to take.
contract PriceCarrier {
    /// @notice A signed price: `data` is the calldata of `fulfillOracleQuery(bytes)`, `fee` the coins it asks for.
    struct Update {
        address oracle;
        uint256 fee;
        bytes data;
    }

    /// @notice What the call must bring at least, in units of a token.
    struct Reward {
        address token;
        uint256 least;
    }

    error Reentered();
    error NotCarrying();
    error NoCode(address target);
    error TooLittleCame(address token, uint256 came);
    error CoinsRefused();

    /// @dev Of Pyth: a price at least as fresh is there, so that there is nothing to bring.
    bytes4 private constant NO_FRESH_UPDATE = bytes4(keccak256("NoFreshUpdate()"));

    bool private _carrying;

    modifier once() {
        if (_carrying) revert Reentered();
        _carrying = true;
        _;
        _carrying = false;
    }

    /// @notice Brings all updates, makes the call, and gives its rewards and the coins that are left to the sender. It
    /// reverts with the reason of the oracle or of the call where one of them does, and where too little came.
    function carry(Update[] calldata updates, address target, bytes calldata data, Reward[] calldata rewards)
        external
        payable
        once
        returns (bytes memory result)
    {
        for (uint256 i; i < updates.length; ++i) {
            _bring(updates[i]);
        }
        uint256[] memory before = new uint256[](rewards.length);
        for (uint256 i; i < rewards.length; ++i) {
            before[i] = Tokens.held(rewards[i].token);
        }
        bool ok;
        (ok, result) = _called(target, 0, data);
        if (!ok) _revert(result);
        for (uint256 i; i < rewards.length; ++i) {
            address token = rewards[i].token;
            uint256 held = Tokens.held(token);
            uint256 came = held < before[i] ? 0 : held - before[i];
            if (came < rewards[i].least) revert TooLittleCame(token, came);
            if (held != 0) Tokens.give(token, msg.sender, held);
        }
        uint256 left = address(this).balance;
        if (left == 0) return result;
        (ok,) = msg.sender.call{value: left}("");
        if (!ok) revert CoinsRefused();
    }

    /// @notice Takes what oracles and targets give back while it carries; nothing can be left here by mistake.
    receive() external payable {
        if (!_carrying) revert NotCarrying();
    }

    function _bring(Update calldata update) private {
        (bool ok, bytes memory why) = _called(update.oracle, update.fee, update.data);
        if (!ok && bytes4(why) != NO_FRESH_UPDATE) _revert(why);
    }

    function _called(address target, uint256 value, bytes calldata data) private returns (bool, bytes memory) {
        if (target.code.length == 0) revert NoCode(target);
        return target.call{value: value}(data);
    }

    function _revert(bytes memory why) private pure {
        assembly ("memory-safe") {
            revert(add(why, 32), mload(why))
        }
    }
}
