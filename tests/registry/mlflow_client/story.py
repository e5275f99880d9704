"""What a pipeline does with the stock ``mlflow`` client; prints what came of it as JSON.

A program of its own, as a pipeline is: it knows us by ``MLFLOW_REGISTRY_URI`` alone.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

warnings.simplefilter("ignore")
logging.disable(logging.WARNING)

import mlflow  # noqa: E402
from mlflow.exceptions import MlflowException, RestException  # noqa: E402
from mlflow.tracking import MlflowClient  # noqa: E402


def registry() -> dict[str, Any]:
    """Models, versions, aliases, tags, stages, names, copies and searches."""
    client = MlflowClient()
    said: dict[str, Any] = {}
    made = client.create_registered_model("churn", tags={"team": "crm"}, description="Who leaves.")
    said["created"] = [made.name, made.tags, made.description, made.creation_timestamp > 10**12]
    for number in range(1, 5):
        version = mlflow.register_model(
            f"s3://bucket/churn/{number}", "churn", tags={"half": "odd" if number % 2 else "even"}
        )
        said["registered"] = [version.name, str(version.version), version.status, version.source]
    client.set_registered_model_alias("churn", "blue", "2")
    client.set_registered_model_alias("churn", "blue", 3)
    by_alias = client.get_model_version_by_alias("churn", "blue")
    said["alias"] = [str(by_alias.version), list(by_alias.aliases), by_alias.tags]
    client.set_registered_model_tag("churn", "k", "v")
    client.set_model_version_tag("churn", "1", "a.b", "1")
    client.set_model_version_tag("churn", "1", "gone", "1")
    client.delete_model_version_tag("churn", "1", "gone")
    client.transition_model_version_stage("churn", "1", "Production")
    moved = client.transition_model_version_stage("churn", "2", "Production", True)
    said["stages"] = [
        moved.current_stage,
        client.get_model_version("churn", "1").current_stage,
        [str(it.version) for it in client.get_latest_versions("churn", stages=["Production"])],
    ]
    client.update_model_version("churn", "1", description="One.")
    client.update_registered_model("churn", description="Who stays.")
    client.rename_registered_model("churn", "leavers")
    said["renamed"] = client.get_registered_model("leavers").description
    client.rename_registered_model("leavers", "churn")
    copied = client.copy_model_version("models:/churn/1", "copies")
    said["copied"] = [
        copied.name,
        str(copied.version),
        copied.source,
        client.get_model_version_download_uri("copies", "1"),
    ]
    model = client.get_registered_model("churn")
    said["model"] = [model.tags, {key: str(it) for key, it in model.aliases.items()}]
    said["pages"] = versions_by_page(client, "name = 'churn'", 3)
    said["odd"] = numbers(client.search_model_versions("name='churn' and tags.half = 'odd'"))
    said["aliases_in_search"] = [
        [str(it.version), list(it.aliases)]
        for it in client.search_model_versions("name = 'churn' AND version_number = 3")
    ]
    said["models"] = sorted(it.name for it in client.search_registered_models())
    said["filtered"] = [
        it.name for it in client.search_registered_models("tags.team = 'crm'", order_by=["name"])
    ]
    said["everything"] = len(mlflow.search_model_versions(max_results=2))
    client.delete_registered_model_alias("churn", "blue")
    client.delete_model_version("churn", "4")
    said["left"] = numbers(client.search_model_versions("name = 'churn'"))
    client.delete_registered_model("copies")
    said["errors"] = [
        error_of(lambda: client.get_registered_model("copies")),
        error_of(lambda: client.get_model_version_by_alias("churn", "blue")),
        error_of(lambda: client.create_registered_model("churn")),
        error_of(lambda: client.search_model_versions("colour = 'red'")),
    ]
    return said


def protected() -> dict[str, Any]:
    """An alias that says what is live is refused at once, and says what to do."""
    client = MlflowClient()
    started = time.monotonic()
    error = error_of(lambda: client.set_registered_model_alias("churn", "champion", "1"))
    return {"error": error, "seconds": time.monotonic() - started}


def prompts() -> dict[str, Any]:
    """Prompts are kept apart from models."""
    first = mlflow.genai.register_prompt("greeting", "Hello {{name}}!", commit_message="First.")
    mlflow.genai.register_prompt("greeting", "Good day, {{name}}!", tags={"tone": "formal"})
    mlflow.genai.set_prompt_alias("greeting", "warm", 1)
    return {
        "registered": [first.name, first.version],
        "loaded": mlflow.genai.load_prompt("prompts:/greeting/2").format(name="Ada"),
        "by_alias": mlflow.genai.load_prompt("prompts:/greeting@warm").template,
        "found": [it.name for it in mlflow.genai.search_prompts()],
        "models": [it.name for it in MlflowClient().search_registered_models("name = 'greeting'")],
    }


def artifacts() -> dict[str, Any]:
    """Files stay where they are: with another tracking store, or in S3."""
    said: dict[str, Any] = {}
    client = MlflowClient()
    with mlflow.start_run() as run:
        mlflow.log_metric("auc", 0.9)
        logged = mlflow.pyfunc.log_model(
            name="model", python_model=doubled, pip_requirements=["numpy"]
        )
    from_model = mlflow.register_model(logged.model_uri, "doubler")
    from_run = mlflow.register_model(f"runs:/{run.info.run_id}/model", "doubler")
    for number, source in ((1, "model"), (2, "run")):
        client.set_registered_model_alias("doubler", source, str(number))
        loaded = mlflow.pyfunc.load_model(f"models:/doubler@{source}")
        said[source] = loaded.predict([2, 3])
    said["sources"] = [from_model.source[:10], from_run.source[:10]]
    said["run_ids"] = [
        it.run_id == run.info.run_id
        for it in sorted(client.search_model_versions("name='doubler'"), key=lambda it: it.version)
    ]
    with tempfile.TemporaryDirectory() as folder:
        mlflow.pyfunc.save_model(
            f"{folder}/model", python_model=doubled, pip_requirements=["numpy"]
        )
        upload(Path(folder) / "model", "bucket", "models/doubler")
    mlflow.register_model("s3://bucket/models/doubler", "from-s3")
    client.set_registered_model_alias("from-s3", "blue", "1")
    said["s3"] = mlflow.pyfunc.load_model("models:/from-s3@blue").predict([4])
    with mlflow.start_run():
        mlflow.pyfunc.log_model(
            name="again",
            python_model=doubled,
            pip_requirements=["numpy"],
            registered_model_name="doubler",
        )
    said["logged"] = len(client.search_model_versions("name='doubler'"))
    return said


def doubled(model_input: list[int]) -> list[int]:
    return [2 * it for it in model_input]


def upload(folder: Path, bucket: str, key: str) -> None:
    import boto3

    s3 = boto3.client("s3", endpoint_url=os.environ["MLFLOW_S3_ENDPOINT_URL"])
    s3.create_bucket(Bucket=bucket)
    for path in folder.rglob("*"):
        if path.is_file():
            s3.upload_file(str(path), bucket, f"{key}/{path.relative_to(folder)}")


def versions_by_page(client: MlflowClient, filter: str, size: int) -> list[list[str]]:
    pages: list[list[str]] = []
    token: str | None = None
    while not pages or token:
        page = client.search_model_versions(
            filter, max_results=size, order_by=["version_number ASC"], page_token=token
        )
        token = page.token
        pages.append(numbers(page))
    return pages


def numbers(versions: Any) -> list[str]:
    return sorted(str(it.version) for it in versions)


def error_of(call: Any) -> list[str]:
    try:
        call()
    except (RestException, MlflowException) as error:
        return [error.error_code, str(error)]
    return ["", "it worked"]


if __name__ == "__main__":
    chapters = {it.__name__: it for it in (registry, protected, prompts, artifacts)}
    print(json.dumps({name: chapters[name]() for name in sys.argv[1:]}))
