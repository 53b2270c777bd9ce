"""The report: a system's life in production as one HTML file that needs nothing else."""
