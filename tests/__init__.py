"""A package by name: one that the SageMaker SDK needs brings a `tests` of its own."""
