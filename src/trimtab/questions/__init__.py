"""What an engineer asks of a model in production: the questions, and today's evidence for the answers."""
