"""The Kubernetes API server: trial Jobs, the status of studies, Events, the Lease.

The only package that imports the Kubernetes client, and that only to read configurations and credentials: requests are
plain JSON documents over one aiohttp session, because a Job's pod template belongs to the user and must pass unchanged
whatever fields its Kubernetes version knows. Here is no policy: what a Job's failure means, or whether one should be
created, is decided elsewhere. Whatever users can write into an object (labels, annotations, status) is read
defensively, so that one poisoned object harms no other.
"""
