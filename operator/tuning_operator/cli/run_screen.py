"""Where a run is shown: a live picture on a terminal, one line for each trial elsewhere."""

from __future__ import annotations

from typing import Protocol

from rich.console import Console
from rich.live import Live
from rich.text import Text

from tuning_operator.cli.columns import names_in
from tuning_operator.cli.formats import parameters_text, seconds_text, value_text
from tuning_operator.cli.live_view import RunPicture, live_view
from tuning_operator.cli.theme import BEST, FAINT, STATE_STYLES, state_text
from tuning_operator.cli.trial_rows import FAILED, TrialRow


class Screen(Protocol):
    """Shows a run; a context manager."""

    def __enter__(self) -> Screen: ...

    def __exit__(self, *_: object) -> None: ...

    def say(self, sentence: str) -> None:
        """Show something that happened once."""

    def show(self, picture: RunPicture) -> None:
        """Show how far the run is."""

    def trial_ended(self, row: TrialRow, done: int, picture: RunPicture) -> None:
        """Show how a trial ended, the `done`-th of the study."""


class LiveScreen:
    """A picture that changes in place. Failed trials and sentences stay above it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> LiveScreen:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.update(Text(), refresh=True)
        self._live.stop()

    def say(self, sentence: str) -> None:
        """Print the sentence above the picture."""
        self._console.print(Text(sentence, style="yellow"))

    def show(self, picture: RunPicture) -> None:
        """Draw the picture anew."""
        self._live.update(live_view(picture, self._console.width, self._console.height), refresh=True)

    def trial_ended(self, row: TrialRow, done: int, picture: RunPicture) -> None:
        """Print a failed trial above the picture, which shows the others."""
        if row.state == FAILED:
            self._console.print(failure_text(row))


class PlainScreen:
    """One line for each trial that ended, for logs and pipes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._note = ""

    def __enter__(self) -> PlainScreen:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def say(self, sentence: str) -> None:
        """Print a line."""
        self._console.print(Text(sentence), soft_wrap=True)

    def show(self, picture: RunPicture) -> None:
        """Print what needs attention; the rest comes with the ends of trials."""
        if picture.note and picture.note != self._note:
            self.say(picture.note)
        self._note = picture.note

    def trial_ended(self, row: TrialRow, done: int, picture: RunPicture) -> None:
        """Print the trial."""
        self._console.print(ended_text(row, done, picture), soft_wrap=True)


def ended_text(row: TrialRow, done: int, picture: RunPicture) -> Text:
    """Return a trial's end on one line; a failed one tells why, and where its log is, on further ones."""
    digits = len(str(picture.max_trials))
    state = state_text(row.state)
    state.pad_right(max(0, 10 - len(state)))
    line = Text.assemble(
        (f"[{done:>{digits}}/{picture.max_trials}] ", FAINT),
        f"trial {row.number:<{digits}} ",
        state,
        f"  {value_text(row.value):>9} ",
        "".join(f" {value_text(row.further.get(metric)):>9} " for metric in picture.aims.further),
        (f" {seconds_text(row.seconds):>6}", FAINT),
        f"  {_parameters(row, picture)}",
    )
    best, front = picture.marked
    if row.number == best:
        line.append("  ★ best so far", style=BEST)
    elif row.number in front:
        line.append("  ★ on the front", style=BEST)
    return Text("\n").join([line, failure_text(row)]) if row.state == FAILED else line


def _parameters(row: TrialRow, picture: RunPicture) -> str:
    names = names_in([row.parameters], picture.parameters)
    return parameters_text({name: row.parameters[name] for name in names if name in row.parameters})


def failure_text(row: TrialRow) -> Text:
    """Return why a trial failed, and where its log is."""
    style = STATE_STYLES[FAILED]
    return Text.assemble((f"trial {row.number} failed with {row.why}", style), (f"\n  log: {row.log}", FAINT))
