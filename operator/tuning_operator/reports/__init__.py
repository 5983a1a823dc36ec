"""The HTTP surface: trials report here, and people read a study's trials here.

Credentials, the wire format in and out, and the limits that keep a hostile client from harming others live here; the
server is the operator's and the local runner's. It knows the ports only: no Optuna, no SQL, no Kubernetes, no decision
about a trial. What comes in is hostile until it has been checked, and no answer shows the inside of the process.
"""
