"""A challenger against the champion: gates give verdicts with numbers and their uncertainty."""
