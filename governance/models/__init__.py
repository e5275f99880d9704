from governance.models.finding import Finding
from governance.models.gate_result import GateResult
from governance.models.policy import Policy, PolicyRevision
from governance.models.promotion_request import Counter, PromotionRequest, RequestAuthor
from governance.models.signature import Signature

__all__ = [
    "Counter",
    "Finding",
    "GateResult",
    "Policy",
    "PolicyRevision",
    "PromotionRequest",
    "RequestAuthor",
    "Signature",
]
