"""The cluster's side of the ports, against a real API server and against a fake one that misbehaves on request."""
