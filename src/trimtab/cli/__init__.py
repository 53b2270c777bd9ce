"""The command line: parse, call the loop, show what it says."""
