"""A PostgreSQL server of the test's own, which it may kill: the one that TEST_POSTGRESQL_URL names is shared."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType

import psycopg

from .guard import guard
from .postgresql import ADVICE, MissingServer
from .processes import ManagedProcess, free_ports

_DEADLINE_S = 60.0


def find_programs() -> Path:
    """The folder with initdb and postgres. Raises MissingServer."""
    asked = [shutil.which("postgres")]
    if config := shutil.which("pg_config"):
        folder = subprocess.run([config, "--bindir"], capture_output=True, text=True, check=False).stdout.strip()
        asked.append(str(Path(folder, "postgres")))
    asked += map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), reverse=True))
    found = next((Path(program).parent for program in asked if program and os.access(program, os.X_OK)), None)
    if found is None:
        raise MissingServer(f"There is no program `postgres` on this machine; {ADVICE}.")
    return found


class PostgreSQLServer:
    """A server on a free port of 127.0.0.1; a context manager. What was committed outlives `kill`, not the end."""

    def __init__(self) -> None:
        self._programs = find_programs()
        self._folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
        guard.remove(self._folder)
        (self.port,) = free_ports(1)
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        data = self._folder / "data"
        options = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": "", "fsync": "off"}
        flags = [f"-c{name}={value}" for name, value in options.items()]
        self.process = ManagedProcess(
            "postgres",
            [*self._account(), str(self._programs / "postgres"), "-D", str(data), *flags],
            self._folder / "postgres.log",
            directory=self._folder,
        )
        initdb = [str(self._programs / "initdb"), "--auth=trust", "--username=postgres", "--no-sync", "-D", str(data)]
        made = subprocess.run([*self._account(), *initdb], capture_output=True, text=True, cwd=self._folder)
        if made.returncode != 0:
            raise MissingServer(f"initdb failed: {made.stderr}; {ADVICE}.")

    def start(self) -> None:
        """Starts it, killed or not, and returns when it answers."""
        deadline = time.monotonic() + _DEADLINE_S
        while not self._answers():
            self.process.start()  # also again: after a kill it waits for the last of its children to go
            if time.monotonic() > deadline:
                raise TimeoutError(f"PostgreSQL does not answer:\n{self.process.log_tail()}")
            time.sleep(0.05)

    def kill(self) -> None:
        """SIGKILL, as in a crash."""
        self.process.kill()

    def __enter__(self) -> PostgreSQLServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _account(self) -> list[str]:
        """The words before a command: PostgreSQL refuses to run as root."""
        if os.geteuid() != 0:
            return []
        names = {account.pw_name for account in pwd.getpwall()}
        name = "postgres" if "postgres" in names else "nobody"
        account = pwd.getpwnam(name)
        os.chown(self._folder, account.pw_uid, account.pw_gid)
        return ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True
