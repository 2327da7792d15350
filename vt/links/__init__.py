"""Films behind links: downloaded by yt-dlp in a sandbox, through a proxy that reaches public addresses alone."""

from vt.links.download import Bounds, are_possible, is_link, obtain

__all__ = ["Bounds", "are_possible", "is_link", "obtain"]
