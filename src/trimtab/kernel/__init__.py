"""Records, ids and errors: the words that rooms exchange. Standard library only."""
