"""Measure what the product costs: one command per benchmark, each on its own data in a new environment."""
