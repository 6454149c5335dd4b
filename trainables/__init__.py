"""One trial, from a config to measurements; runs by hand, without Ray, Optuna or MLflow."""
