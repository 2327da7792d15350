"""What every request to the page passes before Gradio sees it: routes, calls, files, results."""
