"""Charts: one file each. A chart is drawn for a wide page and for a phone, and carries its numbers as a table."""
