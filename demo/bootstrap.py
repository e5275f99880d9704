"""People, machines and tokens of the demo; runs inside Django and prints one JSON object.

Only what an administrator would do by hand on the first day; everything after it goes through the
public API and the sign-in form.
"""

from __future__ import annotations

import json
import os
import sys

import django


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")
    django.setup()
    from accounts.callers import Caller
    from accounts.models import ServiceAccount, User, Workspace
    from accounts.roles import Role, Scope
    from accounts.services import demo_people, service_accounts, tokens

    people = demo_people.refresh()
    workspace = Workspace.objects.get(slug=demo_people.SLUG)
    caller = Caller.system("demo", workspace)

    def machine(name: str, responsible: str, roles: list[Role], scopes: list[Scope]) -> str:
        account = ServiceAccount.objects.filter(workspace=workspace, name=name).first()
        if account is None:
            account = service_accounts.create(
                caller=caller,
                name=name,
                responsible=User.objects.get(email=f"{responsible}@demo.example"),
                roles=[role.value for role in roles],
            )
        _, text = tokens.create(
            caller=caller,
            workspace=workspace,
            service_account=account,
            name="demo run",
            scopes=[scope.value for scope in scopes],
            days=7,
        )
        return text

    def person(short: str, scopes: list[Scope]) -> str:
        _, text = tokens.create(
            caller=caller,
            workspace=workspace,
            user=User.objects.get(email=f"{short}@demo.example"),
            name="demo run",
            scopes=[scope.value for scope in scopes],
            days=7,
        )
        return text

    builder = [Role.MODEL_OWNER, Role.REQUESTER]
    given = {
        "ci": machine(
            "ci-flights",
            "jun",
            builder,
            [
                Scope.READ,
                Scope.REGISTRY_WRITE,
                Scope.SERVING_WRITE,
                Scope.EVIDENCE_WRITE,
                Scope.REQUEST_WRITE,
            ],
        ),
        "ingest": machine(
            "prediction-log",
            "sam",
            [Role.OPERATOR],
            [Scope.READ, Scope.PREDICTIONS_WRITE, Scope.MONITORING_WRITE],
        ),
        "gateway": machine("gateway-agent", "sam", [Role.OPERATOR], [Scope.GATEWAY]),
        "administrator": person("max", [Scope.READ, Scope.ADMIN]),
        "risk_officer": person("ines", [Scope.READ, Scope.POLICIES_WRITE]),
        "operator": person(
            "sam",
            [
                Scope.READ,
                Scope.ROLLOUTS_WRITE,
                Scope.MONITORING_WRITE,
                Scope.SERVING_WRITE,
                Scope.REQUEST_WRITE,
            ],
        ),
        "auditor": person("omar", [Scope.READ, Scope.AUDIT_READ]),
    }
    json.dump({"people": people, "tokens": given}, sys.stdout)


if __name__ == "__main__":
    main()
