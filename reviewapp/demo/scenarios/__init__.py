"""Conversations, written by hand; one file per kind of work."""
