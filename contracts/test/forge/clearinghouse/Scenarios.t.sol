// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";

import {Scenarios} from "../../../src/clearinghouse/Scenarios.sol";
import {ScenarioSet} from "../../../src/clearinghouse/Types.sol";
import {check, vm} from "../StandIns.sol";

contract ScenariosTest {
    uint256 private constant WAD = 1e18;
    uint256 private constant NOTICE = 1 days;
    uint40 private constant INTERVAL = 1 hours;
    uint40 private constant RAMP = 3 hours;
    uint256 private constant SIZE = 16;
    address private constant PUBLISHER = address(0xB0B);
    address private constant STRANGER = address(0xBAD);

    Scenarios private scenarios;
    bytes private steps;

    function setUp() public {
        vm.warp(1_750_000_000);
        scenarios = new Scenarios(address(this), NOTICE, _limits(), Scenarios.Pace(PUBLISHER, INTERVAL, RAMP));
        _bound(2, 2);
        steps = _steps(5, SIZE, 7);
        scenarios.replace(2, 2, 3, steps);
    }

    function _limits() private pure returns (Scenarios.Limits memory) {
        return Scenarios.Limits(0.2e18, 0.1e18, 0.25e18, 0.05e18);
    }

    /// @dev Each width begins at 20 %, between 5 % and 90 %.
    function _bound(uint256 underlyings, uint256 collaterals) private {
        uint256[] memory numbers = new uint256[](4 * underlyings + collaterals);
        Scenarios.Bound[] memory bounds = new Scenarios.Bound[](numbers.length);
        for (uint256 i; i < numbers.length; ++i) {
            numbers[i] = i < 4 * underlyings ? i : 32 + i - 4 * underlyings;
            bounds[i] = Scenarios.Bound(0.05e18, 0.9e18, 0.2e18);
        }
        scenarios.bound(numbers, bounds);
    }

    function _steps(uint256 count, uint256 size, uint256 seed) private pure returns (bytes memory made) {
        made = new bytes(count * size);
        for (uint256 i; i < made.length; ++i) made[i] = bytes1(uint8(uint256(keccak256(abi.encode(seed, i)))));
    }

    function _all(uint256 value) private pure returns (uint256[] memory found) {
        found = new uint256[](10);
        for (uint256 i; i < 10; ++i) found[i] = value;
    }

    function _publish(uint256[] memory calculated) private {
        vm.prank(PUBLISHER);
        scenarios.publish(calculated);
    }

    function _present() private view returns (uint256[] memory) {
        return scenarios.widths(block.timestamp);
    }

    function _target() private view returns (uint256[] memory) {
        return scenarios.widths(block.timestamp + 365 days);
    }

    function _same(uint256[] memory some, uint256[] memory others) private pure returns (bool) {
        return keccak256(abi.encode(some)) == keccak256(abi.encode(others));
    }

    // What is in a set.

    function test_theInitialSetBeginsWithTheMaintenanceSetAtTheSameWidths() public view {
        (ScenarioSet memory maintenance, ScenarioSet memory initial) = (scenarios.set(false), scenarios.set(true));
        check(maintenance.steps.length == 3 * SIZE && initial.steps.length == 5 * SIZE, "length");
        check(keccak256(initial.steps) == keccak256(steps), "steps");
        for (uint256 i; i < maintenance.steps.length; ++i) check(maintenance.steps[i] == initial.steps[i], "prefix");
        check(_same(maintenance.widths, initial.widths) && _same(initial.widths, _all(0.2e18)), "widths");
        check(initial.underlyings == 2 && initial.collaterals == 2, "shape");
    }

    function testFuzz_oneIsThatScenarioAlone(bool initial, uint256 scenario) public {
        uint256 count = initial ? 5 : 3;
        if (scenario >= count) {
            vm.expectRevert(abi.encodeWithSelector(Scenarios.NoSuchScenario.selector, scenario, count));
            scenarios.one(initial, scenario);
            scenario %= count;
        }
        ScenarioSet memory one = scenarios.one(initial, scenario);
        check(one.steps.length == SIZE, "one");
        for (uint256 i; i < SIZE; ++i) check(one.steps[i] == steps[scenario * SIZE + i], "steps");
        check(_same(one.widths, scenarios.set(initial).widths), "widths");
    }

    function test_setsTakeOverWhenTheirNoticeIsOver() public {
        bytes memory wider = _steps(48, SIZE, 8);
        scenarios.replace(2, 2, 48, wider);
        check(keccak256(scenarios.set(true).steps) == keccak256(steps), "not yet");
        check(scenarios.setsAt(block.timestamp + NOTICE).version == 2, "readable in advance");
        vm.warp(block.timestamp + NOTICE - 1);
        check(scenarios.set(true).steps.length == 5 * SIZE, "not yet");
        vm.warp(block.timestamp + 1);
        check(keccak256(scenarios.set(false).steps) == keccak256(wider), "taken over");
        scenarios.replace(2, 2, 1, steps);
        check(scenarios.set(true).steps.length == 48 * SIZE, "the next waits too");
        vm.warp(block.timestamp + NOTICE);
        check(scenarios.set(false).steps.length == SIZE, "and comes");
        check(scenarios.setsAt(block.timestamp).version == 3, "version");
    }

    function test_whatIsAnnouncedIsReplacedBeforeItComes() public {
        scenarios.replace(2, 2, 2, _steps(2, SIZE, 8));
        vm.warp(block.timestamp + NOTICE / 2);
        scenarios.replace(2, 2, 1, _steps(4, SIZE, 9));
        vm.warp(block.timestamp + NOTICE / 2);
        check(scenarios.set(true).steps.length == 5 * SIZE, "the first never comes");
        vm.warp(block.timestamp + NOTICE / 2);
        check(scenarios.set(true).steps.length == 4 * SIZE, "the second does");
    }

    function test_setsOfAWrongShapeAreRefused() public {
        bytes memory refusal = abi.encodeWithSelector(Scenarios.WrongShape.selector);
        bytes memory odd = _steps(1, SIZE + 1, 7);
        bytes memory many = _steps(49, SIZE, 7);
        vm.expectRevert(refusal);
        scenarios.replace(2, 2, 1, odd);
        vm.expectRevert(refusal);
        scenarios.replace(2, 2, 1, many);
        vm.expectRevert(refusal);
        scenarios.replace(2, 2, 0, steps);
        vm.expectRevert(refusal);
        scenarios.replace(2, 2, 6, steps);
        vm.expectRevert(refusal);
        scenarios.replace(9, 2, 1, "");
        vm.expectRevert(refusal);
        scenarios.replace(2, 9, 1, "");
        vm.expectRevert(refusal);
        scenarios.replace(1, 2, 1, new bytes(10));
        vm.expectRevert(refusal);
        scenarios.replace(2, 1, 1, new bytes(14));
        vm.expectRevert(abi.encodeWithSelector(Scenarios.Unbound.selector, 8));
        scenarios.replace(3, 2, 1, new bytes(22));
        vm.expectRevert(abi.encodeWithSelector(Scenarios.Unbound.selector, 34));
        scenarios.replace(2, 3, 1, new bytes(18));
    }

    function test_anUnderlyingMayBeAddedAndOthersKeepTheirWidths() public {
        uint256[] memory calculated = _all(0.22e18);
        vm.warp(block.timestamp + INTERVAL);
        _publish(calculated);
        _bound(3, 2);
        scenarios.replace(3, 2, 1, new bytes(22));
        vm.warp(block.timestamp + NOTICE);
        uint256[] memory widths = _present();
        check(widths.length == 14, "shape");
        check(widths[0] == 0.22e18 && widths[8] == 0.2e18 && widths[12] == 0.22e18, "each its own");
    }

    // Publications.

    function test_aWidthGoesInAStraightLineThatIsReadableInAdvance() public {
        vm.warp(block.timestamp + INTERVAL);
        uint256 start = block.timestamp;
        _publish(_all(0.24e18));
        check(_same(scenarios.widths(start), _all(0.2e18)), "starts where it was");
        check(_same(scenarios.widths(start + RAMP / 2), _all(0.22e18)), "half way");
        check(_same(scenarios.widths(start + RAMP), _all(0.24e18)), "there");
        // 0.04 / 10800, rounded up.
        check(scenarios.widths(start + 1)[3] == 0.2e18 + 3_703_703_703_704, "rounded up");
        vm.warp(start + RAMP / 2);
        check(_same(scenarios.set(true).widths, _all(0.22e18)), "sets have them");
        vm.expectRevert(abi.encodeWithSelector(Scenarios.Past.selector, start));
        scenarios.widths(start);
        // From where it is: 0.22 -> 0.288.
        _publish(_all(0.288e18));
        check(_same(_present(), _all(0.22e18)), "no jump");
        check(_same(scenarios.widths(block.timestamp + RAMP / 4), _all(0.237e18)), "a quarter");
    }

    function test_theBufferIsUsedUpBeforeARiseIsFeltAndRefilledSlowly() public {
        // Calculated falls: followed as far as the buffer is full, 1.25 times.
        vm.warp(block.timestamp + INTERVAL);
        _publish(_all(0.18e18));
        check(_same(_target(), _all(0.21e18)), "refilled by a twentieth");
        vm.warp(block.timestamp + INTERVAL);
        _publish(_all(0.165e18));
        check(_same(_target(), _all(0.20625e18)), "full");
        check(_same(scenarios.calculated(), _all(0.165e18)), "as calculated");
        // It rises again: nothing is felt but the slow refill until the buffer is used up.
        vm.warp(block.timestamp + INTERVAL);
        _publish(_all(0.198e18));
        check(_same(_target(), _all(0.2165625e18)), "buffer");
        vm.warp(block.timestamp + INTERVAL);
        _publish(_all(0.2376e18));
        check(_same(_target(), _all(0.2376e18)), "used up");
    }

    function test_publicationsAreBounded() public {
        vm.expectRevert(abi.encodeWithSelector(Scenarios.NotThePublisher.selector));
        scenarios.publish(_all(0.2e18));
        vm.warp(block.timestamp + INTERVAL);
        _publish(_all(0.2e18));
        uint256 next = block.timestamp + INTERVAL;
        vm.warp(next - 1);
        vm.expectRevert(abi.encodeWithSelector(Scenarios.TooSoon.selector, next));
        _publish(_all(0.2e18));
        vm.warp(next);
        uint256[] memory widths = _all(0.2e18);
        widths[9] = 0.24e18 + 1;
        _refused(widths, 33, 0.18e18, 0.24e18);
        widths[9] = 0.18e18 - 1;
        _refused(widths, 33, 0.18e18, 0.24e18);
        vm.expectRevert(abi.encodeWithSelector(Scenarios.WrongShape.selector));
        _publish(new uint256[](9));
        vm.expectRevert(abi.encodeWithSelector(Scenarios.WrongShape.selector));
        _publish(new uint256[](11));
    }

    function _refused(uint256[] memory widths, uint256 width, uint256 least, uint256 most) private {
        uint256 value = widths[9];
        vm.expectRevert(abi.encodeWithSelector(Scenarios.OutOfBounds.selector, width, value, least, most));
        _publish(widths);
    }

    function test_floorAndCeilingHoldHoweverOftenItIsPublished() public {
        for (uint256 i; i < 30; ++i) {
            vm.warp(block.timestamp + INTERVAL);
            uint256 next = scenarios.calculated()[0] * 9 / 10 + 1;
            _publish(_all(next < 0.05e18 ? 0.05e18 : next));
        }
        check(_same(scenarios.calculated(), _all(0.05e18)), "floor");
        for (uint256 i; i < 30; ++i) {
            vm.warp(block.timestamp + INTERVAL);
            uint256 next = scenarios.calculated()[0] * 12 / 10;
            _publish(_all(next > 0.9e18 ? 0.9e18 : next));
        }
        check(_same(_target(), _all(0.9e18)), "the buffer too is below the ceiling");
    }

    /// @dev Any sequence: what a publication aims at is within one step of what was aimed at before, and nothing that is
    /// in effect is outside what was aimed at, floor and ceiling.
    function testFuzz_noSequenceOfPublicationsGoesBeyondTheBounds(uint256 seed) public {
        uint256 began = block.timestamp;
        uint256 least = 0.2e18;
        uint256 most = 0.2e18;
        uint256 published;
        for (uint256 i; i < 8; ++i) {
            seed = uint256(keccak256(abi.encode(seed, i)));
            vm.warp(block.timestamp + seed % (2 * INTERVAL));
            uint256[] memory before = _target();
            uint256[] memory present = _present();
            uint256 r = scenarios.calculated()[0] * (0.85e18 + (seed >> 16) % 0.4e18) / WAD;
            vm.prank(PUBLISHER);
            try scenarios.publish(_all(r)) {
                ++published;
                uint256 target = _target()[0];
                check(target >= before[0] * 9 / 10 && target <= before[0] * 12 / 10, "step");
                check(target >= r && (target <= r * 5 / 4), "buffer");
                if (target < least) least = target;
                if (target > most) most = target;
            } catch {
                check(_same(before, _target()), "refused, and nothing is changed");
            }
            check(_same(present, _present()), "nothing jumps");
            for (uint256 k; k < 4; ++k) {
                uint256 width = scenarios.widths(block.timestamp + (seed >> (32 * k)) % RAMP)[k];
                check(width >= least && width <= most, "in effect");
                check(width >= 0.05e18 && width <= 0.9e18, "floor and ceiling");
            }
        }
        check(published <= (block.timestamp - began) / INTERVAL, "rate");
    }

    // Governance.

    function test_onlyTheOwnerGovernsAndGivesItAwayInTwoSteps() public {
        bytes memory refusal = abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, STRANGER);
        vm.expectRevert(refusal);
        vm.prank(STRANGER);
        scenarios.replace(2, 2, 3, steps);
        vm.expectRevert(refusal);
        vm.prank(STRANGER);
        scenarios.bound(new uint256[](0), new Scenarios.Bound[](0));
        vm.expectRevert(refusal);
        vm.prank(STRANGER);
        scenarios.limit(_limits());
        vm.expectRevert(refusal);
        vm.prank(STRANGER);
        scenarios.setPace(Scenarios.Pace(STRANGER, INTERVAL, RAMP));
        scenarios.transferOwnership(STRANGER);
        check(scenarios.owner() == address(this), "not before it is accepted");
        vm.prank(STRANGER);
        scenarios.acceptOwnership();
        check(scenarios.owner() == STRANGER, "accepted");
    }

    function test_boundsHoldWhatIsThereAlready() public {
        uint256[] memory numbers = new uint256[](1);
        Scenarios.Bound[] memory bounds = new Scenarios.Bound[](1);
        bounds[0] = Scenarios.Bound(0.2e18 + 1, 0.9e18, 0.5e18);
        vm.expectRevert(
            abi.encodeWithSelector(Scenarios.OutOfBounds.selector, 0, 0.2e18, 0.2e18 + 1, 0.9e18)
        );
        scenarios.bound(numbers, bounds);
        bounds[0] = Scenarios.Bound(0, 0.9e18, 0.5e18);
        vm.expectRevert(abi.encodeWithSelector(Scenarios.OutOfBounds.selector, 0, 0.2e18, 0, 0.9e18));
        scenarios.bound(numbers, bounds);
        numbers[0] = 40;
        vm.expectRevert(abi.encodeWithSelector(Scenarios.WrongShape.selector));
        scenarios.bound(numbers, bounds);
        // A start of one that has a value is none.
        numbers[0] = 0;
        bounds[0] = Scenarios.Bound(0.2e18, 0.2e18, 0.5e18);
        scenarios.bound(numbers, bounds);
        check(_same(_present(), _all(0.2e18)), "unchanged");
    }

    function test_publicationsCannotBeMadeFastOrLarge() public {
        bytes memory refusal = abi.encodeWithSelector(Scenarios.TooFast.selector);
        vm.expectRevert(refusal);
        scenarios.setPace(Scenarios.Pace(PUBLISHER, 10 minutes - 1, RAMP));
        vm.expectRevert(refusal);
        scenarios.setPace(Scenarios.Pace(PUBLISHER, INTERVAL, 10 minutes - 1));
        vm.expectRevert(refusal);
        scenarios.limit(Scenarios.Limits(1e18 + 1, 0, 0, 0));
        vm.expectRevert(refusal);
        scenarios.limit(Scenarios.Limits(0, 0.5e18 + 1, 0, 0));
    }

    // Gas and size.

    function test_aSetIsCheapAndOneScenarioIsCheaper() public {
        scenarios = new Scenarios(address(this), NOTICE, _limits(), Scenarios.Pace(PUBLISHER, INTERVAL, RAMP));
        _bound(3, 3);
        scenarios.replace(3, 3, 33, _steps(48, 24, 7));
        uint256 left = gasleft();
        scenarios.set(true);
        uint256 all = left - gasleft();
        left = gasleft();
        scenarios.one(false, 32);
        uint256 one = left - gasleft();
        // Storage and code are warm in this transaction: 8,900 less than they take first.
        check(all < 20_000 && one < 14_000, "gas");
        check(address(scenarios).code.length < 24_576, "size");
    }
}
