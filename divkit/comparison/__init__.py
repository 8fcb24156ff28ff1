"""Two tables compared: every divergence, W_1 between bounds, a test, the columns that moved, pictures and a page."""
