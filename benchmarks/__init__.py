"""Measurements, run by hand: each a ratio or a time beside what is wanted of it."""
