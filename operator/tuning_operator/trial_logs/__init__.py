"""What a trial prints becomes what it reports: bytes of a log in, reports out, for containers that know nothing of us.

No file and no API server: where a log lies and how its stream is opened is known to `cluster/` and `local/`. Whatever
is in a log is hostile: lines are bounded, rubbish is skipped, and what the wire would refuse is ignored here too.
"""
