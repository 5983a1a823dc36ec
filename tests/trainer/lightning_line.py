"""A line as a Lightning module, in the text of training scripts."""

from __future__ import annotations

LINE = """\
import torch
from lightning.pytorch import LightningModule, Trainer
from tuning_trainer.callbacks.lightning import TuningCallback

class Line(LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def training_step(self, batch, index):
        loss = self.layer(batch).square().mean()
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch, index):
        self.log_dict({"val_loss": self.layer(batch).square().mean(), "bad name": 1.0})

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)

def loader():
    return torch.utils.data.DataLoader(torch.ones(8, 1), batch_size=2)
"""
