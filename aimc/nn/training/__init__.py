"""Training for the hardware."""
