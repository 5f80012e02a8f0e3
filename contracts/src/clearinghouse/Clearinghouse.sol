// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Cash} from "./Cash.sol";
import {IListing, IMarkets} from "./Interfaces.sol";
import {Legs} from "./Legs.sol";
import {Margin} from "./Margin.sol";
import {AccountState, Instrument, Kind, Leg, WAD} from "./Types.sol";

/// @notice What the risk team decides.
/// @param cashCap How much an account may owe by its own doing.
/// @param rate Interest of a year on what is owed.
/// @param debtShare The share of its haircut collateral beyond which an account's debt is cured by selling collateral.
/// @param saleDiscount What a buyer of such collateral gets off its price.
/// @param grace How long after a margin call nobody liquidates, unless equity falls below `hardFloor` of the loss.
/// @param lapse How long a call stands.
/// @param discountStart The liquidation discount when the grace ends, as a share of the loss in the scenario named.
/// @param discountRise What it grows by in an hour, at most to `discountMost`, and at the cost of equity only.
/// @param buffer How far above the requirement of the scenario named a liquidation may lift an account.
struct Terms {
    uint128 cashCap;
    uint64 rate;
    uint64 debtShare;
    uint64 saleDiscount;
    uint32 grace;
    uint32 lapse;
    uint64 hardFloor;
    uint64 discountStart;
    uint64 discountRise;
    uint64 discountMost;
    uint64 buffer;
}

/// @title Clearinghouse
/// @notice Accounts of cash, collateral, perpetuals and options, whose whole is margined by joint scenarios. Any one
/// scenario of the maintenance set in which an account is worth less than nothing proves that it may be liquidated.
/// @dev docs/CLEARINGHOUSE.md is its specification, in the order of this file.
contract Clearinghouse is ReentrancyGuard {
    using Cash for Cash.Purse;
    using Legs for Leg[];
    using SafeCast for int256;
    using SafeERC20 for IERC20;

    struct Account {
        address owner;
        uint40 calledAt;
        /// The position whose loss was the account's greatest when it was last liquidated.
        uint32 blamed;
        bool blamedLong;
        bool blames;
        Cash.Purse purse;
        Leg[] legs;
    }

    /// @notice What an account was from a change on: how many changes of accounts there had been, the block, the hash.
    struct Past {
        uint64 change;
        uint64 blockNumber;
        bytes32 state;
    }

    /// @dev A trade that is about to be made.
    struct Deal {
        uint256 buyer;
        uint256 seller;
        uint32 instrument;
        uint256 size;
        uint256 price;
        Kind kind;
        uint8 underlying;
    }

    uint256 private constant REMEMBERED = 16;
    uint32 public constant NOBODY = type(uint32).max;

    IERC20 public immutable cashToken;
    uint256 private immutable _cashUnit;
    IMarkets public immutable markets;
    Margin public immutable margin;

    address public owner;
    address public guardian;
    /// @notice The contracts that match orders and that deleverage: only they change accounts besides this one's own
    /// functions.
    address public orders;
    address public deleveraging;
    bool public paused;
    Terms public terms;

    Cash.Ledger public ledger;
    uint64 public changes;
    /// @notice Who asks what accounts were at a moment, and how many changes there had been at the last one.
    address public attestation;
    uint64 public lastMoment;
    uint256 public accounts;
    mapping(uint256 => Account) private _accounts;
    /// @notice Units of each collateral that an account has.
    mapping(uint256 => mapping(uint256 => uint256)) public collateralOf;
    mapping(uint256 => uint256) public pledged;
    mapping(uint256 => Past[REMEMBERED]) private _past;
    mapping(uint256 => uint256) public pastOf;
    mapping(address => mapping(address => bool)) public isOperator;
    /// @notice Sum of long sizes of an instrument, which is that of short ones; and how much of each side is settled.
    mapping(uint32 => uint256) public openInterest;
    mapping(uint32 => mapping(bool => uint256)) public settled;
    /// @notice Losses that the fund could not pay, by the instrument and the side (long or not) that lost: the other side
    /// pays for them. Under `NOBODY`, not long, stands what nobody was left to pay for: the deficit.
    mapping(uint32 => mapping(bool => uint256)) public shortfall;
    /// @notice Instruments that deleverage: nobody else changes a position in them meanwhile.
    mapping(uint32 => bool) public halted;

    event Opened(uint256 indexed account, address indexed owner);
    event OperatorSet(address indexed owner, address indexed operator, bool allowed);
    event Deposited(uint256 indexed account, uint256 indexed token, uint256 amount);
    event Withdrawn(uint256 indexed account, uint256 indexed token, uint256 amount, address to);
    event Traded(
        uint256 indexed buyer, uint256 indexed seller, uint32 indexed instrument, uint256 size, uint256 price
    );
    event Realized(uint256 indexed account, int256 profit);
    event MarginCall(uint256 indexed account, uint256 scenario, int256 value, uint256 graceUntil);
    event CallLifted(uint256 indexed account);
    event Liquidated(
        uint256 indexed account, uint256 indexed taker, uint256 scenario, uint256 share, int256 paid, uint256 discount
    );
    event CollateralSold(uint256 indexed account, uint256 indexed buyer, uint256 token, uint256 amount, uint256 paid);
    event FundPaid(uint256 indexed account, uint256 amount);
    event Shortfall(uint256 indexed account, uint32 indexed instrument, bool long, uint256 amount);
    event Repaid(uint32 indexed instrument, bool long, uint256 amount);
    event WrittenOff(uint32 indexed instrument, bool long, uint256 amount);
    event Charged(uint256 indexed account, uint32 indexed instrument, bool long, uint256 amount);
    event Closed(uint256 indexed account, uint256 indexed other, uint32 indexed instrument, int256 size, int256 counted);
    event Halted(uint32 indexed instrument, bool halted);
    event Contributed(address indexed from, uint256 amount);
    event Paused(bool paused);
    event TermsSet(Terms terms);
    /// @notice Whatever changes an account ends with this: what it then is, and the number of the change.
    event Changed(uint256 indexed account, uint64 change, bytes32 state);

    error NotAllowed();
    error NoSuchAccount(uint256 account);
    error NoSuchToken(uint256 token);
    error TakesAFee(uint256 asked, uint256 came);
    error CapReached(uint256 token, uint256 cap);
    error NotEnough(uint256 asked, uint256 there);
    error BelowInitialMargin(uint256 account, int256 value, uint256 scenario);
    error OwesTooMuch(uint256 account, uint256 owed, uint256 cap);
    error BadShare(uint256 share);
    error MatchesItself();
    error InstrumentExpired(uint32 instrument);
    error InstrumentHalted(uint32 instrument);
    error OnlyReducing();
    error NotBelowMaintenance(uint256 account, uint256 scenario, int256 value);
    error LosesNothing(uint256 account, uint256 scenario);
    error AlreadyCalled(uint256 account, uint256 since);
    error NotCalled(uint256 account);
    error InGrace(uint256 account, uint256 until);
    error BelowMaintenance(uint256 account, int256 value, uint256 scenario);
    error TakesTooMuch(int256 value, int256 most);
    error PaysTooMuch(int256 paid, int256 most);
    error DebtIsCovered(uint256 owed, uint256 allowed);
    error NotSettled(uint32 instrument);
    error BadTerms();

    constructor(IERC20 cash, uint8 decimals, Margin margin_, Terms memory terms_) {
        (cashToken, _cashUnit) = (cash, 10 ** (18 - decimals));
        (margin, markets) = (margin_, margin_.markets());
        owner = guardian = msg.sender;
        _setTerms(terms_);
    }

    modifier only(address who) {
        if (msg.sender != who) revert NotAllowed();
        _;
    }

    modifier ofOwner(uint256 account) {
        address who = ownerOf(account);
        if (msg.sender != who && !isOperator[who][msg.sender]) revert NotAllowed();
        _;
    }

    // Governance.

    function setOwner(address next) external only(owner) {
        owner = next;
    }

    function setGuardian(address next) external only(owner) {
        guardian = next;
    }

    /// @notice Names, once, the contracts that match orders and that deleverage.
    function begin(address orders_, address deleveraging_) external only(owner) {
        if (orders != address(0)) revert NotAllowed();
        (orders, deleveraging) = (orders_, deleveraging_);
    }

    /// @notice Names, once, the contract that attests solvency.
    function attestBy(address attestation_) external only(owner) {
        if (attestation != address(0)) revert NotAllowed();
        attestation = attestation_;
    }

    function setTerms(Terms calldata next) external only(owner) {
        _setTerms(next);
    }

    /// @notice Stops new risk. Deposits, reductions and liquidations go on.
    function pause(bool yes) external only(guardian) {
        paused = yes;
        emit Paused(yes);
    }

    function _setTerms(Terms memory next) private {
        uint64 one = uint64(uint256(WAD));
        if (next.discountMost >= one || next.discountStart > next.discountMost || next.saleDiscount >= one) {
            revert BadTerms();
        }
        if (next.lapse <= next.grace || next.debtShare > one || next.buffer > one || next.hardFloor > one) {
            revert BadTerms();
        }
        terms = next;
        emit TermsSet(next);
    }

    // Accounts.

    function open() external returns (uint256 account) {
        account = accounts++;
        _accounts[account].owner = msg.sender;
        emit Opened(account, msg.sender);
        _remember(account);
    }

    function setOperator(address operator, bool allowed) external {
        isOperator[msg.sender][operator] = allowed;
        emit OperatorSet(msg.sender, operator, allowed);
    }

    /// @notice Where options are listed and settled.
    function options() external view returns (address) {
        return IListing(address(markets)).options();
    }

    function ownerOf(uint256 account) public view returns (address who) {
        who = _accounts[account].owner;
        if (who == address(0)) revert NoSuchAccount(account);
    }

    /// @notice All that an account is, as its last change left it.
    function stateOf(uint256 account) public view returns (AccountState memory state) {
        Account storage each = _accounts[account];
        state.cash = each.purse.cash;
        state.accruedAt = each.purse.accruedAt;
        state.lendingIndex = each.purse.index;
        state.collateral = _amounts(account);
        state.legs = each.legs;
    }

    /// @notice Its cash with interest until now.
    function cashOf(uint256 account) public view returns (int256) {
        return _accounts[account].purse.current(ledger, terms.rate);
    }

    function calledAt(uint256 account) external view returns (uint256) {
        return _accounts[account].calledAt;
    }

    /// @notice The hash of what the account was at a moment, after so many changes of accounts, and from which change on. Zero
    /// where that is forgotten.
    function stateAfter(uint256 account, uint64 change) external view returns (bytes32 state, uint64 since) {
        uint256 count = pastOf[account];
        for (uint256 i = count; i != 0 && count - i < REMEMBERED; --i) {
            Past storage past = _past[account][(i - 1) % REMEMBERED];
            if (past.change <= change) return (past.state, past.change);
        }
    }

    function _amounts(uint256 account) private view returns (uint256[] memory amounts) {
        amounts = new uint256[](markets.collaterals());
        for (uint256 i; i < amounts.length; ++i) amounts[i] = collateralOf[account][i];
    }

    /// @notice Every account's state of this moment is remembered until fifteen moments later. Not while one changes.
    function beginMoment() external nonReentrant only(attestation) returns (uint64) {
        return lastMoment = changes;
    }

    /// @dev What an account was between two moments nobody asks for, and the next state takes its place: however often an
    /// account changes, nobody makes it forget what it was at a moment.
    function _remember(uint256 account) private {
        uint64 change = ++changes;
        bytes32 state = keccak256(abi.encode(stateOf(account)));
        uint256 count = pastOf[account];
        if (count == 0 || _past[account][(count - 1) % REMEMBERED].change <= lastMoment) pastOf[account] = ++count;
        _past[account][(count - 1) % REMEMBERED] = Past(change, uint64(block.number), state);
        emit Changed(account, change, state);
    }

    // Margin.

    /// @notice The account with interest until now, as it is judged.
    function stateNow(uint256 account) public view returns (AccountState memory state) {
        state = stateOf(account);
        state.cash = cashOf(account);
    }

    /// @notice Equity, and what the account is worth in one scenario of the maintenance set.
    function valueIn(uint256 account, uint256 scenario) public view returns (int256 equity, int256 value) {
        return margin.valueIn(stateNow(account), scenario);
    }

    /// @notice Equity, and the least that the account is worth in any scenario of a set, with that scenario.
    function worst(uint256 account, bool initial) public view returns (int256 equity, int256 value, uint256 scenario) {
        return margin.worst(stateNow(account), initial);
    }

    /// @dev Above initial margin, and owing no more than the cap where it has less cash than before.
    function _requireInitial(uint256 account, int256 cashBefore) private {
        (, int256 value, uint256 scenario) = worst(account, true);
        if (value < 0) revert BelowInitialMargin(account, value, scenario);
        _requireCap(account, cashBefore);
    }

    /// @dev Above initial margin; or in no scenario that lacks margin worse off than before.
    function _requireMargin(uint256 account, AccountState memory before) private {
        (bool yes, int256 value, uint256 scenario) = margin.admits(before, stateNow(account));
        if (!yes) revert BelowInitialMargin(account, value, scenario);
        if (value >= 0) _requireCap(account, before.cash);
    }

    /// @dev Whoever stands above initial margin has no loss behind it that a later debt could be blamed on.
    function _requireCap(uint256 account, int256 cashBefore) private {
        _accounts[account].blames = false;
        int256 cash = cashOf(account);
        if (cash < cashBefore && cash < -int256(uint256(terms.cashCap))) {
            revert OwesTooMuch(account, uint256(-cash), terms.cashCap);
        }
    }

    // Cash and collateral.

    /// @notice Gives an account units of the cash token, as anybody may.
    function depositCash(uint256 account, uint256 units) external nonReentrant {
        ownerOf(account);
        _take(cashToken, units);
        _addCash(account, int256(units * _cashUnit));
        emit Deposited(account, type(uint256).max, units);
        _remember(account);
    }

    function withdrawCash(uint256 account, uint256 units, address to) external nonReentrant ofOwner(account) {
        _withdrawal(account, to);
        uint256 there = cashToken.balanceOf(address(this));
        if (units > there) revert NotEnough(units, there);
        int256 before = cashOf(account);
        _addCash(account, -int256(units * _cashUnit));
        _requireInitial(account, before);
        emit Withdrawn(account, type(uint256).max, units, to);
        _remember(account);
        cashToken.safeTransfer(to, units);
    }

    function deposit(uint256 account, uint256 token, uint256 amount) external nonReentrant {
        ownerOf(account);
        (IERC20 coin, uint256 cap) = _token(token);
        _take(coin, amount);
        _requireValued(token, amount);
        pledged[token] += amount;
        if (pledged[token] > cap) revert CapReached(token, cap);
        collateralOf[account][token] += amount;
        emit Deposited(account, token, amount);
        _remember(account);
    }

    function withdraw(uint256 account, uint256 token, uint256 amount, address to) external nonReentrant ofOwner(account) {
        _withdrawal(account, to);
        (IERC20 coin,) = _token(token);
        _takeCollateral(account, token, amount);
        pledged[token] -= amount;
        _requireInitial(account, cashOf(account));
        emit Withdrawn(account, token, amount, to);
        _remember(account);
        coin.safeTransfer(to, amount);
    }

    /// @notice Gives the insurance fund units of the cash token.
    function contribute(uint256 units) external nonReentrant {
        _take(cashToken, units);
        ledger.fund += units * _cashUnit;
        repay(NOBODY, false);
        emit Contributed(msg.sender, units);
    }

    /// @dev An operator pays out to the owner only.
    function _withdrawal(uint256 account, address to) private view {
        if (paused) revert OnlyReducing();
        if (msg.sender != ownerOf(account) && to != ownerOf(account)) revert NotAllowed();
        _requireAllGoing(account);
    }

    /// @dev Whoever has a position that deleverages takes nothing out before it is done, by no trade either.
    function _requireAllGoing(uint256 account) private view {
        Leg[] storage legs = _accounts[account].legs;
        for (uint256 i; i < legs.length; ++i) _requireGoing(legs[i].instrument);
    }

    /// @dev What has no price now, or no move in the scenarios, nobody adds to an account: one unit of it would keep the account
    /// from being valued, and so from being liquidated.
    function _requireValued(uint256 token, uint256 amount) private view {
        AccountState memory alone;
        alone.collateral = new uint256[](markets.collaterals());
        alone.collateral[token] = amount;
        margin.valueIn(alone, 0);
    }

    function _take(IERC20 coin, uint256 amount) private {
        uint256 before = coin.balanceOf(address(this));
        coin.safeTransferFrom(msg.sender, address(this), amount);
        uint256 came = coin.balanceOf(address(this)) - before;
        if (came != amount) revert TakesAFee(amount, came);
    }

    function _token(uint256 token) private view returns (IERC20, uint256 cap) {
        if (token >= markets.collaterals()) revert NoSuchToken(token);
        (address coin, uint256 most) = markets.collateral(token);
        // What is pledged would be lent.
        if (coin == address(cashToken)) revert BadTerms();
        return (IERC20(coin), most);
    }

    function _addCash(uint256 account, int256 change) private {
        _accounts[account].purse.add(ledger, terms.rate, change);
    }

    function _takeCollateral(uint256 account, uint256 token, uint256 amount) private {
        uint256 there = collateralOf[account][token];
        if (amount > there) revert NotEnough(amount, there);
        collateralOf[account][token] = there - amount;
    }

    // Trades.

    /// @notice Moves size of an instrument from a seller to a buyer at a price, which only `orders` may.
    function trade(uint256 buyer, uint256 seller, uint32 instrument, uint64 size, uint64 price)
        external
        nonReentrant
        only(orders)
    {
        if (ownerOf(buyer) == ownerOf(seller)) revert MatchesItself();
        Instrument memory what = markets.instrument(instrument);
        if (what.kind != Kind.Perpetual && block.timestamp >= what.expiry) revert InstrumentExpired(instrument);
        _requireAllGoing(buyer);
        _requireAllGoing(seller);
        AccountState memory ofBuyer = stateNow(buyer);
        AccountState memory ofSeller = stateNow(seller);
        uint256 interest = openInterest[instrument];
        _exchange(Deal(buyer, seller, instrument, size, price, what.kind, what.underlying));
        if (paused && openInterest[instrument] > interest) revert OnlyReducing();
        if (what.kind == Kind.Perpetual) markets.matched(what.underlying, price);
        _requireMargin(buyer, ofBuyer);
        _requireMargin(seller, ofSeller);
        emit Traded(buyer, seller, instrument, size, price);
        _remember(buyer);
        _remember(seller);
    }

    /// @dev Moves size from the seller to the buyer. An option's premium is paid at once; a perpetual's price counts in
    /// its cost, and what is closed of it is cash.
    function _exchange(Deal memory deal) private {
        _requireGoing(deal.instrument);
        int256 counted = int256(deal.price);
        if (deal.kind == Kind.Perpetual) counted -= markets.accrue(deal.underlying);
        _change(deal.buyer, deal.instrument, int256(deal.size), counted, deal.kind);
        _change(deal.seller, deal.instrument, -int256(deal.size), counted, deal.kind);
    }

    /// @dev One side of it.
    function _change(uint256 account, uint32 instrument, int256 size, int256 price, Kind kind) private {
        Leg[] storage legs = _accounts[account].legs;
        uint256 at = legs.find(instrument);
        int256 before = at < legs.length ? legs[at].size : int256(0);
        int256 profit = legs.trade(instrument, size, price);
        _addCash(account, kind == Kind.Perpetual ? profit : -size * price);
        int256 long = before + size > 0 ? before + size : int256(0);
        openInterest[instrument] = openInterest[instrument] + uint256(long) - uint256(before > 0 ? before : int256(0));
    }

    function _isGoing(uint32 instrument) private view returns (bool) {
        return !halted[instrument] && shortfall[instrument][true] + shortfall[instrument][false] == 0;
    }

    function _requireGoing(uint32 instrument) private view {
        if (!_isGoing(instrument)) revert InstrumentHalted(instrument);
    }

    // Settlement.

    /// @notice Turns the profit and loss of an account's perpetuals into cash, at their marks, as anybody may. What stands in
    /// an instrument that deleverages stays.
    function realize(uint256 account) external nonReentrant {
        ownerOf(account);
        Leg[] storage legs = _accounts[account].legs;
        int256 profit;
        for (uint256 i; i < legs.length; ++i) {
            Leg memory leg = legs[i];
            Instrument memory what = markets.instrument(leg.instrument);
            if (what.kind != Kind.Perpetual || !_isGoing(leg.instrument)) continue;
            int256 price = int256(uint256(markets.markOf(leg.instrument))) - markets.accrue(what.underlying);
            int256 worth = leg.size * price;
            profit += worth - leg.cost;
            legs[i].cost = worth.toInt128();
        }
        _addCash(account, profit);
        emit Realized(account, profit);
        _remember(account);
    }

    /// @notice Turns an account's options of settled expiries into cash, as anybody may.
    function settle(uint256 account) external nonReentrant {
        ownerOf(account);
        Leg[] storage legs = _accounts[account].legs;
        int256 paid;
        for (uint256 i = legs.length; i != 0; --i) {
            Leg memory leg = legs[i - 1];
            Instrument memory what = markets.instrument(leg.instrument);
            if (what.kind == Kind.Perpetual || !_isGoing(leg.instrument)) continue;
            (bool done, uint64 price) = markets.settlement(what.underlying, what.expiry);
            if (!done) continue;
            uint64 strike = what.strike;
            uint256 intrinsic = what.kind == Kind.Call
                ? (price > strike ? price - strike : 0)
                : (strike > price ? strike - price : 0);
            paid += leg.size * int256(intrinsic);
            if (leg.size < 0 && intrinsic != 0) {
                Account storage each = _accounts[account];
                (each.blamed, each.blamedLong, each.blames) = (leg.instrument, false, true);
            }
            settled[leg.instrument][leg.size > 0] += uint256(int256(leg.size > 0 ? leg.size : -leg.size));
            legs[i - 1] = legs[legs.length - 1];
            legs.pop();
        }
        _addCash(account, paid);
        emit Realized(account, paid);
        _remember(account);
    }

    // Margin calls.

    /// @notice Calls an account that is worth less than nothing in the scenario named. Its owner has until the end of the
    /// grace to add collateral or to reduce; then the discount of a liquidation begins to grow. A call lapses after a
    /// stated time, and must be made anew.
    function call(uint256 account, uint256 scenario) external {
        ownerOf(account);
        uint256 since = _accounts[account].calledAt;
        if (since != 0 && block.timestamp < since + terms.lapse) revert AlreadyCalled(account, since);
        (, int256 value) = valueIn(account, scenario);
        if (value >= 0) revert NotBelowMaintenance(account, scenario, value);
        _accounts[account].calledAt = uint40(block.timestamp);
        emit MarginCall(account, scenario, value, block.timestamp + terms.grace);
    }

    /// @notice Lifts the call of an account that is above maintenance in all scenarios.
    function lift(uint256 account) external {
        if (_accounts[account].calledAt == 0) revert NotCalled(account);
        (, int256 value, uint256 scenario) = worst(account, false);
        if (value < 0) revert BelowMaintenance(account, value, scenario);
        _accounts[account].calledAt = 0;
        emit CallLifted(account);
    }

    // Liquidation.

    /// @dev What a liquidation goes by. `loss` is what the account loses in the scenario, contingencies included.
    struct Taking {
        uint256 account;
        uint256 taker;
        uint256 scenario;
        uint256 share;
        int256 value;
        int256 loss;
        uint256 discount;
        int256 worth;
        int256 cashBefore;
    }

    /// @notice Takes `share` of the whole account over: every position at its mark, every collateral at its price, less
    /// the discount, a share of what the account loses in the scenario named, in which it must be worth less than
    /// nothing. What it then is worth there may be `buffer` of its loss at most. The taker, an account of the sender's,
    /// stands above initial margin afterwards and pays `mostPaid` at most (below zero: gets that much at least).
    function liquidate(uint256 account, uint256 scenario, uint256 share, uint256 taker, int256 mostPaid)
        external
        nonReentrant
        ofOwner(taker)
        returns (int256 paid)
    {
        if (ownerOf(account) == ownerOf(taker)) revert MatchesItself();
        if (share == 0 || share > uint256(WAD)) revert BadShare(share);
        Taking memory take;
        (take.account, take.taker, take.scenario, take.share) = (account, taker, scenario, share);
        take.cashBefore = cashOf(taker);
        int256 equity;
        (equity, take.value) = valueIn(account, scenario);
        if (take.value >= 0) revert NotBelowMaintenance(account, scenario, take.value);
        take.loss = equity - take.value;
        if (take.loss <= 0) revert LosesNothing(account, scenario);
        take.discount = _discount(account, scenario, equity, take.loss);
        _takeLegs(take);
        _takeCollaterals(take);
        paid = take.worth - _off(equity, take.loss, take.discount) * int256(share) / WAD;
        if (paid > mostPaid) revert PaysTooMuch(paid, mostPaid);
        _addCash(account, paid);
        _addCash(taker, -paid);
        _absorb(account);
        _requireLeft(take);
        _requireInitial(taker, take.cashBefore);
        emit Liquidated(account, taker, scenario, share, paid, take.discount);
        _remember(account);
        _remember(taker);
    }

    /// @notice The discount of a liquidation now, as a share of the loss. Reverts where the account is not called, or its
    /// owner still has time. Below the hard floor there is no grace: whoever is not called is so at once.
    function _discount(uint256 account, uint256 scenario, int256 equity, int256 loss) private returns (uint256) {
        Terms storage t = terms;
        uint256 since = _accounts[account].calledAt;
        if (since == 0 || block.timestamp >= since + t.lapse) {
            if (equity * WAD >= loss * int256(uint256(t.hardFloor))) revert NotCalled(account);
            _accounts[account].calledAt = uint40(block.timestamp);
            emit MarginCall(account, scenario, equity - loss, block.timestamp + t.grace);
            return t.discountStart;
        }
        uint256 from = since + t.grace;
        if (block.timestamp < from) {
            if (equity * WAD >= loss * int256(uint256(t.hardFloor))) revert InGrace(account, from);
            return t.discountStart;
        }
        uint256 grown = t.discountStart + uint256(t.discountRise) * (block.timestamp - from) / 1 hours;
        return grown < t.discountMost ? grown : t.discountMost;
    }

    /// @dev What the taker of the whole account gets off. Beyond the first discount it is the account's equity that pays,
    /// never the fund.
    function _off(int256 equity, int256 loss, uint256 discount) private view returns (int256 off) {
        off = loss * int256(discount) / WAD;
        int256 least = loss * int256(uint256(terms.discountStart)) / WAD;
        int256 most = equity > least ? equity : least;
        return off < most ? off : most;
    }

    /// @dev The share of every position, rounded away from zero so that no position is left behind for good, passes at its
    /// mark. What a perpetual has won or lost becomes the account's cash; of an option the taker pays the mark.
    function _takeLegs(Taking memory take) private {
        Account storage from = _accounts[take.account];
        Leg[] memory legs = from.legs;
        int256 worstProfit = type(int256).max;
        for (uint256 i; i < legs.length; ++i) {
            Leg memory leg = legs[i];
            _requireGoing(leg.instrument);
            Instrument memory what = markets.instrument(leg.instrument);
            int256 mark = int256(uint256(markets.markOf(leg.instrument)));
            int256 counted = what.kind == Kind.Perpetual ? mark - markets.accrue(what.underlying) : mark;
            int256 profit = leg.size * counted - leg.cost;
            if (profit < worstProfit) {
                (worstProfit, from.blamed, from.blamedLong) = (profit, leg.instrument, leg.size > 0);
                from.blames = true;
            }
            int256 part = _part(leg.size, take.share);
            _change(take.account, leg.instrument, -part, counted, what.kind);
            _change(take.taker, leg.instrument, part, counted, what.kind);
        }
    }

    function _takeCollaterals(Taking memory take) private {
        uint256 count = markets.collaterals();
        for (uint256 i; i < count; ++i) {
            uint256 part = uint256(_part(int256(collateralOf[take.account][i]), take.share));
            if (part == 0) continue;
            take.worth += int256(markets.worth(i, part));
            collateralOf[take.account][i] -= part;
            collateralOf[take.taker][i] += part;
        }
    }

    /// @dev ⌈|whole| · share⌉ with the sign of the whole
    function _part(int256 whole, uint256 share) private pure returns (int256) {
        uint256 size = uint256(whole < 0 ? -whole : whole);
        uint256 part = size == 0 ? 0 : (size * share - 1) / uint256(WAD) + 1;
        return whole < 0 ? -int256(part) : int256(part);
    }

    function _requireLeft(Taking memory take) private view {
        (int256 equity, int256 value) = valueIn(take.account, take.scenario);
        int256 most = (equity - value) * int256(uint256(terms.buffer)) / WAD;
        if (value > most) revert TakesTooMuch(value, most);
    }

    /// @notice Buys collateral of an account that owes more than a share of what it has as collateral, at its price less
    /// the discount, until it owes no more than that share. The buyer, an account of the sender's, pays in cash that it has.
    function buyCollateral(uint256 account, uint256 token, uint256 amount, uint256 buyer, uint256 mostPaid)
        external
        nonReentrant
        ofOwner(buyer)
        returns (uint256 paid)
    {
        (uint256 owed, uint256 allowed) = debtOf(account);
        if (owed <= allowed) revert DebtIsCovered(owed, allowed);
        _takeCollateral(account, token, amount);
        collateralOf[buyer][token] += amount;
        paid = markets.worth(token, amount) * (uint256(WAD) - terms.saleDiscount) / uint256(WAD);
        if (paid > mostPaid) revert PaysTooMuch(int256(paid), int256(mostPaid));
        if (cashOf(buyer) < int256(paid)) revert NotEnough(paid, 0);
        _addCash(account, int256(paid));
        _addCash(buyer, -int256(paid));
        (owed, allowed) = debtOf(account);
        if (owed < allowed) {
            // No more than restores it, but for what the last unit of the token is worth.
            uint256 unit = markets.worth(token, amount) / (amount == 0 ? 1 : amount) + 1;
            if (allowed - owed > unit) revert TakesTooMuch(int256(allowed - owed), int256(unit));
        }
        _requireInitial(buyer, cashOf(buyer) + int256(paid));
        // At once: whatever is given to the account later would stand in the way.
        _absorb(account);
        emit CollateralSold(account, buyer, token, amount, paid);
        _remember(account);
        _remember(buyer);
    }

    /// @notice What an account owes, and how much of it its collateral after haircuts allows.
    function debtOf(uint256 account) public view returns (uint256 owed, uint256 allowed) {
        int256 cash = cashOf(account);
        owed = cash < 0 ? uint256(-cash) : 0;
        allowed = margin.pledged(_amounts(account)) * terms.debtShare / uint256(WAD);
    }

    // The waterfall.

    /// @dev Where nothing is left but debt the fund pays it, and what the fund lacks falls to the other side of the position
    /// whose loss was the greatest. Whoever never had a position goes on owing it.
    function _absorb(uint256 account) private {
        Account storage each = _accounts[account];
        if (each.purse.cash >= 0 || each.legs.length != 0) return;
        uint256[] memory amounts = _amounts(account);
        for (uint256 i; i < amounts.length; ++i) if (amounts[i] != 0) return;
        _lift(account, uint256(int256(-each.purse.cash)));
    }

    function _lift(uint256 account, uint256 owed) private {
        Account storage each = _accounts[account];
        uint256 paid = owed < ledger.fund ? owed : ledger.fund;
        ledger.fund -= paid;
        if (paid != 0) emit FundPaid(account, paid);
        if (owed > paid && each.blames) {
            shortfall[each.blamed][each.blamedLong] += owed - paid;
            emit Shortfall(account, each.blamed, each.blamedLong, owed - paid);
        }
        _addCash(account, int256(each.blames ? owed : paid));
    }

    /// @notice Lets the fund pay the debt of an account that has nothing else, as anybody may.
    function absorb(uint256 account) external nonReentrant {
        ownerOf(account);
        _addCash(account, 0);
        _absorb(account);
        _remember(account);
    }

    /// @notice Lets the fund pay a shortfall, or the deficit, as anybody may. What deleverages is not waited for.
    function repay(uint32 instrument, bool long) public {
        uint256 lacks = shortfall[instrument][long];
        uint256 paid = lacks < ledger.fund ? lacks : ledger.fund;
        if (paid == 0 || halted[instrument]) return;
        ledger.fund -= paid;
        shortfall[instrument][long] = lacks - paid;
        emit Repaid(instrument, long, paid);
    }

    // For the contract that deleverages.

    function halt(uint32 instrument, bool yes) external only(deleveraging) {
        halted[instrument] = yes;
        emit Halted(instrument, yes);
    }

    /// @notice Takes part of a shortfall out of an account's profit in an instrument at a price: what the position has is
    /// added to its cost, the rest is what closing it has just paid. An option's cost is only remembered: cash pays.
    function charge(uint256 account, uint32 instrument, bool long, uint256 amount, int256 counted)
        external
        only(deleveraging)
    {
        shortfall[instrument][long] -= amount;
        Leg[] storage legs = _accounts[account].legs;
        uint256 at = legs.find(instrument);
        int256 part;
        if (at < legs.length) {
            Leg storage leg = legs[at];
            part = leg.size * counted - leg.cost;
            if (part < 0) part = 0;
            if (part > int256(amount)) part = int256(amount);
            leg.cost += int128(part);
        }
        if (markets.instrument(instrument).kind != Kind.Perpetual) part = 0;
        _addCash(account, part - int256(amount));
        emit Charged(account, instrument, long, amount);
        _remember(account);
    }

    /// @notice Closes `size` of one account's position (with its sign) against another's at a price, of a perpetual less
    /// funding.
    function close(uint256 account, uint256 other, uint32 instrument, int256 size, int256 counted)
        external
        only(deleveraging)
    {
        Kind kind = markets.instrument(instrument).kind;
        _change(account, instrument, -size, counted, kind);
        _change(other, instrument, size, counted, kind);
        emit Closed(account, other, instrument, size, counted);
        _remember(account);
        _remember(other);
    }

    /// @notice Pays, before a close, what an account will lack after it.
    function cover(uint256 account, uint32 instrument, bool long, uint256 amount) external only(deleveraging) {
        Account storage each = _accounts[account];
        (each.blamed, each.blamedLong, each.blames) = (instrument, long, true);
        _lift(account, amount);
        _remember(account);
    }

    /// @notice Leaves to the fund what nobody is left to pay for.
    function writeOff(uint32 instrument, bool long, uint256 amount) external only(deleveraging) {
        shortfall[instrument][long] -= amount;
        shortfall[NOBODY][false] += amount;
        emit WrittenOff(instrument, long, amount);
    }
}
