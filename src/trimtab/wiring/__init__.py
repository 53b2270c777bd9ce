"""Wiring: the one package that names concrete adapters.

Slow libraries (DBOS, MLflow, Alembic) are imported when a command first needs them; everything else is imported
here. A store is moved by one setting, and chosen here by that setting's form.
"""
