"""Downloads resume, are checked and unpack safely; the servers here are this process's own."""

import hashlib
import io
import stat
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from translate.data import catalogue, unpack
from translate.data.catalogue import Entry
from translate.data.download import download
from translate.errors import DataError


class Server(ThreadingHTTPServer):
    """Serves `body` at every path. `drops`: bytes after which answers are cut; `ranges`: whether it knows Range."""

    daemon_threads = True

    def __init__(self, body: bytes, ranges: bool = True, drops: tuple[int, ...] = (), status: int = 200) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.body, self.ranges, self.drops, self.status = body, ranges, list(drops), status
        self.asked: list[str | None] = []

    @property
    def tag(self) -> str:
        return f'"{hashlib.md5(self.body).hexdigest()}"'

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/horse2zebra.zip"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = self.server
        asked = self.headers.get("Range")
        server.asked.append(asked)
        if server.status != 200:
            self.send_error(server.status)
            return
        start = 0
        if server.ranges and asked and self.headers.get("If-Range", server.tag) == server.tag:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
        body = server.body[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(server.body) - 1}/{len(server.body)}")
        self.send_header("ETag", server.tag)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: server.drops.pop(0)] if server.drops else body)

    def log_message(self, *arguments) -> None:
        pass


@pytest.fixture
def serve(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    servers = []

    def start(body: bytes, **behaviour) -> Server:
        server = Server(body, **behaviour)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def know(monkeypatch, body: bytes | None, sha256: str | None = None, url: str | None = None) -> None:
    """Let horse2zebra be published with the size and hash of `body`."""
    digest = sha256 or (hashlib.sha256(body).hexdigest() if body is not None else None)
    row = catalogue.KNOWN["horse2zebra"]
    size = len(body) if body is not None else None
    monkeypatch.setitem(catalogue.KNOWN, "horse2zebra", Entry("unpaired", url or row.url, size, digest, "d", "t"))


def make_zip(members: dict[str, bytes], links: tuple[str, ...] = ()) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, data in members.items():
            file.writestr(name, data)
        for name in links:
            info = zipfile.ZipInfo(name)
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
            file.writestr(info, "/etc/passwd")
    return buffer.getvalue()


def make_tar(*members: tuple[str, bytes, bytes]) -> bytes:
    """A .tar.gz of (name, type, data or link target)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as file:
        for name, kind, data in members:
            info = tarfile.TarInfo(name)
            info.type = kind
            if kind == tarfile.REGTYPE:
                info.size = len(data)
                file.addfile(info, io.BytesIO(data))
            else:
                info.linkname = data.decode()
                file.addfile(info)
    return buffer.getvalue()


GOOD = make_zip({"horse2zebra/trainA/1.jpg": b"horse" * 9999, "horse2zebra/trainB/1.jpg": b"zebra" * 9999})


def is_good(folder) -> bool:
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.*")}
    return files == {"trainA/1.jpg": b"horse" * 9999, "trainB/1.jpg": b"zebra" * 9999}


def test_fetches_checks_unpacks_and_tidies_up(serve, monkeypatch, tmp_path):
    know(monkeypatch, GOOD)
    seen = []
    folder = download(
        "horse2zebra", tmp_path / "datasets", address=serve(GOOD).address, progress=lambda *now: seen.append(now)
    )
    assert folder == tmp_path / "datasets" / "horse2zebra"
    assert is_good(folder)
    assert seen[-1] == (len(GOOD), len(GOOD))
    assert [path.name for path in folder.parent.iterdir()] == ["horse2zebra"]


def test_a_set_that_is_there_is_left_alone(tmp_path):
    (tmp_path / "horse2zebra").mkdir()
    (tmp_path / "horse2zebra" / "mine").write_text("")
    assert download("horse2zebra", tmp_path) == tmp_path / "horse2zebra"


def test_a_dropped_connection_is_resumed(serve, monkeypatch, tmp_path):
    know(monkeypatch, GOOD)
    server = serve(GOOD, drops=(30000, 20000))
    assert is_good(download("horse2zebra", tmp_path, address=server.address, wait=0))
    assert server.asked == [None, "bytes=30000-", "bytes=50000-"]


def test_a_server_without_ranges_starts_over(serve, monkeypatch, tmp_path):
    know(monkeypatch, GOOD)
    server = serve(GOOD, ranges=False, drops=(30000, 20000))
    assert is_good(download("horse2zebra", tmp_path, address=server.address, wait=0))


def cut_short(server, tmp_path):
    """Leave 30,000 bytes of a download behind."""
    with pytest.raises(DataError, match="in a row"):
        download("horse2zebra", tmp_path, address=server.address, wait=0)
    assert (tmp_path / "horse2zebra.zip.part").stat().st_size == 30000


def test_a_later_call_goes_on(serve, monkeypatch, tmp_path):
    know(monkeypatch, GOOD)
    server = serve(GOOD, drops=(30000, *[0] * 9))
    cut_short(server, tmp_path)
    server.drops.clear()
    assert is_good(download("horse2zebra", tmp_path, address=server.address, wait=0))
    assert server.asked[-1] == "bytes=30000-"


def test_a_changed_file_starts_over(serve, monkeypatch, tmp_path):
    know(monkeypatch, GOOD)
    other = make_zip({"horse2zebra/trainA/1.jpg": b"other" * 9999})
    server = serve(other, drops=(30000, *[0] * 9))
    cut_short(server, tmp_path)
    server.drops.clear()
    server.body = GOOD
    assert is_good(download("horse2zebra", tmp_path, address=server.address, wait=0))


def test_a_complete_part_is_used(serve, monkeypatch, tmp_path):
    know(monkeypatch, GOOD)
    server = serve(GOOD, drops=(30000, *[0] * 9))
    cut_short(server, tmp_path)
    server.drops.clear()
    (tmp_path / "horse2zebra.zip.part").write_bytes(GOOD[:-1])
    assert is_good(download("horse2zebra", tmp_path, address=server.address, wait=0))


def test_a_server_that_always_hangs_up_is_given_up(serve, monkeypatch, tmp_path):
    know(monkeypatch, GOOD)
    server = serve(GOOD, ranges=False, drops=(100,) * 50)
    with pytest.raises(DataError, match="5 times in a row"):
        download("horse2zebra", tmp_path, address=server.address, wait=0)
    assert len(server.asked) < 10


@pytest.mark.parametrize("published", [{"body": GOOD + b"1"}, {"body": GOOD, "sha256": "0" * 64}])
def test_a_foreign_archive_is_refused(published, serve, monkeypatch, tmp_path):
    know(monkeypatch, **published)
    with pytest.raises(DataError, match="not the published"):
        download("horse2zebra", tmp_path, address=serve(GOOD).address)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "horse2zebra.zip").write_bytes(GOOD)
    with pytest.raises(DataError, match="Remove it"):
        download("horse2zebra", tmp_path, address="http://127.0.0.1:9/")
    assert (tmp_path / "horse2zebra.zip").read_bytes() == GOOD


def test_an_archive_put_there_by_hand_is_used_and_kept(monkeypatch, tmp_path):
    know(monkeypatch, GOOD)
    (tmp_path / "horse2zebra.zip").write_bytes(GOOD)
    assert is_good(download("horse2zebra", tmp_path, address="http://127.0.0.1:9/nobody"))
    assert (tmp_path / "horse2zebra.zip").exists()


@pytest.mark.parametrize("status", [403, 404, 503])
def test_refused_says_what_to_put_where(status, serve, monkeypatch, tmp_path):
    know(monkeypatch, GOOD)
    server = serve(GOOD, status=status)
    with pytest.raises(DataError) as error:
        download("horse2zebra", tmp_path, address=server.address, wait=0)
    message = str(error.value)
    assert str(status) in message
    assert server.address in message
    assert f"put it at {tmp_path / 'horse2zebra.zip'}" in message
    assert "`translate datasets download horse2zebra`" in message


def test_offline_says_what_to_put_where(serve, monkeypatch, tmp_path):
    know(monkeypatch, GOOD)
    server = serve(GOOD)
    address = server.address
    server.shutdown()
    server.server_close()
    with pytest.raises(DataError, match="put it at"):
        download("horse2zebra", tmp_path, address=address)


def test_other_schemes_unknown_names_and_closed_sets_are_refused(tmp_path):
    with pytest.raises(DataError, match="only http"):
        download("horse2zebra", tmp_path, address="file:///etc/passwd")
    with pytest.raises(DataError, match="Did you mean 'horse2zebra'"):
        download("horse2zebras", tmp_path)
    with pytest.raises(DataError, match="datasets make drawn-facades"):
        download("drawn-facades", tmp_path)
    with pytest.raises(DataError, match="cityscapes-dataset"):
        download("cityscapes", tmp_path)


def test_no_space_is_said_before_anything_is_fetched(monkeypatch, tmp_path):
    row = catalogue.KNOWN["horse2zebra"]
    monkeypatch.setitem(catalogue.KNOWN, "horse2zebra", row._replace(bytes=10**18))
    with pytest.raises(DataError, match="Not enough space"):
        download("horse2zebra", tmp_path, address="http://127.0.0.1:9/")


REGULAR = tarfile.REGTYPE
EVIL = {
    "zip up": make_zip({"a/1.jpg": b"1", "a/../../out.jpg": b"1"}),
    "zip absolute": make_zip({"/tmp/out.jpg": b"1"}),
    "zip drive": make_zip({"C:/out.jpg": b"1"}),
    "zip backslash": make_zip({"..\\out.jpg": b"1"}),
    "zip link": make_zip({"a/1.jpg": b"1"}, links=("a/link",)),
    "tar up": make_tar(("../out.jpg", REGULAR, b"1")),
    "tar absolute": make_tar(("/tmp/out.jpg", REGULAR, b"1")),
    "tar link": make_tar(("a", tarfile.SYMTYPE, b"/tmp"), ("a/out.jpg", REGULAR, b"1")),
    "tar hard link": make_tar(("a", tarfile.LNKTYPE, b"/etc/passwd")),
    "tar device": make_tar(("a", tarfile.CHRTYPE, b"")),
    "tar pipe": make_tar(("a", tarfile.FIFOTYPE, b"")),
    "tar folder up": make_tar(("../out", tarfile.DIRTYPE, b"")),
    "twice": make_tar(("a", REGULAR, b"1"), ("a", REGULAR, b"2")),
    "file as folder": make_tar(("a", REGULAR, b"1"), ("a/b", REGULAR, b"2")),
    "empty": make_zip({}),
    "bomb": make_zip({"a": b""}),
    "garbage": b"no archive at all",
    "cut zip": GOOD[:-30],
    "cut tar": make_tar(("a", REGULAR, bytes(range(256)) * 999))[:-300],
    "damaged zip": GOOD.replace(b"horsehorse", b"horsehorsf", 1),
}


@pytest.mark.parametrize("name", EVIL)
def test_evil_and_damaged_archives_leave_nothing_behind(name, monkeypatch, tmp_path):
    root = tmp_path / "inside"
    root.mkdir()
    body = EVIL[name]
    if name == "bomb":
        monkeypatch.setattr(unpack, "_SLACK", 100)
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr("a.jpg", bytes(10**6))
        body = buffer.getvalue()
    (root / "horse2zebra.zip").write_bytes(body)
    know(monkeypatch, body)
    with pytest.raises(DataError, match=r"horse2zebra\.zip"):
        download("horse2zebra", root)
    assert [path.name for path in root.iterdir()] == ["horse2zebra.zip"]
    assert [path.name for path in tmp_path.iterdir()] == ["inside"]


def test_too_many_files_are_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(unpack, "MAX_FILES", 2)
    archive = tmp_path / "a.zip"
    archive.write_bytes(make_zip({"1": b"", "2": b"", "3": b""}))
    (tmp_path / "out").mkdir()
    with pytest.raises(DataError, match="more than 2 files"):
        unpack.unpack(archive, tmp_path / "out")


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"maps/train/1.jpg": b"1", "maps/val/1.jpg": b"1"}, ["train/1.jpg", "val/1.jpg"]),
        ({"maps/maps/1.jpg": b"1", "maps/2.jpg": b"1"}, ["2.jpg", "maps/1.jpg"]),
        ({"train/1.jpg": b"1"}, ["train/1.jpg"]),
        ({"m/1.jpg": b"1", "__MACOSX/m/._1.jpg": b"1", "m/.DS_Store": b"1"}, ["1.jpg"]),
    ],
)
def test_one_folder_around_everything_goes(members, expected, tmp_path):
    archive, out = tmp_path / "a.zip", tmp_path / "out"
    archive.write_bytes(make_zip(members))
    out.mkdir()
    unpack.unpack(archive, out)
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*.*")) == expected


def test_a_tar_is_unpacked(monkeypatch, tmp_path):
    body = make_tar(("./", tarfile.DIRTYPE, b""), ("./f", tarfile.DIRTYPE, b""), ("./f/train/1.jpg", REGULAR, b"1"))
    (tmp_path / "horse2zebra.zip").write_bytes(body)
    know(monkeypatch, body)
    assert (download("horse2zebra", tmp_path) / "train" / "1.jpg").read_bytes() == b"1"


def test_a_compression_that_is_not_known_is_said(tmp_path):
    archive = tmp_path / "set.zip"
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("trainA/1.png", b"pixels")
    data = bytearray(archive.read_bytes())
    central = data.index(b"PK\x01\x02")
    data[8:10] = data[central + 10 : central + 12] = (99).to_bytes(2, "little")
    archive.write_bytes(data)
    (tmp_path / "out").mkdir()
    with pytest.raises(DataError, match=r"set\.zip cannot be unpacked here: .*compression.*by hand"):
        unpack.unpack(archive, tmp_path / "out")
