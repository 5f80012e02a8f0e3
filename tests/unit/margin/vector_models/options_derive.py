"""Derive's three risk managers, by the vectors' model names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from keeper.margin.options.derive import pmrm, pmrm2, srm
from keeper.margin.options.derive.holdings import Expiry, Option, forward_portions
from keeper.margin.options.derive.pmrm2_parameters import (
    Contingencies,
    MarginFactors,
    Pmrm2Parameters,
    SkewShock,
)
from keeper.margin.options.derive.shocks import Scenario, VolatilityRange, VolShock
from tests.unit.margin.vector_files import Vector

Figures = Mapping[str, Any]
Raw = Mapping[str, Any]


def _options(raw: Any) -> tuple[Option, ...]:
    return tuple(Option(strike, bool(call), amount, vol) for strike, call, amount, vol in raw)


def _srm(vector: Vector) -> Figures:
    portfolio, p = vector.inputs["portfolio"], vector.inputs["params"]
    markets = tuple(
        srm.SrmMarket(
            spot=m["spot"],
            spot_confidence=m["spotConf"],
            perp_position=m["perpPos"],
            perp_price=m["perpPrice"],
            perp_confidence=m["perpConf"],
            perp_pnl=m["perpPnl"],
            base=m["base"],
            expiries=tuple(
                Expiry(e["sec"], 0.0, e["F"], min(e["conf"], e["volconf"]), _options(e["opts"]))
                for e in m["exps"]
            ),
        )
        for m in portfolio["markets"]
    )
    parameters = srm.SrmParameters(
        perp_maintenance=p["mmPerp"],
        perp_initial=p["imPerp"],
        max_spot=p["maxS"],
        min_spot=p["minS"],
        call_maintenance=p["mmC"],
        put_maintenance=p["mmP"],
        put_mark_maintenance=p["mmPM"],
        unpaired_initial=p["uIM"],
        unpaired_maintenance=p["uMM"],
        maintenance_offset=p["off"],
        perp_threshold=p["pT"],
        option_threshold=p["oT"],
        base_threshold=p["bT"],
        oracle_factor=p["OC"],
        base_factor=p["bf"],
        base_initial_scale=p["bs"],
        depeg_threshold=p["dT"],
        depeg_factor=p["dF"],
    )
    got = srm.margins(srm.SrmPortfolio(portfolio["cash"], markets), portfolio["stable"], parameters)
    return {"im": got.initial, "mm": got.maintenance, "mtm": got.mark_to_market}


def _pmrm(vector: Vector) -> Figures:
    raw, p = vector.inputs["portfolio"], vector.inputs["params"]
    shocks = {"U": VolShock.UP, "N": VolShock.NONE, "D": VolShock.DOWN}
    parameters = pmrm.PmrmParameters(
        scenarios=tuple(Scenario(spot, shocks[shock]) for spot, shock in vector.inputs["scenarios"]),
        volatility_range=VolatilityRange(p["vu"], p["vd"], p["sp"], p["lp"], p["floor"]),
        basis_up=p["up"],
        basis_down=p["dn"],
        basis_add=p["badd"],
        basis_per_year=p["bmul"],
        peg_threshold=p["pegT"],
        peg_factor=p["pegF"],
        confidence_threshold=p["confT"],
        confidence_factor=p["confM"],
        base_percent=p["base"],
        perp_percent=p["perp"],
        option_percent=p["opt"],
        initial_factor=p["im"],
        static_discount=p["sd"],
        rate_multiple=p["rm"],
        rate_addition=p["ra"],
    )
    portfolio = pmrm.PmrmPortfolio(
        spot=raw["spot"],
        spot_confidence=raw["spotConf"],
        stable_price=raw["stable"],
        cash=raw["cash"],
        perp_position=raw["perpPos"],
        perp_price=raw["perpPrice"],
        perp_confidence=raw["perpConf"],
        perp_pnl=raw["perpVal"],
        base=raw["base"],
        expiries=tuple(
            Expiry(e["sec"], e["ff"], e["fv"], e["conf"], _options(e["opts"]), e["rate"]) for e in raw["exps"]
        ),
    )
    got = pmrm.margins(portfolio, parameters)
    return {
        "im": got.initial,
        "mm": got.maintenance,
        "mtm": got.mark_to_market,
        "forward_contingency": got.basis_contingency,
    }


def _pmrm2_parameters(raw: Raw) -> Pmrm2Parameters:
    skew, vol, margin = raw["SkewShock"], raw["VolShock"], raw["Margin"]
    basis, other = raw["BasisContingency"], raw["OtherContingency"]
    return Pmrm2Parameters(
        scenarios=tuple(
            Scenario(s["SpotShock"], VolShock(s["VolShockDirection"].lower()), s["DampeningFactor"])
            for s in raw["Scenarios"]
        ),
        volatility_range=VolatilityRange(
            vol["VOLRANGEUP"],
            vol["VOLRANGEDOWN"],
            vol["SHORTTERMPOWER"],
            vol["LONGTERMPOWER"],
            vol["DTE_FLOOR"],
            vol["MIN_VOL_EVAL_SHOCKED"],
        ),
        factors=MarginFactors(
            initial=margin["IM_LOSS_FACTOR"],
            maintenance=margin["MM_LOSS_FACTOR"],
            long_rate_multiple=margin["LONG_RATE_MULTSCALE"],
            short_rate_multiple=margin["SHORT_RATE_MULTSCALE"],
            long_rate_addition=margin["LONG_RATE_ADDSCALE"],
            short_rate_addition=margin["SHORT_RATE_ADDSCALE"],
            long_discount=margin["BASE_STATIC_DISCOUNT"],
            short_discount=margin["BASE_STATIC_DISCOUNT_NEG"],
        ),
        contingencies=Contingencies(
            basis_up=basis["SCENARIO_SPOT_UP"],
            basis_down=basis["SCENARIO_SPOT_DOWN"],
            basis_add=basis["BASIS_CONT_ADD_FACTOR"],
            basis_per_year=basis["BASIS_CONT_MULT_FACTOR"],
            peg_threshold=other["PEG_LOSS_THRESHOLD"],
            peg_factor=other["PEG_LOSS_FACTOR"],
            confidence_threshold=other["CONF_THRESHOLD"],
            confidence_factor=other["CONF_MARGIN"],
            perp_maintenance=other["MM_PERP_PERCENT"],
            perp_initial=other["IM_PERP_PERCENT"],
            option_maintenance=other["MM_OPTION_PERCENT"],
            option_initial=other["IM_OPTION_PERCENT"],
        ),
        skew=SkewShock(
            linear_cap=skew["LINEAR_SCALE_CAP"],
            linear_slope=skew["LINEAR_CBASE"],
            abs_cap=skew["ABS_SCALE_CAP"],
            abs_slope=skew["ABS_CBASE"],
            minimum_k=skew["MIN_K_STAR"],
            width=skew["MIN_WIDTH_SCALE"],
            vol=skew["VOL_PARAM_STATIC"],
            vol_slope=skew["VOL_PARAM_SCALE"],
        ),
    )


def _pmrm2_expiry(feed: Raw, options: Any) -> Expiry:
    seconds = feed["FeedExpiry"]
    fixed, variable = forward_portions(feed["Forward"], seconds)
    confidence = min(feed["ForwardConfidence"], feed["RateConfidence"], feed["OptionVolConfidences"])
    held = tuple(
        Option(o["Strike"], bool(o["IsCall"]), o["Amount"], o["MarkVol"])
        for o in options
        if o["Expiry"] == seconds
    )
    return Expiry(seconds, fixed, variable, confidence, held, feed["Rate"])


def _pmrm2(vector: Vector) -> Figures:
    raw = vector.inputs["Scenario"]
    listed = {option["Expiry"] for option in raw["Options"]}
    portfolio = pmrm2.Pmrm2Portfolio(
        spot=raw["SpotPrice"],
        spot_confidence=raw["SpotConfidence"],
        stable_price=raw["StablePrice"],
        cash=raw["Cash"],
        perp_position=raw["NumPerps"],
        perp_price=raw["PerpPrice"],
        perp_confidence=raw["PerpConfidence"],
        perp_pnl=raw["UnrealisedPerpPNL"] + raw["UnrealisedFunding"],
        collaterals=tuple(
            pmrm2.Collateral(
                amount=c["Amount"],
                price=c["Price"],
                confidence=c["Confidence"],
                maintenance_haircut=c["MMHaircut"],
                initial_haircut=c["IMHaircut"],
                risk_cancelling=bool(c["IsRiskCancelling"]),
            )
            for c in raw["Collaterals"]
        ),
        expiries=tuple(
            _pmrm2_expiry(feed, raw["Options"]) for feed in raw["OptionFeeds"] if feed["FeedExpiry"] in listed
        ),
    )
    got = pmrm2.margins(portfolio, _pmrm2_parameters(vector.inputs["Parameters"]))
    return {
        "IM": got.initial,
        "MM": got.maintenance,
        "PortfolioMTM": got.mark_to_market,
        "ForwardContingency": got.basis_contingency,
        "scenario_losses": [float(profit) for profit in got.scenario_profits],
    }


MODELS: dict[str, Callable[[Vector], Figures]] = {
    "Derive (Lyra v2) Standard Risk Manager": _srm,
    "Derive (Lyra v2) PMRM v1": _pmrm,
    "Derive (Lyra v2) PMRM_2 portfolio margin": _pmrm2,
}
