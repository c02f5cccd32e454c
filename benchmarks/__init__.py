"""What the product costs: one command per figure, each on data of its own in a fresh place."""
