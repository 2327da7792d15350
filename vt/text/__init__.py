"""Text in many languages: sentences, numbers, subtitles; nothing here knows of films or jobs."""
