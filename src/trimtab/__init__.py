"""Trimtab: the whole life of a production ML system as one closed loop."""
