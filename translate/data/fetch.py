"""Fetch one file over HTTP, going on where an earlier attempt stopped."""

import contextlib
import errno
import http.client
import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from translate.errors import DataError

_ATTEMPTS = 5
_BLOCK = 1 << 18
_TIMEOUT = 30.0
Progress = Callable[[int, int | None], None]


class UnreachableError(DataError):
    """The file could not be fetched; the message says why, as part of a sentence."""


class _CutShortError(OSError):
    """The connection ended before the file did."""


def fetch(url: str, path: Path, *, progress: Progress | None = None, wait: float = 1.0) -> None:
    """Fetch `url` to `path`, by way of `path`.part, which an interrupted call leaves for the next one to go on with.

    A part is only added to where the server vouches that the file is still the same (ETag or date, or the same total
    size); otherwise it starts over. Retries a few times, pausing `wait` seconds and then twice as long each time;
    attempts that brought something do not count. Raises UnreachableError.
    """
    if not url.startswith(("http://", "https://")):
        raise UnreachableError("only http and https addresses are fetched")
    part = path.with_name(path.name + ".part")
    failures, most = 0, _size(part)
    while True:
        try:
            _attempt(url, part, progress)
            break
        except urllib.error.HTTPError as error:
            error.close()
            if error.code < 500 and error.code not in (408, 429):
                raise UnreachableError(f"the server answers {error.code} {error.reason}") from error
            reason = f"the server answers {error.code} {error.reason}"
        except (OSError, http.client.HTTPException) as error:
            if _no_space(error):
                raise DataError(f"No space left on the disk while writing {part}; it is kept. Free some.") from error
            if _hopeless(error):
                raise UnreachableError(_reason(error)) from error
            reason = _reason(error)
        # More than ever before, not more than last time: a server without ranges that hangs up must not go on for ever.
        failures = 0 if _size(part) > most else failures + 1
        most = max(most, _size(part))
        if failures >= _ATTEMPTS:
            raise UnreachableError(f"{reason}, {_ATTEMPTS} times in a row")
        time.sleep(wait * 2 ** max(failures - 1, 0))
    part.replace(path)
    _note(part).unlink(missing_ok=True)


def _attempt(url: str, part: Path, progress: Progress | None) -> None:
    """Ask once for what is missing of `part` and write it; raises OSError or HTTPException if it ends early."""
    note = _read_note(part, url)
    have = _size(part) if note else 0
    request = urllib.request.Request(url, headers={"User-Agent": "translate", "Accept-Encoding": "identity"})
    if have:
        request.add_header("Range", f"bytes={have}-")
        if note["validator"]:
            request.add_header("If-Range", note["validator"])
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != 416:
            raise
        error.close()
        if have == note["total"]:
            return
        _forget(part)
        raise _CutShortError("the server has less than what was fetched before") from error
    with response:
        start, total = _place(response)
        if not start:
            _begin(part, url, _validator(response), total)
        elif start != have or _changed(note, _validator(response), total):
            _forget(part)
            raise _CutShortError("the file on the server has changed")
        done = start
        with part.open("ab" if start else "wb") as file:
            while block := response.read(_BLOCK):
                file.write(block)
                done += len(block)
                if progress:
                    progress(done, total)
    if total is not None and done != total:
        raise _CutShortError(f"the connection ended after {done} of {total} bytes")


def _place(response: http.client.HTTPResponse) -> tuple[int, int | None]:
    """First byte that the response brings, and the size of the whole file if the server says it."""
    if response.status == 206:
        unit, _, rest = response.headers.get("Content-Range", "").partition(" ")
        span, _, total = rest.partition("/")
        first = span.partition("-")[0]
        if unit == "bytes" and first.isdecimal():
            return int(first), int(total) if total.isdecimal() else None
        raise http.client.HTTPException("the server's answer to a range is malformed")
    length = response.headers.get("Content-Length", "")
    return 0, int(length) if length.isdecimal() else None


def _validator(response: http.client.HTTPResponse) -> str | None:
    tag = response.headers.get("ETag")
    # A weak tag may not be used for ranges (RFC 9110, 13.1.5).
    return tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified")


# Beside a part lies a note of what it is a part of.


def _note(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _read_note(part: Path, url: str) -> dict:
    """What was noted of `part`, or nothing if it is of another address or the note is damaged."""
    try:
        note = json.loads(_note(part).read_text(encoding="utf-8"))
        return note if note["url"] == url and {"validator", "total"} <= note.keys() else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _begin(part: Path, url: str, validator: str | None, total: int | None) -> None:
    # The old part goes before its note changes: a kill in between must not leave bytes under a foreign note.
    part.unlink(missing_ok=True)
    _note(part).write_text(json.dumps({"url": url, "validator": validator, "total": total}), encoding="utf-8")


def _changed(note: dict, validator: str | None, total: int | None) -> bool:
    return any(old is not None and old != new for old, new in ((note["validator"], validator), (note["total"], total)))


def _forget(part: Path) -> None:
    for path in (part, _note(part)):
        path.unlink(missing_ok=True)


def _size(path: Path) -> int:
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_size
    return 0


def _cause(error: BaseException) -> BaseException:
    reason = getattr(error, "reason", None)
    return reason if isinstance(reason, BaseException) else error


def _hopeless(error: BaseException) -> bool:
    """No name server, nobody listening, or a file that cannot be written: to ask again would only take time."""
    return isinstance(_cause(error), socket.gaierror | ConnectionRefusedError | PermissionError | IsADirectoryError)


def _no_space(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def _reason(error: BaseException) -> str:
    cause = _cause(error)
    return str(getattr(cause, "strerror", None) or cause or type(cause).__name__).rstrip(".")
