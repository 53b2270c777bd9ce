"""Serving: answers over HTTP, each with its record; the route they follow; the log they leave."""
