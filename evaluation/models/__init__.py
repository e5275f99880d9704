from evaluation.models.evidence import Evidence, PredictionsFile, ScoredBatch

__all__ = ["Evidence", "PredictionsFile", "ScoredBatch"]
