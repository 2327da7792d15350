"""The machine below: programs, files and folders, memory, logs and metrics."""
