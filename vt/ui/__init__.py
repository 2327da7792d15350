"""The page: one face of the services, in a browser and for gradio_client."""

from vt.ui import quick_import  # noqa: F401 (before any other module here imports Gradio)
