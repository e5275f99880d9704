"""``make demo`` and ``make demo-once``: the house comes up, the story plays, figures show."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from demo import state
from demo.client import Api
from demo.house import House
from demo.processes import DidNotStart
from demo.report import Report
from demo.story import play
from embedded import EmbeddedError


def main() -> int:
    """0 when every step was true."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--once", action="store_true", help="play, print, stop everything")
    once = parser.parse_args().once
    wanted = Path(os.environ.get("VAR_DIR") or "var").absolute()
    # Said aloud, since a shell starts background processes with Ctrl-C ignored.
    signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGTERM, _interrupt)
    report = Report()
    try:
        with state.held(wanted):
            return _run(wanted, report, once=once)
    except state.InUse as error:
        report.say(f"  ✗ {error}")
        return 1


def _run(wanted: Path, report: Report, *, once: bool) -> int:
    var_dir, is_new = state.choose(wanted, once=once)
    house = House.at(var_dir, int(os.environ.get("PORT") or "8000"))
    try:
        if is_new:
            state.Played.write(var_dir, once=once, finished=False)
        report.say(f"Countersign: the house comes up in {house.var_dir}")
        try:
            house.up()
        except (DidNotStart, EmbeddedError) as error:
            report.say(f"  ✗ {error}")
            return 1
        house.write_demo_json()
        _welcome(house, report)
        if not is_new:
            return _return(house, report)
        played = play(house, report)
        state.Played.write(var_dir, once=once, finished=played)
        report.say(f"\n{report.summary()}")
        if once:
            return 0 if played else 1
        return _stay(house, report)
    except KeyboardInterrupt:
        report.say("\nStopping.")
        return 0 if not once else 1
    finally:
        house.down()


def _welcome(house: House, report: Report) -> None:
    report.say(f"  Pages:   {house.base_url}")
    report.say(f"  Gateway: {house.gateway_url}")
    report.say("  People (fresh passwords each run):")
    for person in house.people.values():
        roles = ", ".join(person["roles"])
        report.say(f"    {person['email']:<22} {person['password']:<18} {roles}")
    report.say("")


def _return(house: House, report: Report) -> int:
    """The story was played here before: everything comes up as it was left."""
    operator = Api(house.base_url, house.tokens["operator"])
    for gateway in operator.get("gateways")["results"]:
        house.start_agent(gateway["uid"])
    report.say("The story was played here before; a new VAR_DIR plays it again.")
    return _stay(house, report)


def _stay(house: House, report: Report) -> int:
    report.say(f"Everything goes on at {house.base_url}. Ctrl-C stops all of it.")
    told: set[str] = set()
    while True:
        time.sleep(1)
        for name in set(house.supervisor.dead()) - told:
            told.add(name)
            report.say(f"  ! {name} ended; see {house.var_dir}/log/{name}.log")


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
