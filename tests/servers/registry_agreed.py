"""Where our answer differs from MLflow 3.17.2's, and why that is right.

The keys are calls as ``test_full_registry.written`` writes them.
"""

from __future__ import annotations

_FAULT = (
    "MLflow fails with 500, which its client tries again for minutes; the caller's fault is 400"
)
_BLANK = "A blank filter is no filter"
_JOINED = "MLflow's parser makes one string of two; here a comma is missing"
_NO_AND = "MLflow makes one comparison of it that never holds; here AND is missing"
_DOUBLED = "MLflow cannot say a quote within quotes; a doubled one means it, as in SQL"
_PAGE = "A page without rows that names a next one would go on for ever"
_INSTANT = "MLflow writes one time for all that a transition moves; here each has its own"
_STAGES = "One version a stage, in the order of the stages; MLflow's come by number"

AGREED: dict[str, str] = {
    'POST model-versions/transition-stage {"archive_existing_versions": true, "name": "churn", '
    '"stage": "None", "version": "4"}': _FAULT,
    'GET registered-models/get-latest-versions {"name": "churn"}': _STAGES,
    "GET registered-models/search {\"filter\": \"name = 'q''uote'\"}": _DOUBLED,
    'GET registered-models/search {"max_results": 0}': _PAGE,
    'GET registered-models/search {"max_results": -1}': _PAGE,
    'GET registered-models/search {"order_by": ["name", "name DESC"]}': _FAULT,
    'GET registered-models/search {"order_by": ["timestamp", "last_updated_timestamp"]}': _FAULT,
    'GET model-versions/search {"order_by": ["last_updated_timestamp"]}': _INSTANT,
    'GET model-versions/search {"order_by": ["name", "name"]}': _FAULT,
    **{
        f'GET {kind}/search {{"filter": "{text}"}}': why
        for kind in ("registered-models", "model-versions")
        for text, why in {
            " ": _BLANK,
            "name IN ('a' 'b')": _JOINED,
            "name IS NULL": _FAULT,
            "tags.team IS NULL": _FAULT,
            "name = 'churn' name = 'fraud'": _NO_AND,
        }.items()
    },
}
