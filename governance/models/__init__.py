from governance.models.finding import Finding
from governance.models.gate_result import Gate, GateResult
from governance.models.policy import Policy, PolicyRevision
from governance.models.promotion_request import Counter, PromotionRequest, RequestAuthor
from governance.models.registration_check import CheckGate, RegistrationCheck
from governance.models.signature import Signature

__all__ = [
    "CheckGate",
    "Counter",
    "Finding",
    "Gate",
    "GateResult",
    "Policy",
    "PolicyRevision",
    "PromotionRequest",
    "RegistrationCheck",
    "RequestAuthor",
    "Signature",
]
