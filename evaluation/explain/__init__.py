"""SHAP values of a model behind an endpoint, on a small budget of calls and model rows."""
