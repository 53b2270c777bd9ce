"""Sources in, dataset versions out; what breaks its contract goes into quarantine."""
