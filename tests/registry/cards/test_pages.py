"""The card's pages: read, write section by section, look first, see what changed."""

from __future__ import annotations

import pytest
from django.urls import reverse

from registry.models import CardRevision, VersionAuthor
from registry.services import cards
from tests.factories.registry import ModelVersionFactory, RegisteredModelFactory
from tests.factories.registry_cards import CardRevisionFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def version(workspace):
    model = RegisteredModelFactory(workspace=workspace, name="credit risk", tier=2)
    return ModelVersionFactory(model=model)


def url(name, version, **more):
    return reverse(
        f"registry:{name}", kwargs={"name": version.model.name, "number": version.number, **more}
    )


def test_the_page_says_what_is_lacking_and_what_to_write(version, client_for):
    CardRevisionFactory(version=version, sections={"summary": "It **ranks** loans."})

    html = client_for("viewer").get(url("card", version)).content.decode()

    assert "<strong>ranks</strong>" in html
    assert "the section “Limits”" in html
    assert "Where it is known to be weak or unreliable." in html
    assert "Licence of the base model" not in html
    assert ">Write<" not in html


def test_a_section_is_written_on_top_of_what_was_seen(version, client_for):
    CardRevisionFactory(version=version, sections={"summary": "One."})
    client = client_for("model_owner")
    page = url("card-section", version, key="limits")
    assert "cannot sign for it" in client.get(page).content.decode()

    answer = client.post(page, {"text": "Weak at night.\r\nAnd in fog.", "seen": "1"})

    assert answer.status_code == 302
    assert answer["Location"].endswith("#limits")
    newest = CardRevision.objects.first()
    assert newest.sections == {"summary": "One.", "limits": "Weak at night.\nAnd in fog."}
    assert VersionAuthor.objects.filter(version=version, role="card_editor").count() == 1


def test_a_look_first_writes_nothing(version, client_for):
    client = client_for("model_owner")
    page = url("card-section", version, key="limits")
    body = {"text": "**Weak** <script>alert(1)</script>", "seen": "0", "preview": "1"}

    whole = client.post(page, body).content.decode()
    part = client.post(page, body, headers={"HX-Request": "true"}).content.decode()

    for html in (whole, part):
        assert "<strong>Weak</strong> &lt;script&gt;" in html
    assert "<html" not in part
    assert not CardRevision.objects.exists()


def test_somebody_elses_words_stand_beside_ones_own(version, client_for, caller_for):
    client = client_for("model_owner")
    cards.revise(
        caller=caller_for("model_owner"), version=version, sections={"limits": "Theirs."}, seen=0
    )

    answer = client.post(url("card-section", version, key="limits"), {"text": "Mine.", "seen": "0"})

    html = answer.content.decode()
    assert answer.status_code == 409
    assert "Mine." in html
    assert "Theirs." in html
    assert CardRevision.objects.get().sections == {"limits": "Theirs."}


def test_a_section_that_is_too_long_is_refused_beside_itself(version, client_for):
    client = client_for("model_owner")
    page = url("card-section", version, key="limits")
    assert client.post(page, {"text": "x" * 10_001, "seen": "0"}).status_code == 422
    assert client.post(page, {"text": "", "seen": "0"}).status_code == 409
    assert client.get(url("card-section", version, key="nope")).status_code == 404
    assert client.get(url("card-section", version, key="licence_base_model")).status_code == 404
    assert not CardRevision.objects.exists()


def test_a_card_starts_from_the_previous_version(version, client_for):
    CardRevisionFactory(version=version)
    following = ModelVersionFactory(model=version.model)
    client = client_for("model_owner")
    assert "Start from the card of version 1" in client.get(url("card", following)).content.decode()

    answer = client.post(url("card-start", following), follow=True)

    assert "Read every section." in answer.content.decode()
    assert CardRevision.objects.filter(version=following).count() == 1
    again = client.post(url("card-start", following), follow=True)
    assert "written meanwhile" in again.content.decode()


def test_a_revision_shows_what_it_changed(version, client_for):
    CardRevisionFactory(version=version, sections={"limits": "one\ntwo"})
    CardRevisionFactory(version=version, number=2, sections={"limits": "one\n<b>2</b>"})

    html = client_for("viewer").get(url("card-revision", version, revision=2)).content.decode()

    assert "<del>two</del>" in html
    assert "<ins>&lt;b&gt;2&lt;/b&gt;</ins>" in html
    assert "<strong>1 section</strong> of revision 1" in html.replace("\xa0", " ")
    assert client_for("viewer").get(url("card-revision", version, revision=3)).status_code == 404


def test_the_versions_page_shows_it_in_short(version, client_for):
    page = f"/models/{version.model.name}/versions/1/"
    assert "Nobody has written a card" in client_for("viewer").get(page).content.decode()
    CardRevisionFactory(version=version, sections={"summary": "It *ranks* loans."})
    html = client_for("model_owner").get(page).content.decode()
    assert "<em>ranks</em>" in html
    assert "Read or write the card" in html
