"""The operator as a user meets it: its process with the chart's rights, a real API server, real trainers in Jobs."""
