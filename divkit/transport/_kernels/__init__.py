"""Compiled loops of optimal transport (numba): plain arrays in, plain arrays out; each docstring says what holds."""
