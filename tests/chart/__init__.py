"""The chart: what it renders, what its values refuse, and what a real API server makes of it.

Nothing here runs the operator; that its rights suffice is proved where it runs.
"""
