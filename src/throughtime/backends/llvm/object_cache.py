"""Compiled objects kept on disk, in a folder that only the user can write.

An entry holds machine code, so it is trusted only if folder and file belong to the
user, nobody else may write them, and its checksum holds; anything else is compiled
again. Entries are written to a file beside and moved into place.
"""

import contextlib
import hashlib
import json
import os
import stat
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import cache
from importlib import metadata, resources
from pathlib import Path

MAGIC = b"throughtime 1\n"
DIGEST_BYTES = 32
UNUSED_SECONDS = 30 * 24 * 3600
VARIABLE = "THROUGHTIME_CACHE"

Entry = tuple[dict[str, object], bytes]


def folder() -> Path:
    """Where entries lie: ``THROUGHTIME_CACHE``, or the user's cache folder."""
    chosen = os.environ.get(VARIABLE)
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "throughtime"


def cached(key: str, make: Callable[[], Entry]) -> Entry:
    """The entry of a key: read if it is there and whole, else made and written."""
    place = _own_folder()
    if place is None:
        return make()
    path = place / f"{hashlib.sha256(key.encode()).hexdigest()}.object"
    found = _read(path, key)
    if found is None:
        found = make()
        _write(path, key, found)
    return found


@cache
def version() -> str:
    """What shapes machine code beside the key: the emitter's own text, llvmlite."""
    digest = hashlib.sha256()
    for package in ("throughtime.graph", "throughtime.backends.llvm"):
        for path in sorted(_files(package)):
            digest.update(path.read_bytes())
    return f"{digest.hexdigest()} llvmlite {metadata.version('llvmlite')}"


def _files(package: str) -> list[Path]:
    with resources.as_file(resources.files(package)) as root:
        return list(root.rglob("*.py"))


def _own_folder() -> Path | None:
    """The folder if it can be trusted; without it nothing is kept, and we say so."""
    place: Path | str = "the user's cache folder"
    try:
        place = folder()
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        if _is_private(place.stat()) and os.access(place, os.W_OK):
            return place
        reason = "others may write it or it is not yours"
    except (OSError, RuntimeError) as error:  # RuntimeError: there is no home
        reason = str(error)
    _warn_once(f"{place}: {reason}")
    return None


@cache
def _warn_once(reason: str) -> None:
    warnings.warn(
        f"Compiled code is not kept on disk ({reason}); every process compiles anew. "
        f"Set {VARIABLE} to a folder of your own.",
        stacklevel=2,
    )


def _is_private(found: os.stat_result) -> bool:
    if not hasattr(os, "getuid"):
        return True
    open_to_others = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return found.st_uid == os.getuid() and not open_to_others


def _read(path: Path, key: str) -> Entry | None:
    try:
        with path.open("rb") as file:
            if not _is_private(os.fstat(file.fileno())):
                return None
            content = file.read()
        # Its age says when it was last of use.
        os.utime(path)
    except OSError:
        return None
    start = len(MAGIC) + DIGEST_BYTES
    body = content[start:]
    if not content.startswith(MAGIC):
        return None
    if hashlib.sha256(body).digest() != content[len(MAGIC) : start]:
        return None
    return _entry(body, key)


def _entry(body: bytes, key: str) -> Entry | None:
    head, _, code = body.partition(b"\n")
    try:
        facts = json.loads(head)
    except ValueError:
        return None
    if not isinstance(facts, dict) or facts.get("key") != key:
        return None
    return facts["facts"], code


def _prune(place: Path) -> None:
    """Drop what nothing has used for a month; an emitter's change orphans all."""
    oldest = time.time() - UNUSED_SECONDS
    for path in (*place.glob("*.object"), *place.glob("*.part")):
        # Another process may have been quicker.
        with contextlib.suppress(OSError):
            if path.stat().st_mtime < oldest:
                path.unlink()


def _write(path: Path, key: str, entry: Entry) -> None:
    facts, code = entry
    head = json.dumps({"key": key, "facts": facts}).encode()
    body = head + b"\n" + code
    content = MAGIC + hashlib.sha256(body).digest() + body
    _prune(path.parent)
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(name).replace(path)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        _warn_once(f"{path.parent}: {error}")
