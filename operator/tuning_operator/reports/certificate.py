"""The certificate of the report endpoint, read again when its files change: a Secret is renewed without a restart."""

from __future__ import annotations

import asyncio
import logging
import ssl
from pathlib import Path

from tuning_operator.settings import InvalidSetting

_log = logging.getLogger(__name__)

CHECK_SECONDS = 10.0
"""Seconds between two looks at the files; the kubelet itself brings a new Secret within a minute or two."""

MAX_AUTHORITY_BYTES = 64 * 1024
"""Longest `ca.crt`: each trial's Job carries it, and Linux starts no process with a variable of twice the length."""


class ServingCertificate:
    """A certificate with its key, and the authority's certificates that trials are given to check it against.

    `folder` is a mounted Secret of the type kubernetes.io/tls: `tls.crt`, `tls.key` and maybe `ca.crt`.

    Raises
    ------
    InvalidSetting
        The files can't be used.
    """

    def __init__(self, folder: Path, server_name: str | None = None) -> None:
        self._folder = folder
        self.server_name = server_name
        """The name that it is for, where another operator is reached by its address; None: the address."""
        self._files = (folder / "tls.crt", folder / "tls.key")
        self._authority_file = folder / "ca.crt"
        try:
            self._contents = self._read()
            self._use(self._contents)
        except (OSError, ValueError) as error:
            raise InvalidSetting(f"the certificate for reports in {folder} can't be used: {error}") from error

    @property
    def context(self) -> ssl.SSLContext:
        """What a new connection is encrypted with."""
        return self._context

    @property
    def peer_context(self) -> ssl.SSLContext:
        """What another operator's certificate is checked with."""
        return self._peer_context

    @property
    def authority(self) -> str | None:
        """The authority's certificates as PEM; None: the trials' images have to know them."""
        return self._authority

    async def follow(self) -> None:
        """Use the files as they are; never returns."""
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            self.refresh()

    def refresh(self) -> None:
        """Use the files if they have changed; where they can't be used, what was read before stays in use."""
        try:
            contents = self._read()
            if contents == self._contents:
                return
            self._contents = contents  # remembered first: one warning for each change, and the next one is read again
            self._use(contents)
            _log.info("the renewed certificate in %s encrypts reports", self._folder)
        except (OSError, ValueError) as error:
            _log.warning("the certificate in %s can't be used, the one before stays in use: %s", self._folder, error)

    def _read(self) -> tuple[bytes, ...]:
        authority = self._authority_file.read_bytes() if self._authority_file.is_file() else b""
        return (*(file.read_bytes() for file in self._files), authority)

    def _use(self, contents: tuple[bytes, ...]) -> None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*self._files)
        authority = contents[-1].decode("ascii") or None
        if authority is not None and len(authority) > MAX_AUTHORITY_BYTES:
            raise ValueError(f"ca.crt has more than {MAX_AUTHORITY_BYTES} bytes; leave what signed tls.crt")
        peer_context = ssl.create_default_context(cadata=authority)  # raises where trials could not read it
        self._context, self._peer_context, self._authority = context, peer_context, authority
