"""From a release and its verdicts to a plan, and from the plan to the route in force."""
