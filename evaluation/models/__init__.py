from evaluation.models.evidence import Evidence, ScoredBatch

__all__ = ["Evidence", "ScoredBatch"]
