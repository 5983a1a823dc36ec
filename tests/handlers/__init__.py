"""The operator as a process: what it watches, answers and logs, and whole operators on a real API server."""
