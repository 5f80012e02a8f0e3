// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {Batch} from "../../src/Batch.sol";
import {PriceCarrier} from "../../src/PriceCarrier.sol";
import {Reads} from "../../src/batch/Reads.sol";
import {FeeToken, PlainToken, check, vm} from "./StandIns.sol";

interface IVmDeal {
    function deal(address account, uint256 balance) external;
}

/// @notice Takes a price for a fee, as oracles do that are brought what they ask for (ERC-7412).
contract OracleStandIn {
    error FeeRequired(uint256 fee);
    error NoFreshUpdate();
    error InvalidUpdateDataSource();

    uint256 public price;
    uint256 public immutable fee;

    constructor(uint256 fee_) {
        fee = fee_;
    }

    function fulfillOracleQuery(bytes calldata data) external payable {
        if (msg.value < fee) revert FeeRequired(fee);
        uint256 found = abi.decode(data, (uint256));
        if (found == 666) revert InvalidUpdateDataSource();
        if (found == price) revert NoFreshUpdate();
        price = found;
    }
}

/// @notice Pays whoever calls, at a price of an oracle below its limit.
contract PayingTarget {
    error StillSound();

    OracleStandIn private immutable _oracle;
    PlainToken private immutable _token;
    uint256 public coins;

    constructor(OracleStandIn oracle, PlainToken token) payable {
        (_oracle, _token) = (oracle, token);
    }

    function giveCoins(uint256 amount) external {
        coins = amount;
    }

    function liquidate(uint256 reward) external returns (uint256) {
        if (_oracle.price() >= 100) revert StillSound();
        _token.mint(msg.sender, reward);
        if (coins != 0) {
            (bool ok,) = msg.sender.call{value: coins}("");
            require(ok, "coins");
        }
        return reward;
    }
}

/// @notice Calls back into the carrier in the middle of what that carries.
contract ReenteringTarget {
    function attack(PriceCarrier carrier, address token) external {
        PriceCarrier.Reward[] memory rewards = new PriceCarrier.Reward[](1);
        rewards[0] = PriceCarrier.Reward(token, 0);
        carrier.carry(new PriceCarrier.Update[](0), address(this), "", rewards);
    }

    fallback() external payable {}
}

contract PriceCarrierTest {
    uint256 private constant FEE = 7;

    PriceCarrier private carrier;
    OracleStandIn private oracle;
    PlainToken private token;
    PayingTarget private target;
    bool private refuses;

    function setUp() public {
        carrier = new PriceCarrier();
        oracle = new OracleStandIn(FEE);
        token = new PlainToken();
        target = new PayingTarget(oracle, token);
        IVmDeal(address(vm)).deal(address(target), 1 ether);
        oracle.fulfillOracleQuery{value: FEE}(abi.encode(200));
    }

    receive() external payable {
        require(!refuses, "refused");
    }

    function _update(uint256 price, uint256 fee) private view returns (PriceCarrier.Update[] memory updates) {
        updates = new PriceCarrier.Update[](1);
        bytes memory data = abi.encodeCall(OracleStandIn.fulfillOracleQuery, (abi.encode(price)));
        updates[0] = PriceCarrier.Update(address(oracle), fee, data);
    }

    function _rewards(uint256 least) private view returns (PriceCarrier.Reward[] memory rewards) {
        rewards = new PriceCarrier.Reward[](1);
        rewards[0] = PriceCarrier.Reward(address(token), least);
    }

    function _call(uint256 reward) private pure returns (bytes memory) {
        return abi.encodeCall(PayingTarget.liquidate, (reward));
    }

    function _empty() private view {
        check(token.balanceOf(address(carrier)) == 0, "tokens stayed");
        check(address(carrier).balance == 0, "coins stayed");
    }

    function testFuzz_bringsThePriceAndPassesOnWhatCame(uint128 reward, uint64 coins, uint64 given) public {
        coins = uint64(coins % 1 ether);
        target.giveCoins(coins);
        uint256 before = address(this).balance;
        uint256 sent = FEE + given;
        IVmDeal(address(vm)).deal(address(this), before + sent);
        bytes memory result =
            carrier.carry{value: sent}(_update(99, FEE), address(target), _call(reward), _rewards(reward));
        check(abi.decode(abi.decode(abi.encode(result), (bytes)), (uint256)) == reward, "result");
        check(oracle.price() == 99, "price");
        check(token.balanceOf(address(this)) == reward, "reward");
        check(address(this).balance == before + given + coins, "coins");
        _empty();
    }

    function test_aPriceThatIsThereIsNoFailure() public {
        oracle.fulfillOracleQuery{value: FEE}(abi.encode(99));
        carrier.carry{value: FEE}(_update(99, FEE), address(target), _call(5), _rewards(5));
        check(token.balanceOf(address(this)) == 5, "reward");
        _empty();
    }

    function test_whatTheOracleOrTheTargetRevertsWithIsPassedOn() public {
        vm.expectRevert(abi.encodeWithSelector(OracleStandIn.InvalidUpdateDataSource.selector));
        carrier.carry{value: FEE}(_update(666, FEE), address(target), _call(5), _rewards(5));
        vm.expectRevert(abi.encodeWithSelector(OracleStandIn.FeeRequired.selector, FEE));
        carrier.carry{value: FEE}(_update(99, FEE - 1), address(target), _call(5), _rewards(5));
        vm.expectRevert(abi.encodeWithSelector(PayingTarget.StillSound.selector));
        carrier.carry{value: FEE}(_update(101, FEE), address(target), _call(5), _rewards(5));
        check(oracle.price() == 200, "nothing of it stays");
    }

    function testFuzz_tooLittleUndoesAll(uint128 came, uint128 least) public {
        if (came >= least) return;
        vm.expectRevert(abi.encodeWithSelector(PriceCarrier.TooLittleCame.selector, address(token), came));
        carrier.carry{value: FEE}(_update(99, FEE), address(target), _call(came), _rewards(least));
        check(oracle.price() == 200 && token.balanceOf(address(this)) == 0, "nothing of it stays");
    }

    function test_whatLayThereBeforeCountsForNobodysReward() public {
        token.mint(address(carrier), 1_000);
        vm.expectRevert(abi.encodeWithSelector(PriceCarrier.TooLittleCame.selector, address(token), 5));
        carrier.carry{value: FEE}(_update(99, FEE), address(target), _call(5), _rewards(6));
        carrier.carry{value: FEE}(_update(99, FEE), address(target), _call(5), _rewards(5));
        _empty();
    }

    function test_nobodyCallsItWhileItCarries() public {
        ReenteringTarget thief = new ReenteringTarget();
        bytes memory data = abi.encodeCall(ReenteringTarget.attack, (carrier, address(token)));
        vm.expectRevert(abi.encodeWithSelector(PriceCarrier.Reentered.selector));
        carrier.carry(new PriceCarrier.Update[](0), address(thief), data, _rewards(0));
        bytes memory itself =
            abi.encodeCall(PriceCarrier.carry, (_update(99, FEE), address(target), _call(5), _rewards(5)));
        vm.expectRevert(abi.encodeWithSelector(PriceCarrier.Reentered.selector));
        carrier.carry{value: FEE}(new PriceCarrier.Update[](0), address(carrier), itself, _rewards(0));
    }

    function test_takesNothingBetweenTwoCalls() public {
        (bool ok,) = address(carrier).call{value: 1}("");
        check(!ok, "took coins");
    }

    function test_callsNobodyWhereNobodyIs() public {
        vm.expectRevert(abi.encodeWithSelector(PriceCarrier.NoCode.selector, address(0xBAD)));
        carrier.carry(new PriceCarrier.Update[](0), address(0xBAD), "", _rewards(0));
    }

    function test_coinsThatCannotBeGivenBackUndoAll() public {
        refuses = true;
        vm.expectRevert(abi.encodeWithSelector(PriceCarrier.CoinsRefused.selector));
        carrier.carry{value: FEE + 1}(_update(99, FEE), address(target), _call(5), _rewards(5));
    }

    function test_aTokenThatKeepsAPartPaysWhatArrives() public {
        FeeToken taxed = new FeeToken();
        PayingTarget paying = new PayingTarget(oracle, PlainToken(address(taxed)));
        PriceCarrier.Reward[] memory rewards = new PriceCarrier.Reward[](1);
        rewards[0] = PriceCarrier.Reward(address(taxed), 100);
        carrier.carry{value: FEE}(_update(99, FEE), address(paying), _call(100), rewards);
        check(taxed.balanceOf(address(carrier)) == 0 && taxed.balanceOf(address(this)) > 0, "reward");
    }
}

contract BatchBehindTest {
    Batch private batch;
    OracleStandIn private paid;
    OracleStandIn private free;

    function setUp() public {
        batch = new Batch();
        (paid, free) = (new OracleStandIn(7), new OracleStandIn(0));
        IVmDeal(address(vm)).deal(address(batch), 10);
    }

    function _update(OracleStandIn oracle, uint256 price) private pure returns (Batch.Update memory) {
        return Batch.Update(address(oracle), abi.encodeCall(OracleStandIn.fulfillOracleQuery, (abi.encode(price))));
    }

    function _read(address target, bytes memory data) private pure returns (Batch.Call memory) {
        return Batch.Call(target, 1_000_000, data);
    }

    function test_readsStandBehindWhatWasBroughtAndSayWhatBecameOfIt() public {
        Batch.Update[] memory updates = new Batch.Update[](5);
        updates[0] = _update(paid, 11);
        updates[1] = _update(free, 666);
        updates[2] = _update(free, 12);
        updates[3] = _update(OracleStandIn(address(0xBAD)), 1);
        // The second fee is more than there is.
        updates[4] = _update(paid, 13);
        Batch.Call[] memory plain = new Batch.Call[](1);
        Batch.Call[] memory behind = new Batch.Call[](3);
        plain[0] = _read(address(paid), abi.encodeWithSignature("price()"));
        behind[0] = plain[0];
        behind[1] = _read(address(batch), "");
        behind[2] = _read(address(free), abi.encodeWithSignature("price()"));
        (uint256 number, uint256 timestamp, Reads.Result[] memory results) = batch.runBehind(plain, updates, behind);
        check(number == block.number && timestamp == block.timestamp, "block");
        check(abi.decode(results[0].result, (uint256)) == 0, "before it was brought");
        check(abi.decode(results[1].result, (uint256)) == 11, "paid");
        check(abi.decode(results[3].result, (uint256)) == 12, "free");
        Batch.Outcome[] memory outcomes = abi.decode(results[2].result, (Batch.Outcome[]));
        check(outcomes[0].ok && outcomes[0].fee == 7, "the fee was asked for and paid");
        check(!outcomes[1].ok && bytes4(outcomes[1].result) == OracleStandIn.InvalidUpdateDataSource.selector, "why");
        check(outcomes[2].ok && outcomes[2].fee == 0, "free");
        check(!outcomes[3].ok && !outcomes[4].ok && outcomes[4].fee == 7, "neither could be");
    }

    function test_withoutUpdatesItReadsAsEver() public view {
        Batch.Call[] memory calls = new Batch.Call[](1);
        calls[0] = _read(address(paid), abi.encodeWithSignature("price()"));
        (,, Reads.Result[] memory results) = batch.run(calls);
        check(results[0].ok && abi.decode(results[0].result, (uint256)) == 0, "price");
    }
}
