"""Glossaries: terms that are always translated alike, or never; read from files, found in texts, put in their forms."""
