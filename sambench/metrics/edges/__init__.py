"""Boundary detection as BSDS500 scores it: matching, thinning, precision and recall."""
