"""The chooser: for people with several workspaces, and for those with none."""

from __future__ import annotations

from typing import Any, cast

from django.utils.http import url_has_allowed_host_and_scheme
from django.views.generic import TemplateView

from accounts import http, selectors
from accounts.models import User


class WorkspaceListView(TemplateView):
    """The person's workspaces; each link goes on to where they came from."""

    template_name = "accounts/workspace_list.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        # LoginRequiredMiddleware lets nobody else come here
        held = selectors.memberships_by_workspace(cast(User, self.request.user))
        target = self._target()
        rows = [
            {
                "workspace": workspace,
                "url": http.workspace_path(workspace.slug, target),
                "roles": sorted(http.role_labels(roles)),
            }
            for workspace, roles in held.items()
        ]
        return super().get_context_data(rows=rows, **kwargs)

    def _target(self) -> str:
        wanted = self.request.GET.get("next", "")
        is_ours = wanted.startswith("/") and url_has_allowed_host_and_scheme(
            wanted, allowed_hosts=None
        )
        return wanted if is_ours else "/"
