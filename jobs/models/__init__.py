from jobs.models.job import Job, QueuePing, Tick

__all__ = ["Job", "QueuePing", "Tick"]
