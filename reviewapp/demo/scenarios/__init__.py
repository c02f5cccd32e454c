"""Hand-written conversations, one file per topic."""
