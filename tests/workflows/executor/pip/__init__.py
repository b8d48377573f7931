"""A stand-in for pip: `pip install` links packages from the project's .venv, or fails.

It takes the requirement files and pins that the real one takes. What is not in the .venv in the
version that is asked for is an error, so the pins of the workflows and of the project agree. Only
what was asked for, and what that needs, can be imported afterwards.
"""
