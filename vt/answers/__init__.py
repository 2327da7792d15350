"""Answers for whoever waits for them: a recording heard, a text translated, a text spoken; no job is made for that."""
