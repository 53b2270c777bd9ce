"""Feature views and window aggregations: one definition, computed offline and online."""
