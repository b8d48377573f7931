"""Faults injected into every AWS call of a release, while clients keep asking production."""
