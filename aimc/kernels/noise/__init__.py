"""Read noise through wires, and normal numbers."""
