// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {Errors} from "./ILiquidator.sol";

interface IToken {
    function allowance(address owner, address spender) external view returns (uint256);
    function approve(address spender, uint256 amount) external;
    function balanceOf(address account) external view returns (uint256);
    function transfer(address to, uint256 amount) external;
}

/// @notice Token calls that old tokens, which return nothing or want an allowance of zero first, do not break.
library Tokens {
    function held(address token) internal view returns (uint256) {
        return IToken(token).balanceOf(address(this));
    }

    function give(address token, address to, uint256 amount) internal {
        if (!_works(token, abi.encodeCall(IToken.transfer, (to, amount)))) revert Errors.TokenCallFailed(token);
    }

    /// @dev Sets the allowance to exactly `amount`.
    function allow(address token, address spender, uint256 amount) internal {
        if (_works(token, abi.encodeCall(IToken.approve, (spender, amount)))) return;
        bool cleared = _works(token, abi.encodeCall(IToken.approve, (spender, 0)));
        if (!cleared || !_works(token, abi.encodeCall(IToken.approve, (spender, amount)))) {
            revert Errors.TokenCallFailed(token);
        }
    }

    /// @dev Takes back what is left of an allowance.
    function disallow(address token, address spender) internal {
        if (IToken(token).allowance(address(this), spender) != 0) allow(token, spender, 0);
    }

    /// @dev Old tokens return nothing, others true; an address without code answers everything with nothing.
    function _works(address token, bytes memory data) private returns (bool ok) {
        bytes memory answer;
        (ok, answer) = token.call(data);
        if (!ok) return false;
        return answer.length == 0 ? token.code.length != 0 : answer.length >= 32 && abi.decode(answer, (uint256)) == 1;
    }
}
