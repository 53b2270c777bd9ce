"""On the path of started processes: pandera imports pandas where it finds it, which costs half a second a process.

The package stands without pandas, which only the flights' data package brings along. pandera reads these words.
"""

raise ImportError("No module named 'pandas'")
