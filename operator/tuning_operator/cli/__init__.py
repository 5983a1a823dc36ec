"""The command line: `tuning`, also installed as `kubectl-tuning`.

The only package that imports typer and rich. What a command needs is imported when it runs, so that `tuning --help`
answers at once. Reading (files, histories, the cluster) and rendering are apart: what draws tables and the live view
takes plain values and does no I/O. No decision about a study or a trial is made here.
"""
