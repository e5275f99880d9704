from accounts.roles import Capability
from registry.models import ImportRun
from tests.permissions import Row


def an_import(workspace):
    run = ImportRun.objects.create(
        workspace=workspace, source_url="https://mlflow.example.org", started_by_pid="p:x"
    )
    return {"uid": run.uid}


VIEW = Capability.VIEW

ROWS = [
    Row("v1:import-list", {"get": VIEW}),
    Row("v1:import-detail", {"get": VIEW}, an_import),
    Row("registry:import-list", {"get": VIEW}),
    Row("registry:import-detail", {"get": VIEW}, an_import),
]
