// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

/// @notice Who lends for the length of a transaction.
enum Lender {
    AaveV3,
    UniswapV3
}

/// @notice One loan around the whole batch. `token` is a place in the batch's `tokens`.
struct Loan {
    Lender kind;
    address lender;
    uint8 token;
    uint256 amount;
}

/// @notice One exchange. `from` and `to` are places in the batch's `tokens`.
/// Without `cover` all that was gained of `from` is sold. With it, just so much of `to` is bought that nothing of
/// it is missing and `extra` is gained.
struct Swap {
    uint8 from;
    uint8 to;
    bool cover;
    uint256 extra;
    /// Zero: the route is a path of Uniswap v3 pools. Else an `IVenue`, which reads the route itself.
    address venue;
    bytes route;
}

/// @notice One item of a batch: calls on one protocol, all of which work or none. `pays` and `gets` are places in
/// the batch's `tokens`.
struct Leg {
    /// The caller's name for it; the events carry it.
    uint64 id;
    address target;
    bytes[] calls;
    uint8 pays;
    /// Units of `pays` that the target may take during the calls. Zero: no allowance is given.
    uint256 allowance;
    uint8 gets;
    /// Units of `gets` that the calls must bring at least.
    uint256 minGot;
    /// Units of the profit token that the batch must earn more if this leg works.
    uint256 minProfit;
    /// Gas the leg may burn at most, so that others keep theirs; it may be less that is left for it.
    uint256 gas;
    /// Exchanges within the leg: if one fails, only this leg does.
    Swap[] swaps;
    /// Whether the target calls back for its money (`onMorphoLiquidate`); the swaps are then made there.
    bool callback;
}

/// @notice Everything one transaction does. `tokens` names every token that is touched, once, the profit token
/// first.
struct Batch {
    address[] tokens;
    Loan[] loans;
    Leg[] legs;
    /// Exchanges after all legs.
    Swap[] swaps;
    uint256 minProfit;
    /// Gas that legs leave for the exchanges and for paying back.
    uint256 reserve;
}

interface IVenue {
    /// @notice Exchanges. For `exact` in, `amount` of `from` has been sent to the venue before the call; else the
    /// venue takes what it needs of `from` from the caller, who has allowed it, and brings `amount` of `to`.
    function swap(address from, address to, uint256 amount, bool exactOut, bytes calldata route) external;
}

library Errors {
    /// The caller is neither owner nor operator.
    error NotOperator();
    error NotOwner();
    /// The contract is at work, or called where only it may call itself.
    error Reentered();
    /// A callback by another than expected, or at another moment.
    error UnexpectedCallback();
    /// A lender or pool that did not call back.
    error NoCallback();
    /// Not one leg worked, and the last one gave no reason.
    error NothingDone();
    /// The gas left when a leg's turn came.
    error NotEnoughGas(uint256 left);
    /// A leg burned the gas it was given.
    error OutOfGas(uint256 given);
    error TooLittleGot(uint256 got);
    error TooLittleProfit(uint256 profit, uint256 wanted);
    /// More of a token would be gone than came.
    error Loss(address token);
    error TokenCallFailed(address token);
    error NoCode(address target);
    error TooManyLegs();
    /// A pool gave another amount than was asked for.
    error WrongAmount(uint256 amount);
}

interface IAaveV3Lender {
    function flashLoanSimple(address receiver, address asset, uint256 amount, bytes calldata params, uint16 referral)
        external;
}

interface IUniswapV3Pool {
    function token0() external view returns (address);
    function flash(address recipient, uint256 amount0, uint256 amount1, bytes calldata data) external;
    function swap(address recipient, bool zeroForOne, int256 amount, uint160 sqrtPriceLimit, bytes calldata data)
        external
        returns (int256 amount0, int256 amount1);
}
