"""Pages of accounts, and the few of allauth's that we use: no sign-up, no second e-mail."""

from allauth.account import views as allauth
from django.urls import include, path, re_path

from accounts.views import people, profile
from accounts.views.workspaces import WorkspaceListView

sign_in = [
    path("login/", allauth.login, name="account_login"),
    path("logout/", allauth.logout, name="account_logout"),
    path("inactive/", allauth.account_inactive, name="account_inactive"),
    path("password/change/", allauth.password_change, name="account_change_password"),
    path("password/set/", allauth.password_set, name="account_set_password"),
    path("password/reset/", allauth.password_reset, name="account_reset_password"),
    path("password/reset/done/", allauth.password_reset_done, name="account_reset_password_done"),
    path(
        "password/reset/key/done/",
        allauth.password_reset_from_key_done,
        name="account_reset_password_from_key_done",
    ),
    re_path(
        r"^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        allauth.password_reset_from_key,
        name="account_reset_password_from_key",
    ),
]

pages = [
    path("workspaces/", WorkspaceListView.as_view(), name="workspace-list"),
    path("profile/", profile.ProfileView.as_view(), name="profile"),
    path("profile/tokens/", profile.token_create, name="token-create"),
    path("profile/tokens/<str:key_id>/revoke/", profile.token_revoke, name="token-revoke"),
    path("profile/sessions/<str:public_id>/end/", profile.session_end, name="session-end"),
    path("people/", people.PeopleListView.as_view(), name="people-list"),
    path("people/add/", people.person_create, name="person-create"),
    path("people/<str:pid>/grant/", people.role_grant, name="role-grant"),
    path("people/<str:pid>/revoke/", people.role_revoke, name="role-revoke"),
    path("people/<str:pid>/deactivate/", people.person_deactivate, name="person-deactivate"),
    path("service-accounts/add/", people.service_account_create, name="service-account-create"),
    path(
        "service-accounts/<str:pid>/tokens/",
        people.service_account_token,
        name="service-account-token",
    ),
]

urlpatterns = [
    path("", include(sign_in)),
    path("", include((pages, "accounts"))),
]
