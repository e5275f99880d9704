"""The registry as MLflow's clients know it: ``/api/2.0/mlflow/``."""
