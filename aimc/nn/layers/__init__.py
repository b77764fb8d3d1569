"""The layers on arrays, and what they have in common."""
