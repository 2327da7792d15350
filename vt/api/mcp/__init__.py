"""Tools for assistants by the Model Context Protocol: films dubbed and written down, jobs followed, texts fetched.

The library is an extra of the package: what needs it is in `face`, which is loaded where VT_MCP is true.
"""

from vt.api.mcp.errors import shape

__all__ = ["shape"]
