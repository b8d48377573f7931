"""The pipeline: one file a step, run in order by `python -m pipeline_steps`."""
