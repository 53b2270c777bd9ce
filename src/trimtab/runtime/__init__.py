"""Steps and pipelines: cache keys, values, attempts, logs. Durability itself comes through the port `Once`."""
