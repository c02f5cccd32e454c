"""The proof that delivery loses nothing: processes that are killed, a Laminar that misbehaves, a judge who compares."""
