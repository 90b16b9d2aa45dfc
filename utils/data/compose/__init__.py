"""Composites: foregrounds over backgrounds."""
