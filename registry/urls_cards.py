"""Pages about how a model's versions are gated, and about their cards."""

from django.urls import path

from registry.views import cards, gating

card = "models/<str:name>/versions/<int:number>/card/"
urlpatterns = [
    path("models/<str:name>/gating/", gating.switch, name="model-gating"),
    path(card, cards.CardView.as_view(), name="card"),
    path(f"{card}start/", cards.start, name="card-start"),
    path(f"{card}sections/<slug:key>/", cards.SectionEditView.as_view(), name="card-section"),
    path(
        f"{card}revisions/<int:revision>/", cards.CardRevisionView.as_view(), name="card-revision"
    ),
]
