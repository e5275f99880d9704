"""What a gate or a page reads about evidence."""

import pytest

from evaluation import selectors
from evaluation.errors import EvidenceNotFound
from tests.factories.evaluation import EvidenceFactory, complete
from tests.factories.registry import AliasFactory, DatasetFactory, ModelVersionFactory

pytestmark = pytest.mark.django_db


def test_the_newest_complete_evidence_that_counts(version, second, workspace):
    dataset = DatasetFactory(workspace=workspace)
    old = complete(EvidenceFactory(version=version, dataset=dataset), {"n": 1})
    new = complete(EvidenceFactory(version=version, dataset=dataset), {"n": 2})
    EvidenceFactory(version=version, dataset=dataset, state="running")
    complete(EvidenceFactory(version=version, dataset=dataset, origin="reported"), {"n": 3})
    complete(EvidenceFactory(version=second, dataset=dataset), {"n": 4})

    assert selectors.latest_complete(version, "evaluation") == new != old
    assert selectors.latest_complete(version, "evaluation", dataset=dataset) == new
    elsewhere = DatasetFactory(workspace=workspace)
    assert selectors.latest_complete(version, "evaluation", dataset=elsewhere) is None
    assert selectors.latest_complete(version, "fairness") is None
    assert selectors.latest(version, "evaluation").origin == "reported"


def test_a_differential_is_of_its_baseline(version, second, model):
    third = ModelVersionFactory(model=model)
    found = complete(
        EvidenceFactory(version=third, kind="differential", baseline=version), {"n": 1}
    )

    assert selectors.latest_complete(third, "differential", baseline=version) == found
    assert selectors.latest_complete(third, "differential", baseline=second) is None


def test_what_is_live_nearest_to_users_is_the_baseline(version, second):
    assert selectors.live_baseline(second) is None
    AliasFactory(version=version, name="staging")
    assert selectors.live_baseline(second) == version
    AliasFactory(version=second, name="champion")
    assert selectors.live_baseline(second) == version  # never itself
    assert selectors.live_baseline(version) == second


def test_evidence_of_another_workspace_is_not_found(workspace):
    with pytest.raises(EvidenceNotFound):
        selectors.get_evidence(workspace, EvidenceFactory().uid)
    with pytest.raises(EvidenceNotFound):
        selectors.get_evidence(workspace, "no uid")


def test_a_holdout_wears_out(version, second, workspace):
    dataset = DatasetFactory(workspace=workspace)
    for kind in ("evaluation", "fairness", "explanation"):
        complete(EvidenceFactory(version=version, dataset=dataset, kind=kind), {})
    EvidenceFactory(version=version, dataset=dataset)

    assert selectors.times_used(dataset, second) == 2


def test_the_usual_question_deviates_in_nothing_and_every_choice_is_said(version, workspace):
    from evaluation import params

    dataset = DatasetFactory(workspace=workspace, label_column="label")

    def asked(kind, **given):
        evidence = EvidenceFactory.build(
            version=version, dataset=dataset, kind=kind, params=params.parse(kind, given)
        )
        return selectors.deviations(evidence)

    assert asked("evaluation") == []
    assert asked("evaluation", threshold=0.5, label_column="label") == []
    assert asked("fairness", groups=["age"]) == []
    assert asked("differential", segments=["age"]) == []
    assert asked("evaluation", threshold=0.9) == ["The threshold was set to 0.9; its own is 0.5."]
    assert len(asked("evaluation", max_rows=9, label_column="x", positive_label="y")) == 3
    assert asked("fairness", groups=["age"], favourable="negative") == [
        "The favourable side was set to negative; usual is positive."
    ]
    assert len(asked("differential", tolerance_abs=9, baseline_threshold=0.2)) == 2
