"""The ready-made trainer's tasks, one file each; each says which parameters it has and how it trains.

Task files import numpy, PyTorch and scikit-learn inside their functions only: `--help` and a wrong flag need none of
them. Nothing here reads the environment or the command line, and nothing here talks to the operator but through the
trial it is given.
"""
