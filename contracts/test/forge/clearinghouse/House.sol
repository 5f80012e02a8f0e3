// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Clearinghouse, Terms} from "../../../src/clearinghouse/Clearinghouse.sol";
import {Feed} from "../../../src/clearinghouse/Feeds.sol";
import {IMarkets, IScenarios, IValuation} from "../../../src/clearinghouse/Interfaces.sol";
import {Margin} from "../../../src/clearinghouse/Margin.sol";
import {IOptions, Markets} from "../../../src/clearinghouse/Markets.sol";
import {IIndexes, Options} from "../../../src/clearinghouse/Options.sol";
import {Order, Orders, Signed} from "../../../src/clearinghouse/Orders.sol";
import {Scenarios} from "../../../src/clearinghouse/Scenarios.sol";
import {Instrument, Kind} from "../../../src/clearinghouse/Types.sol";
import {Valuation} from "../../../src/clearinghouse/Valuation.sol";
import {PlainToken, vm} from "../StandIns.sol";

/// @notice A price feed whose answer a test sets.
contract FeedStandIn {
    uint8 public constant decimals = 8;
    int256 public answer;
    uint256 public updatedAt;

    constructor(int256 answer_) {
        set(answer_);
    }

    function set(int256 answer_) public {
        (answer, updatedAt) = (answer_, block.timestamp);
    }

    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80) {
        return (1, answer, updatedAt, updatedAt, 1);
    }

    function getRoundData(uint80 round) external view returns (uint80, int256, uint256, uint256, uint80) {
        return (round, answer, updatedAt, updatedAt, round);
    }
}

/// @notice One volatility for everything.
contract VolatilityStandIn {
    uint256 public atTheMoney = 0.8e18;
    int256 public skew;

    function set(uint256 atTheMoney_, int256 skew_) external {
        (atTheMoney, skew) = (atTheMoney_, skew_);
    }

    function volatility(uint8, uint40) external view returns (uint256, int256, uint256) {
        return (atTheMoney, skew, block.timestamp);
    }
}

/// @notice A token with six decimals, as dollars have.
contract Dollars is PlainToken {
    uint8 public constant decimals = 6;
}

contract Ether is PlainToken {
    uint8 public constant decimals = 18;
}

/// @notice A whole clearinghouse of two underlyings (ETH 2,000 and BTC 30,000 dollars), one collateral (ether) and options on
/// ETH that expire in thirty days, and short words for what tests do with it.
abstract contract House {
    uint256 internal constant DOLLAR = 1e6;
    uint256 internal constant MONEY = 1e18;
    int64 internal constant ONE = 1e9;
    uint8 internal constant ETH = 0;
    uint8 internal constant BTC = 1;
    uint256 internal constant BEGIN = 1_750_000_000;

    Dollars internal dollars;
    Ether internal ether_;
    FeedStandIn internal eth;
    FeedStandIn internal btc;
    VolatilityStandIn internal volatility;
    Markets internal markets;
    Options internal options;
    Scenarios internal scenarios;
    Margin internal margin;
    Clearinghouse internal house;
    Orders internal orders;
    uint40 internal expiry;
    uint32 internal call;
    uint32 internal put;
    uint64 private _nonce;
    uint256 private _maker;
    uint256 private _taker;

    function build() internal {
        vm.warp(BEGIN);
        (dollars, ether_) = (new Dollars(), new Ether());
        (eth, btc) = (new FeedStandIn(2_000e8), new FeedStandIn(30_000e8));
        volatility = new VolatilityStandIn();
        markets = new Markets(address(this));
        options = new Options(address(this), IIndexes(address(markets)));
        _scenarios();
        Valuation valuation = new Valuation();
        margin = new Margin(markets, IScenarios(address(scenarios)), IValuation(address(valuation)));
        house = new Clearinghouse(IERC20(address(dollars)), 6, margin, _terms());
        orders = new Orders(house);
        markets.connect(address(house), IOptions(address(options)));
        house.begin(address(orders), deleveraging());
        markets.setUnderlying(ETH, _underlying(eth));
        markets.setUnderlying(BTC, _underlying(btc));
        markets.setCollateral(
            0, Markets.Collateral(Feed(address(eth), 30 days, 8, 1e8, 1e14), 1_000e18, 0.1e18, 0.1e18, address(ether_), 0, 1e24)
        );
        expiry = uint40(BEGIN + 30 days);
        options.open(ETH, expiry, 1e9);
        call = options.list(Instrument(Kind.Call, ETH, expiry, 2_000e9));
        put = options.list(Instrument(Kind.Put, ETH, expiry, 2_000e9));
        dollars.mint(address(this), 1e15);
        dollars.approve(address(house), type(uint256).max);
        ether_.mint(address(this), 1e27);
        ether_.approve(address(house), type(uint256).max);
    }

    /// @dev Who deleverages; tests of that contract say otherwise.
    function deleveraging() internal virtual returns (address) {
        return address(this);
    }

    function _terms() internal pure virtual returns (Terms memory) {
        return Terms({
            cashCap: uint128(100_000 * MONEY),
            rate: 0.05e18,
            debtShare: 0.8e18,
            saleDiscount: 0.03e18,
            grace: 1 hours,
            lapse: 1 days,
            hardFloor: 0.5e18,
            discountStart: 0.05e18,
            discountRise: 0.05e18,
            discountMost: 0.5e18,
            buffer: 0.1e18
        });
    }

    function _underlying(FeedStandIn feed) private view returns (Markets.Underlying memory) {
        return Markets.Underlying({
            index: Feed(address(feed), 30 days, 8, 1e8, 1e14),
            band: 0.05e18,
            fundingCap: 0.01e18,
            closing: 0.001e18,
            shortClosing: 0.01e18,
            volatility: address(volatility),
            volatilityHeartbeat: 1 days,
            leastVolatility: 0.05e18,
            mostVolatility: 5e18,
            mostSkew: 1e18
        });
    }

    /// @dev Moves of -1, -½, 0, ½ and 1 width of price, each with volatility up and down, ether and collateral alike, bitcoin
    /// with them or half as far; the initial set has two of 1½ widths besides.
    function _scenarios() private {
        scenarios = new Scenarios(
            address(this), 1 days, Scenarios.Limits(0.5e18, 0.25e18, 0.25e18, 0.05e18), Scenarios.Pace(address(this), 1 hours, 1 hours)
        );
        uint256[] memory numbers = new uint256[](9);
        Scenarios.Bound[] memory bounds = new Scenarios.Bound[](9);
        uint64[4] memory starts = [uint64(0.16e18), 0.45e18, 0.25e18, 0.01e18];
        for (uint256 i; i < 8; ++i) (numbers[i], bounds[i]) = (i, Scenarios.Bound(1e15, 3e18, starts[i % 4]));
        (numbers[8], bounds[8]) = (32, Scenarios.Bound(1e15, 3e18, 0.16e18));
        scenarios.bound(numbers, bounds);
        bytes memory steps;
        for (int16 step = -2; step <= 2; ++step) {
            for (int16 turn = -1; turn <= 1; turn += 2) {
                steps = abi.encodePacked(steps, _scenario(5_000 * step, 10_000 * turn, step));
            }
        }
        uint8 maintenance = uint8(steps.length / 14);
        steps = abi.encodePacked(steps, _scenario(-15_000, 10_000, -2), _scenario(15_000, 10_000, 2));
        scenarios.replace(2, 1, maintenance, steps);
    }

    function _scenario(int16 price, int16 turn, int16 basis) private pure returns (bytes memory) {
        return abi.encodePacked(price, turn, basis * 2_500, price / 2, turn, -basis * 2_500, price);
    }

    // Short words.

    function accountOf(uint256 key) internal returns (uint256 account) {
        vm.prank(vm.addr(key));
        account = house.open();
    }

    /// @dev An account of a key's with whole dollars and whole ether.
    function rich(uint256 key, uint256 cash, uint256 ether__) internal returns (uint256 account) {
        account = accountOf(key);
        if (cash != 0) house.depositCash(account, cash * DOLLAR);
        if (ether__ != 0) house.deposit(account, 0, ether__ * 1e18);
    }

    function signed(uint256 key, uint256 account, uint32 instrument, int64 size, uint64 price)
        internal
        returns (Signed memory found)
    {
        found.order = Order(account, instrument, size, price, ++_nonce, type(uint40).max);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, orders.hashOf(found.order));
        found.signature = abi.encodePacked(r, s, v);
    }

    /// @dev A trade between the accounts of two keys.
    function traded(uint256 key, uint256 buyer, uint256 other, uint256 seller, uint32 instrument, int64 size, uint64 price)
        internal
    {
        Signed memory bought = signed(key, buyer, instrument, size, price);
        Signed memory sold = signed(other, seller, instrument, -size, price);
        orders.trade(bought, sold, uint64(size));
    }

    /// @dev The index and the last match come to a price in whole dollars.
    function moved(uint256 price) internal {
        if (_maker == 0) (_maker, _taker) = (rich(0x3A, 1e8, 0), rich(0x7A, 1e8, 0));
        eth.set(int256(price * 1e8));
        traded(0x3A, _maker, 0x7A, _taker, ETH, 1, uint64(price * 1e9));
    }

    /// @dev All cash, less what perpetuals cost, with interest that waits and the fund, less what is still missing: it must
    /// be what the house holds.
    function unbalanced() internal view returns (int256 total) {
        (,,, int256 undistributed, uint256 fund,,) = house.ledger();
        total = undistributed + int256(fund);
        for (uint256 i; i < house.accounts(); ++i) {
            total += house.stateOf(i).cash;
            for (uint256 k; k < house.stateOf(i).legs.length; ++k) {
                if (house.stateOf(i).legs[k].instrument < 8) total -= house.stateOf(i).legs[k].cost;
            }
        }
        for (uint32 i; i < 16; ++i) total -= int256(house.shortfall(i, true) + house.shortfall(i, false));
        total -= int256(house.shortfall(house.NOBODY(), false));
        total -= int256(dollars.balanceOf(address(house)) * 1e12);
    }
}
