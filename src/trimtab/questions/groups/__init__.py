"""The questions, one file a layer."""
