"""On the path of started processes: LightGBM imports scikit-learn where it finds it, which costs 1.5 s a process.

Users have no scikit-learn unless they want it; here the tests do.
"""

raise ImportError("left out on purpose: see the docstring")
