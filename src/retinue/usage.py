"""The request log's spool: a worker appends each decision here, the follower ships it.

A spool is a folder with one writer for its whole life. Entries go into memory-mapped segments, so an
append is a copy into the page cache: no system call, and the entry survives when the worker is killed.
An entry's length is written last, so that a reader never takes a torn one; the checksum beside it finds
pages that a power cut took, and keeps weakly ordered processors honest.
Each start of a worker opens a new spool: an entry is known for ever by (spool, sequence).

Disk use is bounded for all spools of a folder together. Past three quarters of the bound allowed
decisions are no longer written, past the whole bound none; both are counted, never silent.

Layout: ``<folder>/<spool>/lock`` (held by the writer with flock) and ``<first sequence>.seg``. A segment
is a 64-byte header, then entries: length and Adler-32 as two native 32-bit words, the entry in msgpack, zero
bytes to the next multiple of 8. A length of 0 is "not written yet", ``_END`` is "go on in the next segment".
"""

from __future__ import annotations

import fcntl
import mmap
import os
import secrets
import shutil
import time
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from struct import Struct
from zlib import adler32

import msgspec

SEGMENT_BYTES = 8 << 20
LIMIT_BYTES = 512 << 20
#: Longest entry. A longer one has its texts cut, so that a record always fits into a batch.
MAX_ENTRY_BYTES = 16 << 10
_CUT_CHARACTERS = 512
_HEADER = b"rtnspool\x01".ljust(64, b"\0")
_END = 0xFFFFFFFF
_RETRY_SECONDS = 0.05
#: A spool folder without a lock file is being made; after this many seconds its maker is taken for dead.
_BIRTH_SECONDS = 60.0
_words = Struct("=II")


class Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One decision about a genuine token, as the request log keeps it. ``path`` is without the query.

    ``at_ms`` is the wall clock in milliseconds since 1970, ``duration_us`` the decision's microseconds.
    ``route`` is the template of the path, ``status`` what the host answered, where who asked knew them.
    A new field goes last and has a default.
    """

    at_ms: int
    organization: str
    account: str
    account_name: str
    account_kind: str
    credential_id: str
    allowed: bool
    reason: str | None
    permission: str | None
    method: str | None
    path: str | None
    address: str | None
    client: str | None
    revision: int
    duration_us: int
    request_id: str | None = None
    route: str | None = None
    status: int | None = None


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Entry).decode


class Spool:
    """The writer's end. One object a process and thread; the lock ends with the process, however it ends.

    ``dropped_allowed`` and ``dropped_denied`` count the entries that the bound on disk use kept out.
    """

    def __init__(
        self,
        folder: Path,
        worker: str,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        limit_bytes: int = LIMIT_BYTES,
    ) -> None:
        """Open a new spool in ``folder`` for ``worker``. Raises ``OSError`` if the folder is not writable."""
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._limit = limit_bytes
        self._limit_allowed = limit_bytes - limit_bytes // 4
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path, self._lock = _create(folder, worker)
        self.name = self.path.name
        #: Sequence of the next entry.
        self.sequence = 0
        self.dropped_allowed = 0
        self.dropped_denied = 0
        self._spare: mmap.mmap | None = None
        self._map = mmap.mmap(-1, mmap.PAGESIZE)  # stands for "no segment" while _end is 0
        self._view = memoryview(self._map).cast("I")
        self._offset = 0
        self._end = 0
        self._choked = False
        self._retry_at = 0.0
        self.prepare()

    def append(self, entry: Entry) -> bool:
        """Write ``entry``; false if the bound on disk use kept it out. Makes no system call but at a roll."""
        try:
            data = _encode(entry)
        except UnicodeEncodeError:
            data = _encode(_mended(entry))
        return self.append_encoded(data, entry.allowed)

    def append_encoded(self, data: bytes, allowed: bool) -> bool:
        """Write an entry as :meth:`append` does, one that is encoded already: see :func:`encoded`."""
        size = len(data)
        start = self._offset
        end = (start + size + 15) & ~7
        if end > self._end or size > MAX_ENTRY_BYTES or (self._choked and allowed):
            return self._append_slowly(_decode(data), data)
        self._map[start + 8 : start + 8 + size] = data
        view = self._view
        index = start >> 2
        view[index + 1] = adler32(data)
        view[index] = size  # last: from here on the entry exists
        self._offset = end
        self.sequence += 1
        return True

    def prepare(self) -> None:
        """Make the next segment before it is needed. Call it from a timer, a few times a second."""
        if self._spare is None and self._offset * 2 >= self._end:
            self._spare = self._new_segment()
        elif self._choked:
            self._measure()

    def close(self) -> None:
        """Let go of the spool: its reader ships the rest and removes it."""
        self._view.release()
        self._map.close()
        if self._spare is not None:
            self._spare.close()
        with suppress(FileNotFoundError):
            (self.path / "spare").unlink()
        os.close(self._lock)

    def abandon(self) -> None:
        """In a process that was forked: let go of what belongs to the other one, and change nothing of it."""
        self._view.release()
        self._map.close()
        if self._spare is not None:
            self._spare.close()
        os.close(self._lock)

    def _append_slowly(self, entry: Entry, data: bytes) -> bool:
        """The rare cases: an entry that is too long, a full segment, a full disk."""
        if len(data) > MAX_ENTRY_BYTES:
            return self.append(_mended(entry))
        if self._choked and entry.allowed and (not self._may_retry() or not self._measure()):
            self.dropped_allowed += 1
            return False
        if ((self._offset + len(data) + 15) & ~7) <= self._end:
            return self.append(entry)
        if self._roll() and not (self._choked and entry.allowed):
            return self.append(entry)
        if entry.allowed:
            self.dropped_allowed += 1
        else:
            self.dropped_denied += 1
        return False

    def _roll(self) -> bool:
        """Go on in a new segment; false if there is no room for one."""
        if self._spare is None and self._may_retry():
            self._spare = self._new_segment()
        if self._spare is None:
            return False
        if self._end:
            self._view[self._offset >> 2] = _END
        self._view.release()
        self._map.close()
        (self.path / "spare").rename(self.path / f"{self.sequence:020d}.seg")
        self._map, self._spare = self._spare, None
        self._view = memoryview(self._map).cast("I")
        self._offset = len(_HEADER)
        self._end = self._segment_bytes - 8  # room for the end mark
        return True

    def _new_segment(self) -> mmap.mmap | None:
        """Reserve a segment on disk. Reserved, not sparse: a full disk must not kill a worker by SIGBUS."""
        self._measure()
        if _disk_use(self._folder) + self._segment_bytes > self._limit:
            return None
        spare = self.path / "spare"
        try:
            descriptor = os.open(spare, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, self._segment_bytes)
                made = mmap.mmap(descriptor, self._segment_bytes)
            finally:
                os.close(descriptor)
        except OSError:
            with suppress(OSError):
                spare.unlink()
            return None
        made[: len(_HEADER)] = _HEADER
        return made

    def _measure(self) -> bool:
        """Tell whether allowed decisions may be written, by the present use of the disk."""
        self._choked = _disk_use(self._folder) > self._limit_allowed
        return not self._choked

    def _may_retry(self) -> bool:
        now = time.monotonic()
        if now < self._retry_at:
            return False
        self._retry_at = now + _RETRY_SECONDS
        return True


class SpoolTail:
    """The reader's end of one spool. ``next`` is the sequence of the entry that is read next.

    ``lost`` counts entries that were appended and cannot be read (a power cut, a damaged disk).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name
        self.next = 0
        self.lost = 0
        self._due = 0  # the sequence that follows what was returned so far
        self._map: mmap.mmap | None = None
        self._offset = 0

    def seek(self, sequence: int) -> None:
        """Go to ``sequence``; if that entry is not there, to the nearest one that may come or is left."""
        self.close()
        self.next = self._due = sequence
        if not (segments := self._segments()):
            return
        self._open(max((first for first in segments if first <= sequence), default=segments[0]))
        while self.next < sequence and self._take() is not None:
            pass

    def read(self, limit: int) -> tuple[int, list[Entry]]:
        """Return the sequence of the first entry, and at most ``limit`` entries, no gap between them."""
        if self._map is None:
            self.seek(self._due)
        first = self._due
        entries: list[Entry] = []
        while len(entries) < limit and (taken := self._take()) is not None:
            sequence, data = taken
            try:
                entry = _decode(data)
            except (msgspec.DecodeError, UnicodeDecodeError):  # a gap before the next one
                continue
            if entries and sequence > self._due:
                due = self._due
                self.seek(sequence)  # it comes again, and the gap before it is counted then
                self._due = due
                break
            if not entries:
                first = sequence
            self.lost += sequence - self._due
            self._due = sequence + 1
            entries.append(entry)
        return first, entries

    def release(self, shipped: int) -> None:
        """Delete the segments that hold no entry from sequence ``shipped`` on."""
        segments = self._segments()
        for first, following in pairwise(segments):
            if following <= shipped:
                (self.path / f"{first:020d}.seg").unlink(missing_ok=True)

    def writer_gone(self) -> bool:
        """Tell whether the writer has ended. Ask before the last read: what it wrote is then all there."""
        lock = _lock_if_free(self.path)
        if lock is not None:
            os.close(lock)
        return lock is not None

    def remove(self) -> bool:
        """Delete the spool if its writer has ended; false, and nothing done, while it lives."""
        lock = _lock_if_free(self.path)
        if lock is None:
            return False
        self.lost += max(self.next - self._due, 0) + self._is_damaged()
        self.close()
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(lock)
        return True

    def close(self) -> None:
        """Unmap the segment; the next read opens it again."""
        if self._map is not None:
            self._map.close()
            self._map = None

    def _take(self) -> tuple[int, bytes] | None:
        """Return the next entry's sequence and bytes and go past it; ``None`` if there is none yet."""
        while self._map is not None:
            data = self._look()
            if data is not None:
                self._offset += (len(data) + 15) & ~7
                self.next += 1
                return self.next - 1, data
            following = [first for first in self._segments() if first >= self.next and first != self._first]
            if not following:
                return None
            # The writer may have gone on and rolled since we looked; only now this segment is complete.
            if self._look() is None:
                self._open(following[0])
        return None

    def _look(self) -> bytes | None:
        """Return the bytes of the entry at the present place if it is complete."""
        assert self._map is not None  # noqa: S101  (told by every caller's condition)
        if self._offset + 8 > len(self._map):
            return None
        size, checksum = _words.unpack_from(self._map, self._offset)
        if not 0 < size <= MAX_ENTRY_BYTES:
            return None
        data = self._map[self._offset + 8 : self._offset + 8 + size]
        return data if len(data) == size and adler32(data) == checksum else None

    def _is_damaged(self) -> bool:
        """Tell whether something stands at the present place that is no entry and no end."""
        if self._map is None or self._offset + 8 > len(self._map) or self._look() is not None:
            return False
        return _words.unpack_from(self._map, self._offset)[0] not in (0, _END)

    def _open(self, first: int) -> None:
        self.close()
        with (self.path / f"{first:020d}.seg").open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._first = self.next = first
        self._offset = len(_HEADER)
        if self._map[: len(_HEADER)] != _HEADER:  # lost by a power cut, or of another version
            self._offset = len(self._map)

    def _segments(self) -> list[int]:
        """Return the first sequences of the segments. An empty one (a power cut) cannot be mapped."""
        files = self.path.glob("*.seg")
        return sorted(int(file.stem) for file in files if file.stem.isdecimal() and file.stat().st_size)


def spools(folder: Path) -> list[Path]:
    """Return the spools in ``folder``, whether their writers live or not."""
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False))
    except FileNotFoundError:
        return []


def _create(folder: Path, worker: str) -> tuple[Path, int]:
    """Make a new spool folder and lock it. A reader that removes it in between makes us begin again."""
    while True:
        path = folder / f"{worker}-{secrets.token_hex(8)}"
        path.mkdir(mode=0o700)
        with suppress(FileNotFoundError):
            descriptor = os.open(path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            with suppress(FileNotFoundError):
                if (path / "lock").stat().st_ino == os.fstat(descriptor).st_ino:
                    return path, descriptor
            os.close(descriptor)


def _lock_if_free(path: Path) -> int | None:
    """Return a descriptor that holds the spool's lock, or ``None`` if its writer lives (or is being born)."""
    try:
        descriptor = os.open(path / "lock", os.O_RDWR)
    except FileNotFoundError:
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > _BIRTH_SECONDS:
                return os.open(path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _disk_use(folder: Path) -> int:
    """Return the bytes of all segments in ``folder``. Files may vanish while we look."""
    used = 0
    for path in spools(folder):
        with suppress(FileNotFoundError), os.scandir(path) as files:
            for file in files:
                with suppress(FileNotFoundError):
                    used += file.stat(follow_symlinks=False).st_size
    return used


def _mended(entry: Entry) -> Entry:
    """Return ``entry`` with its texts cut to a bound and with what UTF-8 cannot hold replaced."""
    texts = {
        field: value[:_CUT_CHARACTERS].encode("utf-8", "replace").decode()
        for field, value in msgspec.structs.asdict(entry).items()
        if isinstance(value, str)
    }
    return msgspec.structs.replace(entry, **texts)
