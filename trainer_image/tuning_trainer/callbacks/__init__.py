"""Callbacks for training frameworks, one module each: Lightning, Keras and Hugging Face's Trainer.

    from tuning_trainer.callbacks.lightning import TuningCallback

    Trainer(callbacks=[TuningCallback()]).fit(model)

Each reports the metrics that the framework logged after its validation, stops the training by the framework's own
means when the study says so, and calls `Trial.prune` once the training has wound up: never between two steps, where
the other ranks of a distributed training would wait for this one.

A framework is imported in its own module only. Nothing here logs, saves or evaluates by itself, and nothing outside
this package imports from it.
"""
