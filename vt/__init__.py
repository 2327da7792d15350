"""vt: a video comes back speaking another language, in time with the picture."""

__version__ = "0.1.0"
