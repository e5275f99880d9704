from accounts.models.api_token import ApiToken, ServiceAccount
from accounts.models.membership import Membership
from accounts.models.session import Session
from accounts.models.user import User
from accounts.models.workspace import Workspace

__all__ = ["ApiToken", "Membership", "ServiceAccount", "Session", "User", "Workspace"]
