// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {PlainToken} from "./StandIns.sol";

interface ILoanReceiver {
    function executeOperation(address asset, uint256 amount, uint256 premium, address initiator, bytes calldata params)
        external
        returns (bool);
    function uniswapV3FlashCallback(uint256 fee0, uint256 fee1, bytes calldata data) external;
    function uniswapV3SwapCallback(int256 amount0, int256 amount1, bytes calldata data) external;
    function onMorphoLiquidate(uint256 repaid, bytes calldata data) external;
}

/// @notice Stands in for an Aave pool as a lender: takes its money back by allowance. The real one is in the
/// integration tests.
contract LenderStandIn {
    uint256 public premium = 5;

    function setPremium(uint256 premium_) external {
        premium = premium_;
    }

    function flashLoanSimple(address receiver, address asset, uint256 amount, bytes calldata params, uint16) external {
        uint256 before = PlainToken(asset).balanceOf(address(this));
        _send(asset, receiver, amount);
        ILoanReceiver(receiver).executeOperation(asset, amount, premium, msg.sender, params);
        _take(asset, receiver, amount + premium);
        require(PlainToken(asset).balanceOf(address(this)) >= before, "not paid back");
    }

    /// @notice Calls the receiver back without having been asked for a loan.
    function attack(address receiver, address asset, address initiator, bytes calldata params) external {
        ILoanReceiver(receiver).executeOperation(asset, 1, 0, initiator, params);
    }

    function _send(address token, address to, uint256 amount) internal {
        (bool ok,) = token.call(abi.encodeCall(PlainToken.transfer, (to, amount)));
        require(ok, "transfer");
    }

    function _take(address token, address from, uint256 amount) internal {
        (bool ok,) = token.call(abi.encodeCall(PlainToken.transferFrom, (from, address(this), amount)));
        require(ok, "transferFrom");
    }
}

/// @notice Stands in for a Uniswap v3 pool at a fixed price: `rate` units of token1 for a million of token0.
contract PoolAtAPrice {
    address public token0;
    address public token1;
    uint256 public rate;
    uint256 public fee = 3;

    constructor(address one, address other, uint256 rate_) {
        (token0, token1) = one < other ? (one, other) : (other, one);
        rate = rate_;
    }

    function flash(address recipient, uint256 amount0, uint256 amount1, bytes calldata data) external {
        (uint256 before0, uint256 before1) = (_held(token0), _held(token1));
        if (amount0 != 0) _send(token0, recipient, amount0);
        if (amount1 != 0) _send(token1, recipient, amount1);
        (uint256 fee0, uint256 fee1) = (amount0 != 0 ? fee : 0, amount1 != 0 ? fee : 0);
        ILoanReceiver(recipient).uniswapV3FlashCallback(fee0, fee1, data);
        require(_held(token0) >= before0 + fee0 && _held(token1) >= before1 + fee1, "not paid back");
    }

    function swap(address recipient, bool zeroForOne, int256 amount, uint160, bytes calldata data)
        external
        returns (int256 amount0, int256 amount1)
    {
        uint256 taken;
        uint256 given;
        if (amount > 0) {
            taken = uint256(amount);
            given = zeroForOne ? taken * rate / 1e6 : taken * 1e6 / rate;
        } else {
            given = uint256(-amount);
            taken = zeroForOne ? (given * 1e6 + rate - 1) / rate : (given * rate + 1e6 - 1) / 1e6;
        }
        (amount0, amount1) = zeroForOne ? (int256(taken), -int256(given)) : (-int256(given), int256(taken));
        _send(zeroForOne ? token1 : token0, recipient, given);
        address asked = zeroForOne ? token0 : token1;
        uint256 before = _held(asked);
        ILoanReceiver(msg.sender).uniswapV3SwapCallback(amount0, amount1, data);
        require(_held(asked) >= before + taken, "not paid");
    }

    function attack(address receiver, bytes calldata data) external {
        ILoanReceiver(receiver).uniswapV3SwapCallback(1, -1, data);
    }

    function _held(address token) private view returns (uint256) {
        return PlainToken(token).balanceOf(address(this));
    }

    function _send(address token, address to, uint256 amount) private {
        (bool ok,) = token.call(abi.encodeCall(PlainToken.transfer, (to, amount)));
        require(ok, "transfer");
    }
}

/// @notice Stands in for a protocol: takes what it is paid and gives a bonus in another token.
contract ProtocolStandIn {
    error Healthy();

    mapping(uint256 account => bool) public gone;

    /// @notice Takes `amount` of `pays`, gives `given` of `gets`; each account only once.
    function liquidate(uint256 account, address pays, uint256 amount, address gets, uint256 given) external {
        if (gone[account]) revert Healthy();
        gone[account] = true;
        (bool ok,) = pays.call(abi.encodeCall(PlainToken.transferFrom, (msg.sender, address(this), amount)));
        require(ok, "pay");
        (ok,) = gets.call(abi.encodeCall(PlainToken.transfer, (msg.sender, given)));
        require(ok, "give");
    }

    /// @notice Burns all gas it gets.
    function burn() external pure {
        while (true) {}
    }

    /// @notice Pays a compensation in the native currency, as trove systems do.
    function compensate(uint256 amount) external {
        (bool ok,) = msg.sender.call{value: amount}("");
        require(ok, "compensate");
    }

    receive() external payable {}
}
