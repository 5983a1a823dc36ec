"""Fencing: a leader that was replaced writes nothing any more, whatever it believes of its Lease.

Each leader takes the next number when it takes over, and each of its write transactions first reads the number again
with a lock that the next leader's UPDATE waits for. So what a leader commits was begun and ended before its successor
got its number, and the successor, which loads the histories after that, sees it.

The number is the database's own: a Lease that somebody deletes counts from the beginning again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, select

from tuning_operator.errors import LeaseLost
from tuning_operator.search import tables

_NUMBER = {
    "sqlite": "SELECT number FROM tuning_leaders WHERE election = ?",
    # FOR SHARE and not FOR KEY SHARE, with which the UPDATE of another column would not wait.
    "postgresql": "SELECT number FROM tuning_leaders WHERE election = %s FOR SHARE",
}
"""As text: this goes before every write, and SQLAlchemy's own way takes longer than the database."""
STALLED_SECONDS = 5.0
"""Age of a transaction that holds a fence and that a new leader ends. A leader that is paused, or whose node is gone,
may leave one open for ever, and PostgreSQL's own timeouts don't apply in the middle of a batch of statements."""
_END_STALLED = """
SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'relation' AND relation = 'tuning_leaders'::regclass AND mode = 'RowShareLock'
AND datname = current_database() AND xact_start < now() - make_interval(secs => %s)
"""


@dataclass(frozen=True)
class Fence:
    """What lets one leader's write transactions through."""

    election: str
    number: int
    """Grows with each leader of the election."""
    on_lost: Callable[[LeaseLost], None]
    """Called, in the thread of a write, when the write is stopped."""

    def check(self, connection: Connection) -> None:
        """Go on with a transaction that just began, unless another leader has a number already.

        Raises
        ------
        LeaseLost
            This leader was replaced: it must end.
        """
        query = _NUMBER[connection.dialect.name]
        if connection.exec_driver_sql(query, (self.election,)).scalar() == self.number:
            return
        holder = connection.execute(
            select(tables.leaders.c.holder).where(tables.leaders.c.election == self.election)
        ).scalar()
        error = LeaseLost(
            f"the operator {holder or '(unknown)'} took the database over in the election {self.election}"
        )
        self.on_lost(error)
        raise error


def next_number(connection: Connection, election: str, holder: str) -> int:
    """Give the election's next number to a new leader; waits for the transactions of the one before."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(_END_STALLED, (STALLED_SECONDS,))
    insert = tables.insert(connection, tables.leaders)
    take = insert.on_conflict_do_update(
        index_elements=["election"],
        set_={"number": tables.leaders.c.number + 1, "holder": insert.excluded.holder},
    ).returning(tables.leaders.c.number)
    row = {"election": election, "number": 1, "holder": holder}
    return int(connection.execute(take, row).scalar_one())
