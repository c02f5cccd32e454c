"""Pure helpers, one noun per file. Nothing here knows a model or a view."""
