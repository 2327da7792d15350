"""From a film to the same film in another language: the stages, their order, and the report."""
