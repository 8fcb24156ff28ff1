"""Compiled loops (numba): plain arrays in, plain numbers out; each docstring states its invariant."""
