"""The demo's real data, split by time as its README asks: nobody is scored on months they saw."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pandas as pd

HERE: Final = Path(__file__).resolve().parent / "data"
WEATHER: Final = ["temp", "humid", "wind_speed", "precip", "pressure", "visib"]
SCHEDULE: Final = ["carrier", "origin", "sched_hour", "weekday", "distance"]
ALL_FEATURES: Final = SCHEDULE + WEATHER
LATE_MINUTES: Final = 15

HMDA_FEATURES: Final = [
    "payment_to_income",
    "housing_to_income",
    "loan_to_value",
    "consumer_credit_score",
    "mortgage_credit_score",
    "public_bad_record",
    "industry_unemployment",
    "self_employed",
    "denied_mortgage_insurance",
    "condominium",
    "single",
    "high_school_diploma",
]


def flights() -> pd.DataFrame:
    """Every flight that left New York City in 2013 and arrived, with ``late`` (0 or 1)."""
    frame = pd.read_parquet(HERE / "nyc_flights_2013.parquet")
    frame["late"] = (frame["arr_delay"] > LATE_MINUTES).astype("int8")
    return frame.sort_values(["scheduled_at", "flight_id"], kind="stable").reset_index(drop=True)


def between(frame: pd.DataFrame, start: str, end: str) -> pd.DataFrame:
    """Flights scheduled from ``start`` up to, not including, ``end`` (ISO dates, UTC)."""
    when = frame["scheduled_at"]
    return frame[(when >= start) & (when < end)]


def holdout(frame: pd.DataFrame) -> pd.DataFrame:
    """22–31 March: after every training set, before every replayed month."""
    return between(frame, "2013-03-22", "2013-04-01")


def hmda() -> pd.DataFrame:
    """Mortgage applications; ``approved`` is 1 where the bank did not deny."""
    frame = pd.read_parquet(HERE / "boston_hmda_1990.parquet")
    frame["approved"] = (~frame["deny"]).astype("int8")
    frame["race"] = frame["african_american"].map({True: "African-American", False: "other"})
    return frame


def hmda_split(frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Every other application trains, the rest judges; the file has no dates to split by."""
    return frame.iloc[0::2], frame.iloc[1::2]
