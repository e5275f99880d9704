"""What Envoy says on its admin port: versions it serves, refusals, counters per cluster."""

from __future__ import annotations

import http.client
import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

_COUNTER = re.compile(r"^cluster\.(ep-[0-9a-f-]+)\.upstream_rq_(2xx|completed)$")
_HISTOGRAM = re.compile(r"^cluster\.(ep-[0-9a-f-]+)\.upstream_rq_time$")


#: What reading something else than statistics ends in.
_NOT_STATISTICS = (ValueError, KeyError, TypeError, AttributeError)


class AdminUnreachable(Exception):
    """Envoy's admin port did not answer."""


@dataclass(slots=True)
class Reading:
    """One reading of the statistics.

    ``clusters`` maps a cluster's name to
    ``{"answers", "bad", "buckets": [[edge_ms, cumulative]]}``; every
    answer that is not 2xx is bad: what callers do wrong hits both versions alike. Measured with
    1.40: the histogram is merged once in ``stats_flush_interval`` (1 s), so it lags and then holds
    every answer that the endpoint gave; answers that Envoy gave in its place (503, 504) are in the
    counters and never in the histogram.
    """

    cds_version: str = ""
    rds_version: str = ""
    cds_rejected: int = 0
    rds_rejected: int = 0
    clusters: dict[str, dict[str, Any]] = field(default_factory=dict)


def read(port: int, *, timeout_s: float = 2.0) -> Reading:
    """Ask Envoy once.

    Raises: AdminUnreachable.
    """
    pattern = (
        r"^(cluster_manager\.cds\.(version_text|update_rejected)"
        r"|http\.gateway\.rds\.countersign\.(version_text|update_rejected)"
        r"|cluster\.ep-.*upstream_rq_(2xx|completed|time))$"
    )
    path = "/stats?format=json&histogram_buckets=cumulative&filter=" + quote(pattern, safe="")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return parse(json.loads(response.read()))
    except (OSError, http.client.HTTPException, *_NOT_STATISTICS) as error:
        raise AdminUnreachable(str(error)) from error
    finally:
        connection.close()


def parse(body: dict[str, Any]) -> Reading:
    """A reading out of ``/stats?format=json``."""
    reading = Reading()
    for item in body.get("stats", []):
        if "histograms" in item:
            _histograms(item["histograms"], reading)
            continue
        name, value = item.get("name", ""), item.get("value")
        if name == "cluster_manager.cds.version_text":
            reading.cds_version = str(value)
        elif name == "http.gateway.rds.countersign.version_text":
            reading.rds_version = str(value)
        elif name == "cluster_manager.cds.update_rejected":
            reading.cds_rejected = int(value)
        elif name == "http.gateway.rds.countersign.update_rejected":
            reading.rds_rejected = int(value)
        elif found := _COUNTER.match(name):
            entry = _entry(reading, found[1])
            entry["answers" if found[2] == "completed" else "good"] = int(value)
    for entry in reading.clusters.values():
        entry["bad"] = max(0, entry["answers"] - entry.pop("good"))
    return reading


def _entry(reading: Reading, cluster: str) -> dict[str, Any]:
    return reading.clusters.setdefault(cluster, {"answers": 0, "good": 0, "buckets": []})


def _histograms(raw: Any, reading: Reading) -> None:
    entries = raw if isinstance(raw, list) else raw.get("computed_quantiles", [])
    for item in entries:
        if found := _HISTOGRAM.match(item.get("name", "")):
            _entry(reading, found[1])["buckets"] = [
                [float(bucket["upper_bound"]), int(bucket["cumulative"])]
                for bucket in item.get("buckets", item.get("totals", []))
            ]
