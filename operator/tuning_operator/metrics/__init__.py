"""What Prometheus gets to see of one process: `recording.py` has every metric and the one place that records each.

A metric's labels are the study's namespace and name, and besides them only words of closed sets, so that the number of
series grows with the studies that exist and with nothing else. Nothing is decided or measured here but how late the
event loop is: who knows a figure calls the method that records it.
"""
