"""Are the groups of people treated alike? Fairlearn's definitions, with intervals of our own.

``favoured`` is the decision in a person's favour and ``deserved`` the label in it, both booleans
of shape ``(n,)``: for a score of *denial* they are the rows below the threshold and label 0.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from evaluation.metrics.arrays import Bools, Floats, NotComputable
from evaluation.metrics.auc import auc
from evaluation.metrics.intervals import Z95, Estimate, wilson

if TYPE_CHECKING:
    from evaluation.metrics.segments import Grouping


@dataclass(frozen=True, slots=True)
class ColumnFairness:
    """What one sensitive column shows; ratios and differences only over the groups big enough."""

    groups: list[dict[str, Any]]
    too_small: list[dict[str, Any]]
    selection_rate_ratio: dict[str, Any] | None
    equalized_odds_difference: dict[str, Any] | None
    not_computed: dict[str, str]


def by_column(
    grouping: Grouping,
    *,
    favoured: Bools,
    deserved: Bools | None,
    scores: Floats | None = None,
    min_rows: int = 30,
) -> ColumnFairness:
    """Selection rate, true and false positive rate and AUC per group, and how far they are apart.

    Args:
        deserved: None when there are no labels; then only selection rates are computed.
        scores: rise with the favourable outcome; for the AUC per group.
        min_rows: a group with fewer rows is listed as too small rather than judged.
    """
    sizes = grouping.sizes()
    judged = [int(index) for index in np.flatnonzero(sizes >= min_rows)]
    too_small = [
        {"column": grouping.column, "value": grouping.names[index], "rows": int(sizes[index])}
        for index in np.flatnonzero((sizes > 0) & (sizes < min_rows))
    ]
    groups = [
        _group(grouping, index, favoured=favoured, deserved=deserved, scores=scores)
        for index in judged
    ]
    why: dict[str, str] = {}
    ratio: dict[str, Any] | None = None
    odds: dict[str, Any] | None = None
    if len(groups) < 2:
        why["selection_rate_ratio"] = f"fewer than two groups have {min_rows} rows"
        why["equalized_odds_difference"] = why["selection_rate_ratio"]
        return ColumnFairness(groups, too_small, None, None, why)
    keep = np.isin(grouping.codes, judged)
    try:
        ratio = _ratio_of_worst(groups)
    except NotComputable as reason:
        why["selection_rate_ratio"] = str(reason)
    if deserved is None:
        why["equalized_odds_difference"] = "there are no labels"
    else:
        try:
            odds = _odds_difference(groups, grouping.codes[keep], favoured[keep], deserved[keep])
        except NotComputable as reason:
            why["equalized_odds_difference"] = str(reason)
    return ColumnFairness(groups, too_small, ratio, odds, why)


def _group(
    grouping: Grouping,
    index: int,
    *,
    favoured: Bools,
    deserved: Bools | None,
    scores: Floats | None,
) -> dict[str, Any]:
    mine = grouping.codes == index
    rows = int(mine.sum())
    group: dict[str, Any] = {
        "column": grouping.column,
        "value": grouping.names[index],
        "rows": rows,
        "selected": int(favoured[mine].sum()),
        "selection_rate": wilson(int(favoured[mine].sum()), rows).as_json(),
        "tpr": None,
        "fpr": None,
        "auc": None,
    }
    if deserved is None:
        return group
    for name, among in (("tpr", mine & deserved), ("fpr", mine & ~deserved)):
        count = int(among.sum())
        if count:
            group[name] = wilson(int(favoured[among].sum()), count).as_json()
    if scores is not None:
        try:
            group["auc"] = auc(deserved[mine], scores[mine]).as_json()
        except NotComputable:
            group["auc"] = None
    return group


def rate_ratio(selected: int, rows: int, other_selected: int, other_rows: int) -> Estimate:
    """Ratio of two selection rates with the log-normal delta-method interval.

    A group of which nobody (or everybody) is selected has no variance on the log scale; half a
    row is then added to each cell for the interval only.

    Source: Katz et al. (1978), Biometrics 34:469.
    Raises: NotComputable when the second rate is 0.
    """
    if rows <= 0 or other_rows <= 0:
        raise NotComputable("a group is empty")
    if other_selected == 0:
        raise NotComputable("nobody is selected in any group")
    value = (selected / rows) / (other_selected / other_rows)
    a, n, b, m = float(selected), float(rows), float(other_selected), float(other_rows)
    if selected in (0, rows) or other_selected == other_rows:
        a, n, b, m = a + 0.5, n + 1.0, b + 0.5, m + 1.0
    centre = np.log((a / n) / (b / m))
    half = Z95 * np.sqrt((1 - a / n) / a + (1 - b / m) / b)
    lower, upper = float(np.exp(centre - half)), float(np.exp(centre + half))
    return Estimate(value, min(lower, value), max(upper, value))


def _ratio_of_worst(groups: list[dict[str, Any]]) -> dict[str, Any]:
    """Lowest selection rate over highest, as ``demographic_parity_ratio``.

    The interval treats the two groups as chosen beforehand; with many groups of like rates the
    worst pair is partly luck, so the ratio itself is biased low.
    """
    ordered = sorted(groups, key=lambda group: group["selection_rate"]["value"])
    worst, best = ordered[0], ordered[-1]
    ratio = rate_ratio(worst["selected"], worst["rows"], best["selected"], best["rows"])
    return {**ratio.as_json(), "worst_group": worst["value"], "best_group": best["value"]}


def _odds_difference(
    groups: list[dict[str, Any]], codes: NDArray[np.int64], favoured: Bools, deserved: Bools
) -> dict[str, Any]:
    """The larger of the spreads of true and of false positive rates over the groups."""
    from fairlearn.metrics import equalized_odds_difference

    missing = [
        f"{group['value']} has no row labelled {'favourable' if name == 'tpr' else 'unfavourable'}"
        for group in groups
        for name in ("tpr", "fpr")
        if group[name] is None
    ]
    if missing:
        raise NotComputable("; ".join(missing[:3]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        value = float(
            equalized_odds_difference(
                deserved.astype(int), favoured.astype(int), sensitive_features=codes
            )
        )
    spreads = {}
    for name in ("tpr", "fpr"):
        ordered = sorted(groups, key=lambda group: group[name]["value"])
        low, high = ordered[0][name], ordered[-1][name]
        gap = high["value"] - low["value"]
        # Newcombe's (1998) hybrid interval of a difference of two shares, from their Wilson ends.
        below = np.hypot(high["value"] - high["lower95"], low["upper95"] - low["value"])
        above = np.hypot(high["upper95"] - high["value"], low["value"] - low["lower95"])
        spreads[name] = (gap, max(0.0, gap - float(below)), min(1.0, gap + float(above)), ordered)
    name = max(spreads, key=lambda key: spreads[key][0])
    _, lower, upper, ordered = spreads[name]
    return {
        "value": value,
        "lower95": lower,
        "upper95": upper,
        "of": name,
        "worst_group": ordered[0]["value"],
        "best_group": ordered[-1]["value"],
    }
