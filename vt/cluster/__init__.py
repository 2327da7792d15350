"""The same models on many machines: a server spreads pieces of its jobs over them, by Ray."""
