"""The rooms of one system, put together: what spans several rooms and belongs to none."""
