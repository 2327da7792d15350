"""The page: one face of the services, in a browser and for gradio_client."""
