"""Adapters: one file for each library or program that hears, translates or speaks."""
