// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

/// @title Black76
/// @notice Prices of European options on a forward, not discounted: cash earns no interest inside a price.
/// @dev Black (1976), with m = min(F, K), M = max(F, K), s = σ√T, h = ln(M/m)/s and t = s/2:
///
///     out of the money    o = m·N(t − h) − M·N(−t − h) = m·e^(−a²/2)·(R(−a) − R(h + t)),    a = t − h
///     in the money        o + M − m
///
/// where R(z) = e^(z²/2)·N(−z). Call and put share one o, so that call − put = F − K to the unit, neither is below its
/// intrinsic value, and call ≤ F, put ≤ K. |price − true| ≤ 2⁻⁶⁵·m + 1 wei: docs/CLEARINGHOUSE.md has the proof.
/// keeper/margin/options/black76_fixed.py is the same, line by line.
///
/// Amounts are in WAD. Inside, numbers have 96 binary places, and every quotient and shift rounds towards zero or down;
/// `unchecked` throughout, each function saying why nothing in it can overflow.
library Black76 {
    error OutOfDomain();

    uint256 private constant WAD = 1e18;
    uint256 private constant YEAR = 365 days;
    uint256 private constant ONE = 2 ** 96;
    uint256 private constant TWO = 2 ** 97;
    /// @dev √2 with 126 binary places, ln 2 with 96; both to the nearest or below.
    uint256 private constant ROOT_2 = 120307984584002255772516886238812528463;
    uint256 private constant LN_2 = 54916777467707473351141471128;
    /// @dev 13.5, with 96 binary places: N(−13.5)·2¹²⁸ is far below one wei.
    uint256 private constant FAR = 27 * 2 ** 95;
    /// @dev At s ≥ 64, h ≤ ln(2¹²⁸)/64 < 1.4 and a > 30.
    uint256 private constant MOST_DEVIATION = 64e18;

    /// @notice Call and put. `deviation_` is σ√T and may be anything; 0 gives the intrinsic values.
    /// Reverts with OutOfDomain where `forward` or `strike` is 2^128 or more.
    function prices(uint256 forward, uint256 strike, uint256 deviation_)
        internal
        pure
        returns (uint256 call, uint256 put)
    {
        if ((forward | strike) >> 128 != 0) revert OutOfDomain();
        // At most max(F, K), because what is out of the money is at most min(F, K).
        unchecked {
            if (forward < strike) {
                call = _outOfTheMoney(forward, strike, deviation_);
                put = call + (strike - forward);
            } else {
                put = _outOfTheMoney(strike, forward, deviation_);
                call = put + (forward - strike);
            }
        }
    }

    /// @notice ⌊σ·√(t / 365 days)⌋, exactly: ⌊√⌊σ²t/year⌋⌋ is the same number.
    /// Reverts with OutOfDomain where `volatility` is 2^96 or more, or `secondsLeft` 2^64 or more.
    function deviation(uint256 volatility, uint256 secondsLeft) internal pure returns (uint256) {
        if (volatility >> 96 != 0 || secondsLeft >> 64 != 0) revert OutOfDomain();
        // (2⁹⁶)²·2⁶⁴ = 2²⁵⁶, and both are below.
        unchecked {
            return _root(volatility * volatility * secondsLeft / YEAR);
        }
    }

    /// @dev o = m·e^(−a²/2)·(R(−a) − R(h + t)), and R(−a) = e^(a²/2) − R(a) where a > 0. Never above m.
    /// smaller ≤ larger < 2¹²⁸. ln(M/m) < 2¹⁰³ with its places, h < 2¹⁶³; s·2⁹⁵ < 2¹⁶¹. Where |a| ≤ 13.5,
    /// (h + t)² = a² + 2·ln(M/m) < 19²: what `_tail` asks. `_tail` and `_bell` are at most 2⁹⁶, the share too.
    function _outOfTheMoney(uint256 smaller, uint256 larger, uint256 s) private pure returns (uint256) {
        if (smaller == 0 || s == 0) return 0;
        if (s > MOST_DEVIATION) return smaller;
        unchecked {
            uint256 h = _logRatio(larger, smaller) * WAD / s;
            uint256 t = s * (ONE / 2) / WAD;
            uint256 share;
            if (t > h) {
                uint256 a = t - h;
                if (a > FAR) return smaller;
                uint256 rest = _bell(a) * (_tail(a) + _tail(h + t)) >> 96;
                if (rest < ONE) share = ONE - rest;
            } else {
                uint256 a = h - t;
                if (a > FAR) return 0;
                (uint256 near, uint256 far) = (_tail(a), _tail(h + t));
                if (near > far) share = _bell(a) * (near - far) >> 96;
            }
            return smaller * share >> 96;
        }
    }

    /// @dev ln(M/m) = k·ln 2 + 2·artanh u, u = (M − 2^k·m)/(M + 2^k·m), with k such that 2^k·m is within √2 of M:
    /// |u| ≤ 3 − √8 < 0.1716, and 2·artanh u = u·(2 + 2u²/3 + 2u⁴/5 + … + 2u²⁴/25) but for 2·10⁻²².
    /// 0 < smaller ≤ larger < 2¹²⁸: M·√2·2¹²⁶ < 2²⁵⁵, 2^k·m < 2¹²⁹, and the sum is at least 0 because k = 0 makes u ≥ 0.
    function _logRatio(uint256 larger, uint256 smaller) private pure returns (uint256) {
        unchecked {
            uint256 ratio = larger * ROOT_2 / smaller >> 126;
            uint256 k = ratio < 2 ? 0 : _log2(ratio);
            smaller <<= k;
            int256 u = (int256(larger) - int256(smaller)) * int256(ONE) / int256(larger + smaller);
            uint256 w = uint256(u * u) >> 96;
            uint256 sum = TWO / 25;
            sum = (sum * w >> 96) + TWO / 23;
            sum = (sum * w >> 96) + TWO / 21;
            sum = (sum * w >> 96) + TWO / 19;
            sum = (sum * w >> 96) + TWO / 17;
            sum = (sum * w >> 96) + TWO / 15;
            sum = (sum * w >> 96) + TWO / 13;
            sum = (sum * w >> 96) + TWO / 11;
            sum = (sum * w >> 96) + TWO / 9;
            sum = (sum * w >> 96) + TWO / 7;
            sum = (sum * w >> 96) + TWO / 5;
            sum = (sum * w >> 96) + TWO / 3;
            sum = (sum * w >> 96) + TWO;
            return uint256(int256(k * LN_2) + (u * int256(sum) >> 96));
        }
    }

    /// @dev R(z) = e^(z²/2)·N(−z) for 0 ≤ z ≤ 19, within 10⁻²⁰: the best quotient of polynomials of degrees 10 and
    /// 11, fitted by us with Remez' algorithm. Every coefficient is above 0, so nothing cancels. At z = 19 the
    /// denominator is below 2¹⁴⁶ and z below 2¹⁰¹, the numerator below 2¹⁴².
    function _tail(uint256 z) private pure returns (uint256) {
        unchecked {
            uint256 p = 31607463825855318310955694681;
            p = (p * z >> 96) + 1051495593214151639585077888272;
            p = (p * z >> 96) + 16995770520404246326827421613582;
            p = (p * z >> 96) + 174217134698986767372080845731288;
            p = (p * z >> 96) + 1247758193202639869122582249554281;
            p = (p * z >> 96) + 6507453305346931276322141739763645;
            p = (p * z >> 96) + 25020270170583623125535628757045542;
            p = (p * z >> 96) + 70181657881505849993925473847244087;
            p = (p * z >> 96) + 138203347420009852986000972516453958;
            p = (p * z >> 96) + 174396399523126909348970171246480335;
            p = (p * z >> 96) + 109529239100226854094471703885898150;
            uint256 q = z + 2635708584755266073921572225731;
            q = (q * z >> 96) + 42681307086848020349260162408994;
            q = (q * z >> 96) + 439333304859636175324498621311114;
            q = (q * z >> 96) + 3170109573045932244325987413300213;
            q = (q * z >> 96) + 16743193032050382835178730970133684;
            q = (q * z >> 96) + 65759763045138690719538090482505811;
            q = (q * z >> 96) + 191384175290749736993591865128231413;
            q = (q * z >> 96) + 403304245213503005451521083248251497;
            q = (q * z >> 96) + 584630803545176729508827510333706633;
            q = (q * z >> 96) + 523576176715366881510947174668698078;
            q = (q * z >> 96) + 219058478200453708185395066978836690;
            return (p << 96) / q;
        }
    }

    /// @dev e^(−a²/2) = 2^(−k)·e^(−r) for 0 ≤ a ≤ 13.5, |r| ≤ ½ ln 2, by Padé's quotient [7/7] of the exponential:
    /// e^(−r) = (E − r·O)/(E + r·O), relatively within 10⁻²². a² < 2²⁰⁰, E and O < 2¹²¹, r < 2⁹⁵.
    function _bell(uint256 a) private pure returns (uint256) {
        unchecked {
            uint256 v = a * a >> 97;
            uint256 k = (v + LN_2 / 2) / LN_2;
            int256 r = int256(v) - int256(k * LN_2);
            uint256 w = uint256(r * r) >> 96;
            uint256 even = 56 * w + 25200 * ONE;
            even = (even * w >> 96) + 1995840 * ONE;
            even = (even * w >> 96) + 17297280 * ONE;
            uint256 odd = w + 1512 * ONE;
            odd = (odd * w >> 96) + 277200 * ONE;
            odd = (odd * w >> 96) + 8648640 * ONE;
            int256 rOdd = r * int256(odd) >> 96;
            return (uint256(int256(even) - rOdd) << 96) / uint256(int256(even) + rOdd) >> k;
        }
    }

    /// @dev ⌊log₂ x⌋ for 0 < x < 2¹³⁶: halves of what is left, eight times.
    function _log2(uint256 x) private pure returns (uint256 k) {
        // Only arithmetic on the stack: a comparison is 0 or 1, and no shift is above 255.
        assembly ("memory-safe") {
            k := shl(7, gt(x, 0xffffffffffffffffffffffffffffffff))
            k := or(k, shl(6, gt(shr(k, x), 0xffffffffffffffff)))
            k := or(k, shl(5, gt(shr(k, x), 0xffffffff)))
            k := or(k, shl(4, gt(shr(k, x), 0xffff)))
            k := or(k, shl(3, gt(shr(k, x), 0xff)))
            k := or(k, shl(2, gt(shr(k, x), 0xf)))
            k := or(k, shl(1, gt(shr(k, x), 0x3)))
            k := or(k, gt(shr(k, x), 0x1))
        }
    }

    /// @dev ⌊√x⌋ by Newton's steps from a power of two that is above √x and at most twice it. A step from (1 + e)·√x
    /// leaves e²/(2 + 2e): seven leave less than 10⁻⁶⁰ of 2¹²⁸, so ⌊√x⌋ or one more. Sums are below 2¹³⁰.
    function _root(uint256 x) private pure returns (uint256) {
        if (x == 0) return 0;
        unchecked {
            // ⌊log₂ x⌋ of 256 bits, whose upper half is looked at where there is one.
            uint256 k = x >> 128 == 0 ? _log2(x) : 128 + _log2(x >> 128);
            uint256 root = 1 << (k / 2 + 1);
            root = (root + x / root) >> 1;
            root = (root + x / root) >> 1;
            root = (root + x / root) >> 1;
            root = (root + x / root) >> 1;
            root = (root + x / root) >> 1;
            root = (root + x / root) >> 1;
            root = (root + x / root) >> 1;
            return root > x / root ? root - 1 : root;
        }
    }
}
