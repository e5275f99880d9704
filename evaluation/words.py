"""Evidence in words: the one sentence of fact, what is not known, the names of metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.utils.html import format_html

from common.ui.figures import interval, num, pct, plural, signed

if TYPE_CHECKING:
    from django.utils.safestring import SafeString

    from evaluation.models import Evidence

#: Metric, its name, and which direction is better: 1 up, -1 down.
METRICS: dict[str, tuple[str, int]] = {
    "auc": ("AUC", 1),
    "log_loss": ("Log loss", -1),
    "brier": ("Brier score", -1),
    "calibration_error": ("Calibration error", -1),
    "accuracy": ("Accuracy", 1),
    "precision": ("Precision", 1),
    "recall": ("Recall", 1),
    "f1": ("F1", 1),
    "rmse": ("RMSE", -1),
    "mae": ("MAE", -1),
    "r2": ("R²", 1),
}


def metric_name(name: str) -> str:
    return METRICS.get(name, (name.replace("_", " ").capitalize(), 0))[0]


def better(name: str) -> str:
    """“higher is better”, “lower is better”, or nothing when it is not known."""
    return {1: "higher is better", -1: "lower is better", 0: ""}[METRICS.get(name, ("", 0))[1]]


def verdict(name: str, delta: dict[str, Any]) -> str:
    """What a difference with its interval allows to say: better, worse, or no telling."""
    direction = METRICS.get(name, ("", 0))[1]
    if delta["lower95"] > 0 or delta["upper95"] < 0:
        up = delta["lower95"] > 0
        if direction:
            return "better" if up == (direction > 0) else "worse"
        return "higher" if up else "lower"
    return "no difference" if delta["delta"] == 0 else "cannot tell"


def fact(evidence: Evidence) -> SafeString:
    """The one sentence of fact at the top of the page, from the result or from the state."""
    if evidence.state != evidence.State.COMPLETE:
        return _unfinished(evidence)
    if evidence.origin == evidence.Origin.REPORTED:
        return _reported(evidence)
    makers = {
        "evaluation": _evaluation,
        "differential": _differential,
        "fairness": _fairness,
        "explanation": _explanation,
    }
    return makers[evidence.kind](evidence)


def _unfinished(evidence: Evidence) -> SafeString:
    if evidence.state == evidence.State.FAILED:
        return format_html("It could not be computed. {}", evidence.error)
    if evidence.state == evidence.State.CANCELLED:
        return format_html("{}", "It was cancelled before there was a result.")
    message = evidence.job.message if evidence.job and evidence.job.message else "It waits its turn"
    return format_html("{}.", message.rstrip("."))


def _reported(evidence: Evidence) -> SafeString:
    metrics = evidence.result["metrics"]
    name = next((known for known in METRICS if known in metrics), next(iter(metrics)))
    return format_html(
        "{} <strong>{}</strong> was reported by {}, not measured here.",
        metric_name(name),
        interval(
            metrics[name]["value"], metrics[name].get("lower95"), metrics[name].get("upper95")
        ),
        evidence.created_by_label or "somebody outside",
    )


def _where(evidence: Evidence) -> SafeString:
    rows = plural(evidence.result["rows"], "row")
    if evidence.dataset is None:
        return format_html("{} of the uploaded file", rows)
    return format_html("{} of {}", rows, evidence.dataset.name)


def _strong(triple: dict[str, Any]) -> SafeString:
    return format_html(
        "<strong>{}</strong>",
        interval(triple["value"], triple.get("lower95"), triple.get("upper95")),
    )


def _evaluation(evidence: Evidence) -> SafeString:
    result = evidence.result
    metrics = result["metrics"]
    number = evidence.version.number
    if "auc" in metrics:
        sentence = format_html(
            "Version {} has an AUC of {} on {}", number, _strong(metrics["auc"]), _where(evidence)
        )
        if "calibration_error" in metrics:
            return format_html(
                "{}; its probabilities are off by {} on average.",
                sentence,
                pct(metrics["calibration_error"]["value"]),
            )
        return format_html("{}.", sentence)
    first = next(iter(metrics), None)
    if first is None:
        return format_html("Nothing could be computed from {}.", _where(evidence))
    return format_html(
        "Version {} has {} {} on {}.",
        number,
        _article(metric_name(first)),
        _strong(metrics[first]),
        _where(evidence),
    )


def _article(name: str) -> str:
    return f"an {name}" if name[:1] in "AEFMR" else f"a {name.lower()}"


def _differential(evidence: Evidence) -> SafeString:
    result = evidence.result
    against = evidence.baseline.number if evidence.baseline else "?"
    number = evidence.version.number
    if result["flips"] is None:
        sentence = format_html(
            "Version {} differs from version {} by more than {} in <strong>{} of {}</strong> rows",
            number,
            against,
            num(result["tolerance"]["abs"]),
            num(result["outside_tolerance"]),
            num(result["rows"]),
        )
    else:
        flips = result["flips"]
        sentence = format_html(
            "Version {} changes <strong>{} of {}</strong> decisions against version {}",
            number,
            num(flips["total"]),
            num(result["rows"]),
            against,
        )
        if flips["total"]:
            sentence = format_html(
                "{}, {} of them to negative", sentence, num(flips["to_negative"])
            )
    name = next((known for known in ("auc", "rmse") if known in result["metrics_delta"]), None)
    if name is None:
        return format_html("{}.", sentence)
    delta = result["metrics_delta"][name]
    return format_html(
        "{}. {} <strong>{}</strong> [{}, {}].",
        sentence,
        metric_name(name),
        signed(delta["delta"], 3),
        signed(delta["lower95"], 3),
        signed(delta["upper95"], 3),
    )


def _fairness(evidence: Evidence) -> SafeString:
    result = evidence.result
    limit = result["limit"]
    ratios = result["selection_rate_ratio"]
    if not ratios:
        return format_html("{}", "No two groups are big enough to be compared.")
    column = min(ratios, key=lambda name: ratios[name]["value"])
    return format_html(
        "The selection-rate ratio by {} is {}, {} the limit of {}: {} = {} against {}.",
        column,
        _strong(ratios[column]),
        against_limit(ratios[column], limit),
        num(limit, 2),
        column,
        ratios[column]["worst_group"],
        ratios[column]["best_group"],
    )


def against_limit(ratio: dict[str, Any], limit: float) -> str:
    """Where a ratio lies, and whether its interval lies there too."""
    if ratio["value"] < limit:
        return "under"
    return "over" if ratio["lower95"] >= limit else "over, though not surely,"


def _explanation(evidence: Evidence) -> SafeString:
    result = evidence.result
    first = result["global"][0]
    sentence = format_html(
        "<strong>{}</strong> moves the score most, by {} on average over {}",
        first["feature"],
        num(first["mean_abs"]),
        plural(result["global_rows"], "row"),
    )
    others = [item["feature"] for item in result["global"][1:3]]
    if others:
        sentence = format_html("{}; then {}", sentence, " and ".join(others))
    return format_html("{}.", sentence)


def would_help(evidence: Evidence) -> str:
    """What would turn a failure into a result, by its code."""
    code = evidence.error_code
    if code in ("label_not_binary", "label_not_a_number", "no_labels"):
        return "Ask again and say which column is the label and which of its values is positive."
    if code in ("rows_differ", "digest_mismatch", "missing"):
        return "Upload the predictions again and ask once more."
    if code == "budget_too_small":
        return "Ask again with fewer rows, a smaller background or a larger budget."
    if code in ("timeout", "unreachable", "throttled") or code.startswith("http_5"):
        return "Bring the endpoint back, then run it again."
    if code in ("wrong_count", "not_a_number", "bad_json", "wrong_shape", "bad_rows"):
        return "Mend what the endpoint answers, or register another, then run it again."
    if code in ("refused_address", "redirected", "unauthorized", "no_such_path"):
        return "Register an endpoint that answers by itself at its own address, then run it again."
    return "Run it again; when it fails again, its job says more."


def not_computed(result: dict[str, Any]) -> list[str]:
    """What the rows did not allow, a sentence each."""
    lines = [
        f"{metric_name(name) if name in METRICS else _gate_name(name)}: {reason}."
        for name, reason in (result.get("not_computed") or {}).items()
    ]
    missing = (result.get("excluded") or {}).get("label_missing", 0)
    if missing:
        verb = "has no label and is" if missing == 1 else "have no label and are"
        lines.append(f"{plural(missing, 'row')} {verb} left out of all that needs one.")
    for group in result.get("too_small", []):
        lines.append(
            f"{group['column']} “{group['value']}” has {plural(group['rows'], 'row')}: "
            f"too few to judge."
        )
    sample = result.get("sample") or {}
    if sample and sample["rows"] < sample["of"]:
        lines.append(
            f"A seeded sample of {num(sample['rows'])} of {num(sample['of'])} rows was used."
        )
    return lines


def _gate_name(name: str) -> str:
    return name.replace("_", " ").replace("(", " by ").rstrip(")").capitalize()
