"""The house's routes and outbound's pages, whether ``config.urls`` lists these already or not."""

from django.urls import include, path

from config.urls import (
    handler400,
    handler403,
    handler404,
    handler500,
)
from config.urls import (
    urlpatterns as house,
)

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

urlpatterns = [path("", include("outbound.urls")), *house]
