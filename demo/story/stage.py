"""What the chapters share: clients, names, and the acts that come up more than once."""

from __future__ import annotations

import hashlib
import io
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd

from demo import data, models
from demo.client import Api, Browser, wait_for
from demo.house import GATEWAY_NAME
from demo.report import NotTrue, insist

if TYPE_CHECKING:
    from demo.house import House

MODEL = "flight-delay"
CREDIT = "mortgage-approval"
HOLDOUT = "flights-2013-03-22-to-31"
JUDGED = "hmda-boston-1990-judged"
ROUTE = "flight-delay"
SETTLED = {"passes", "fails", "could_not_compute", "not_applicable"}


class Stage:
    """One run of the story over a house that is up."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.ci = Api(house.base_url, house.tokens["ci"])
        self.operator = Api(house.base_url, house.tokens["operator"])
        self.risk_officer = Api(house.base_url, house.tokens["risk_officer"])
        self.ingest = Api(house.base_url, house.tokens["ingest"])
        self.auditor = Api(house.base_url, house.tokens["auditor"])
        self.requests: dict[str, dict[str, Any]] = {}
        self.monitor: dict[str, Any] = {}
        self.rollback_finding = ""
        self._browsers: dict[str, Browser] = {}

    def close(self) -> None:
        """Close every connection that the story opened."""
        clients = (self.ci, self.operator, self.risk_officer, self.ingest, self.auditor)
        for client in (*clients, *self._browsers.values()):
            client.http.close()

    @cached_property
    def flights(self) -> pd.DataFrame:
        return data.flights()

    @property
    def route_url(self) -> str:
        return f"{self.house.gateway_url}/{ROUTE}/invocations"

    def browser(self, short: str) -> Browser:
        """Somebody's browser, signed in by the real form once."""
        if short not in self._browsers:
            person = self.house.people[short]
            browser = Browser(self.house.base_url)
            browser.sign_in(person["email"], person["password"])
            self._browsers[short] = browser
        return self._browsers[short]

    def upload(self, name: str, frame: pd.DataFrame, **columns: str) -> dict[str, Any]:
        """Upload a table as Parquet, unless the same name is there from an earlier run."""
        body = io.BytesIO()
        frame.to_parquet(body, index=False)
        known = self.ci.get("datasets", limit=500)["results"]
        found = next((item for item in known if item["name"] == name), None)
        if found is None:
            found = self.ci.post(
                "datasets",
                files={"file": (f"{name}.parquet", body.getvalue())},
                data={"name": name, **columns},
            )
        return wait_for(
            lambda: self.ci.get(f"datasets/{name}"),
            lambda item: item["state"] != "profiling",
            timeout_s=60,
        )

    def register(self, model: str, key: str, dataset: str) -> dict[str, Any]:
        """Register one recipe's version with its artifacts, lineage and endpoint."""
        recipe = next(item for item in models.RECIPES if item.key == key)
        kinds = {"carrier": "string", "origin": "string"}
        version = self.ci.post(
            f"models/{model}/versions",
            {
                "artifacts": models.artifacts(self.house.model_dirs[key]),
                "source": f"runs:/{key}/model",
                "run_id": f"{key}-0001",
                "git_commit": hashlib.sha256(recipe.story.encode()).hexdigest()[:40],
                "git_authors": ["jun@demo.example"],
                "decision_threshold": 0.5 if recipe.label == "approved" else 0.25,
                "signature": {
                    "inputs": [
                        {"name": name, "type": kinds.get(name, "double")}
                        for name in recipe.features
                    ],
                    "outputs": [{"name": "probability", "type": "double"}],
                },
                "datasets": [{"name": dataset, "use": "validation"}],
                "training": {
                    "rows": len(models.training_rows(recipe, self.flights)),
                    **({"from": recipe.start, "to": recipe.end} if recipe.start else {}),
                },
                "description": recipe.story,
                "tags": {"recipe": key},
            },
        )
        self.ci.post(
            "endpoints",
            {
                "name": f"{key}-server-{version['number']}",
                "model": model,
                "version": version["number"],
                "url": self.house.server_url(key),
                "input_columns": recipe.features,
                "max_batch_rows": 1000,
            },
        )
        return dict(version)

    def ask(self, model: str, version: int, environment: str = "production") -> dict[str, Any]:
        """Open a request and wait until every gate is settled."""
        opened = self.ci.post(
            "promotion-requests",
            {"model": model, "version": version, "environment": environment},
        )
        settled: dict[str, Any] = wait_for(
            lambda: self.ci.get(f"promotion-requests/{opened['uid']}"),
            lambda item: (
                bool(item["gates"]) and all(gate["state"] in SETTLED for gate in item["gates"])
            ),
            timeout_s=150,
        )
        return settled

    def clearance(self, request: dict[str, Any], wait: int = 0) -> tuple[int, dict[str, Any]]:
        return self.ci.status(
            f"promotion-requests/{request['uid']}/clearance",
            digest=request["release_digest"],
            wait=wait,
        )

    def sign(self, short: str, request: dict[str, Any]) -> None:
        """Sign as a person does: sign-in form, request page, meaning, password."""
        person = self.house.people[short]
        fresh = self.ci.get(f"promotion-requests/{request['uid']}")
        role = next(role for role in person["roles"] if role in fresh["meanings"])
        path = fresh["links"]["page"]
        response = self.browser(short).fill(
            path,
            {
                "meaning": fresh["meanings"][role][0],
                "reason": f"Read the evidence of version {fresh['version']}.",
                "password": person["password"],
                "verdict": "approve",
            },
        )
        insist(response.status_code == 200, f"{path} answered {response.status_code}")
        after = self.ci.get(f"promotion-requests/{request['uid']}")
        signed = [s["name"] for slot in after["approvals"] for s in slot["signed_by"]]
        insist(person["name"] in signed, f"{person['name']} has not signed: {signed}")

    def rollout(self, request: dict[str, Any], timeout_s: float = 120) -> dict[str, Any]:
        """The rollout that the last signature began, when it rests."""
        started = wait_for(
            lambda: self.ci.get(f"promotion-requests/{request['uid']}")["rollout"],
            bool,
            timeout_s=20,
        )
        resting = {"succeeded", "rolled_back", "failed", "needs_operator", "paused"}
        found: dict[str, Any] = wait_for(
            lambda: self.ci.get(f"rollouts/{started}"),
            lambda item: item["state"] in resting,
            timeout_s=timeout_s,
        )
        return found

    def champion(self, model: str = MODEL) -> int | None:
        """The version that ``@champion`` stands on."""
        aliases = {
            a["alias"]: a["version"] for a in self.ci.get(f"models/{model}/as-of")["aliases"]
        }
        return aliases.get("champion")


def gate_line(request: dict[str, Any], name: str) -> str:
    """A gate's own explanation, found by a part of its name."""
    for gate in request["gates"]:
        if name in gate["name"]:
            return f"{gate['state']}: {gate['explanation']}"
    raise NotTrue(f"no gate named {name} among {[g['name'] for g in request['gates']]}")


def failing(request: dict[str, Any]) -> list[str]:
    """Explanations of what blocks."""
    return [
        gate["explanation"]
        for gate in request["gates"]
        if gate["severity"] == "block" and gate["state"] in {"fails", "could_not_compute"}
    ]


GATEWAY = GATEWAY_NAME
