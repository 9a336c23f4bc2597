"""The generated pages are current, and what they say holds."""
