"""What was live then."""

from django.urls import path

from governance.views import as_of

urlpatterns = [path("as-of/", as_of.AsOfView.as_view(), name="as-of")]
