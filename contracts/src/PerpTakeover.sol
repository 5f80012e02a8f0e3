// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {Expecting} from "./liquidator/Expecting.sol";
import {Errors} from "./liquidator/ILiquidator.sol";
import {Tokens} from "./liquidator/Tokens.sol";

/// @dev What of Perp v2 (Curie) a takeover calls, by the contract that answers.
interface ITakeoverHouse {
    struct Order {
        address base;
        bool isBaseToQuote;
        bool isExactInput;
        uint256 amount;
        uint256 oppositeAmountBound;
        uint256 deadline;
        uint160 sqrtPriceLimitX96;
        bytes32 referralCode;
    }

    function cancelAllExcessOrders(address maker, address base) external;
    function getAccountBalance() external view returns (address);
    function getAccountValue(address trader) external view returns (int256);
    function getVault() external view returns (address);
    function liquidate(address trader, address base, int256 size) external;
    function openPosition(Order calldata order) external returns (uint256 base, uint256 quote);
}

interface ITakeoverBalances {
    function getMarginRequirementForLiquidation(address trader) external view returns (int256);
    function getTakerPositionSize(address trader, address base) external view returns (int256);
}

interface ITakeoverVault {
    function deposit(address token, uint256 amount) external;
    function getSettlementToken() external view returns (address);
    function withdraw(address token, uint256 amount) external;
    function withdrawAll(address token) external returns (uint256 amount);
}

interface ITakeoverToken {
    function transferFrom(address from, address to, uint256 amount) external;
}

/// @title PerpTakeover
/// @notice Liquidates a trader of one Perp v2 in one transaction: takes a position over, closes it against the pool,
/// and pays what the caller put up, and what was earned, back to the caller. All of it happens or nothing.
///
/// Between calls it holds nothing, has no position and has given no allowance. Its operators pay for themselves; what
/// lies here or in the vault by accident is the owner's to take out.
contract PerpTakeover is Expecting {
    using Tokens for address;

    ITakeoverHouse public immutable HOUSE;
    ITakeoverVault public immutable VAULT;
    ITakeoverBalances public immutable BALANCES;
    address public immutable TOKEN;

    address public owner;
    address public pendingOwner;
    mapping(address operator => bool) public isOperator;

    event OwnerSet(address indexed owner);
    event OperatorSet(address indexed operator, bool allowed);
    event TakenOver(address indexed trader, address indexed base, int256 size, uint256 profit);

    /// The account has margin enough, also without its ranges.
    error NotLiquidatable();
    /// The pool had too little liquidity to close all of it.
    error NotClosed(int256 left);

    constructor(ITakeoverHouse house, address owner_, address operator) {
        HOUSE = house;
        VAULT = ITakeoverVault(house.getVault());
        BALANCES = ITakeoverBalances(house.getAccountBalance());
        TOKEN = ITakeoverVault(house.getVault()).getSettlementToken();
        owner = owner_;
        emit OwnerSet(owner_);
        if (operator == address(0)) return;
        isOperator[operator] = true;
        emit OperatorSet(operator, true);
    }

    modifier onlyOwner() {
        if (msg.sender != owner) revert Errors.NotOwner();
        _;
    }

    modifier onlyOperator() {
        if (msg.sender != owner && !isOperator[msg.sender]) revert Errors.NotOperator();
        _;
    }

    /* THE OWNER'S WILL */

    /// @notice Names the next owner, who must accept.
    function setOwner(address next) external onlyOwner {
        pendingOwner = next;
    }

    /// @notice Accepts the ownership.
    function acceptOwner() external {
        if (msg.sender != pendingOwner) revert Errors.NotOwner();
        (owner, pendingOwner) = (msg.sender, address(0));
        emit OwnerSet(msg.sender);
    }

    /// @notice Allows or forbids `operator` to take positions over.
    function setOperator(address operator, bool allowed) external onlyOwner {
        isOperator[operator] = allowed;
        emit OperatorSet(operator, allowed);
    }

    /// @notice Sends what has been stuck here.
    function rescue(address token, address to, uint256 amount) external onlyOwner alone {
        token.give(to, amount);
    }

    /// @notice Takes out of the vault what somebody deposited for this contract; it can be rescued then.
    function withdraw(address token, uint256 amount) external onlyOwner alone {
        VAULT.withdraw(token, amount);
    }

    /* TAKING OVER */

    /// @notice Takes over a trader's position in the market of `base` and closes it. Reverts where the account is not
    /// to be liquidated, where not all of it can be closed, and where it earns less than `minProfit`.
    /// @param ranges The base tokens of all markets in which the trader has ranges: they are cancelled first.
    /// @param size The most to take, signed as the position is; the exchange takes less where its rules say so.
    /// @param margin Units of the settlement token that the caller puts up for it until it is closed.
    /// @return profit Units of the settlement token that the caller gets besides.
    function take(
        address trader,
        address[] calldata ranges,
        address base,
        int256 size,
        uint256 margin,
        uint256 minProfit
    ) external onlyOperator alone returns (uint256 profit) {
        for (uint256 i; i < ranges.length; ++i) HOUSE.cancelAllExcessOrders(trader, ranges[i]);
        if (HOUSE.getAccountValue(trader) >= BALANCES.getMarginRequirementForLiquidation(trader)) {
            revert NotLiquidatable();
        }
        uint256 before = TOKEN.held();
        _deposit(margin);
        HOUSE.liquidate(trader, base, size);
        int256 taken = _close(base);
        VAULT.withdrawAll(TOKEN);

        uint256 back = TOKEN.held() - before;
        profit = back > margin ? back - margin : 0;
        if (back < margin || profit < minProfit) revert Errors.TooLittleProfit(profit, minProfit);
        TOKEN.give(msg.sender, back);
        emit TakenOver(trader, base, taken, profit);
    }

    function _deposit(uint256 margin) private {
        // Whatever the token answers: where nothing came the deposit fails.
        ITakeoverToken(TOKEN).transferFrom(msg.sender, address(this), margin);
        TOKEN.allow(address(VAULT), margin);
        VAULT.deposit(TOKEN, margin);
        TOKEN.disallow(address(VAULT));
    }

    /// @dev All of the position against the pool. As an order of exactly its size: closing by the exchange's own word
    /// may close a part and be content.
    function _close(address base) private returns (int256 taken) {
        taken = BALANCES.getTakerPositionSize(address(this), base);
        bool sells = taken > 0;
        uint256 amount = uint256(sells ? taken : -taken);
        HOUSE.openPosition(ITakeoverHouse.Order(base, sells, sells, amount, 0, block.timestamp, 0, 0));
        int256 left = BALANCES.getTakerPositionSize(address(this), base);
        if (left != 0) revert NotClosed(left);
    }
}
