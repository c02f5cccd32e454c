"""Pure helpers, one noun per file. Nothing here imports a model or a view."""
