"""Downloads from a real server on this machine: cut, redirected, wrong, and wanted by two."""

import hashlib
import http.server
import ssl
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sambench.data import download as module
from sambench.data.download import download
from sambench.errors import UserError
from sambench.files import sha256

PEM = Path(__file__).resolve().parents[1] / "fixtures/https/localhost.pem"
CONTENT = bytes(range(256)) * 2000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Server:
    """Answers each request by the next of its answers; the last one is used for all that follow."""

    def __init__(self, secure=True):
        self.answers, self.asked = [whole], []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append(dict(self.headers))
                answers = outer.answers
                (answers.pop(0) if len(answers) > 1 else answers[0])(self)
                self.close_connection = True

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if secure:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(PEM)
            self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
        self.url = f"http{'s' * secure}://127.0.0.1:{self.http.server_port}/weights.bin"
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(PEM))
    made = Server()
    yield made
    made.http.shutdown()
    made.http.server_close()


def answer(handler, body, status=200, length=None, **headers):
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    if length != "none":
        handler.send_header("Content-Length", str(len(body) if length is None else length))
    handler.end_headers()
    handler.wfile.write(body)


def whole(handler):
    answer(handler, CONTENT, ETag='"one"')


def cut_at(size):
    return lambda handler: answer(handler, CONTENT[:size], length=len(CONTENT), ETag='"one"')


def rest(handler):
    """What was asked for, from there on."""
    start = int(handler.headers["Range"].removeprefix("bytes=").removesuffix("-"))
    where = f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"
    answer(handler, CONTENT[start:], 206, Content_Range=where)


def test_a_file_arrives_whole_and_is_not_fetched_twice(server, tmp_path):
    target = tmp_path / "new/weights.bin"
    assert download(server.url, target, DIGEST[:8]) == target
    assert target.read_bytes() == CONTENT
    assert [path.name for path in target.parent.iterdir()] == ["weights.bin"]
    download(server.url, target, DIGEST)
    assert len(server.asked) == 1
    download(server.url, target, "", anew=True)
    assert len(server.asked) == 2
    target.write_bytes(b"damaged since")
    download(server.url, target, DIGEST)
    assert target.read_bytes() == CONTENT


def test_a_cut_transfer_goes_on_where_it_stopped(server, tmp_path):
    server.answers = [cut_at(1000), cut_short_rest, rest]
    assert download(server.url, tmp_path / "a", DIGEST).read_bytes() == CONTENT
    assert [asked.get("Range") for asked in server.asked] == [None, "bytes=1000-", "bytes=3000-"]
    assert server.asked[1]["If-Range"] == '"one"'


def cut_short_rest(handler):
    where = f"bytes 1000-{len(CONTENT) - 1}/{len(CONTENT)}"
    body = CONTENT[1000:3000]
    answer(handler, body, 206, len(CONTENT) - 1000, Content_Range=where, ETag='"one"')


def test_a_server_that_cannot_go_on_gives_all_again(server, tmp_path):
    server.answers = [cut_at(1000), whole]
    assert download(server.url, tmp_path / "a", DIGEST).read_bytes() == CONTENT


def test_so_does_one_that_has_another_file_now(server, tmp_path):
    server.answers = [cut_at(1000), lambda handler: answer(handler, b"", 416), whole]
    assert download(server.url, tmp_path / "a", DIGEST).read_bytes() == CONTENT


def test_a_transfer_that_is_always_cut_is_kept_for_the_next_call(server, tmp_path):
    server.answers = [cut_at(1000), cut_at(1000)]
    server.answers[1] = lambda handler: None  # the connection ends without an answer
    with pytest.raises(UserError, match=r"cannot be downloaded.*try again") as error:
        download(server.url, tmp_path / "a", DIGEST)
    assert f"put it at {tmp_path / 'a'}" in str(error.value)
    assert len(server.asked) == 1 + module.ATTEMPTS
    assert [path.name for path in tmp_path.iterdir()] == ["a.part"]
    server.answers = [rest]
    assert download(server.url, tmp_path / "a", DIGEST).read_bytes() == CONTENT
    assert server.asked[-1]["Range"] == "bytes=1000-"


def test_a_remainder_of_something_else_is_discarded(server, tmp_path):
    (tmp_path / "a.part").write_bytes(b"<html>log in first</html>")
    server.answers = [rest, whole]
    with pytest.raises(UserError, match=r"expected .*; it was discarded: try again"):
        download(server.url, tmp_path / "a", DIGEST)
    assert list(tmp_path.iterdir()) == []
    assert download(server.url, tmp_path / "a", DIGEST).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (lambda h: answer(h, b"", 404), "HTTP Error 404"),
        (lambda h: answer(h, b"", 503), "HTTP Error 503"),
        (lambda h: h.wfile.write(b"not HTTP at all\r\n\r\n"), "not HTTP at all"),
        (lambda h: h.wfile.write(b"HTTP/1.0 200 OK\r\n" + b"X: y\r\n" * 300 + b"\r\n"), "headers"),
        (lambda h: h.wfile.write(b"HTTP/1.0 200 OK\r\nX: " + b"y" * 70000), "line|header"),
        (lambda h: None, "closed|without response|reset"),
        (
            lambda h: h.wfile.write(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n"
            ),
            "cut|IncompleteRead|invalid|chunk|expected",
        ),
    ],
)
def test_bad_answers_are_one_sentence_and_nothing_stays(server, tmp_path, reply, words):
    server.answers = [reply]
    with pytest.raises(UserError, match=words) as error:
        download(server.url, tmp_path / "a", DIGEST)
    assert "\n" not in str(error.value)
    assert server.url in str(error.value)
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("length", ["abc", "-5", "", "1e3", "none"])
def test_a_length_that_is_none_is_not_believed(server, tmp_path, length):
    server.answers = [lambda handler: answer(handler, CONTENT, length=length)]
    assert download(server.url, tmp_path / "a", DIGEST).read_bytes() == CONTENT


def test_a_range_that_was_not_asked_for_is_refused(server, tmp_path):
    wrong = f"bytes 7-{len(CONTENT) - 1}/{len(CONTENT)}"
    server.answers = [
        cut_at(1000), lambda handler: answer(handler, CONTENT[7:], 206, Content_Range=wrong)
    ]  # fmt: skip
    with pytest.raises(UserError, match="Content-Range 'bytes 7-"):
        download(server.url, tmp_path / "a", DIGEST)


def to(url, status=302):
    return lambda handler: answer(handler, b"", status, Location=url)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirection_to_http_is_not_followed(server, tmp_path, status):
    plain = Server(secure=False)
    try:
        server.answers = [to(plain.url, status)]
        with pytest.raises(UserError, match=f"sends to {plain.url}, which is not an https"):
            download(server.url, tmp_path / "a", DIGEST)
        assert plain.asked == []
        for other in ("file:///etc/passwd", "ftp://127.0.0.1/a"):
            server.answers = [to(other, status)]
            with pytest.raises(UserError, match=r"cannot be downloaded|not an https address"):
                download(server.url, tmp_path / "a", DIGEST)
        with pytest.raises(UserError, match="is not an https address"):
            download(plain.url, tmp_path / "a", DIGEST)
    finally:
        plain.http.shutdown()
        plain.http.server_close()
    assert list(tmp_path.iterdir()) == []


def test_a_redirection_within_https_is_followed(server, tmp_path):
    server.answers = [to("/elsewhere"), whole]
    assert download(server.url, tmp_path / "a", DIGEST).read_bytes() == CONTENT


def test_a_server_that_sends_in_circles_is_left(server, tmp_path):
    server.answers = [to("/again")]
    with pytest.raises(UserError, match="infinite loop"):
        download(server.url, tmp_path / "a", DIGEST)


def test_a_certificate_that_nobody_vouches_for_is_refused(server, tmp_path, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(UserError, match=r"certificate verify failed|CERTIFICATE"):
        download(server.url, tmp_path / "a", DIGEST)


FETCH = """
import sys
from pathlib import Path
from sambench.data.download import download
print("ready", flush=True)
sys.stdin.readline()
print(download(sys.argv[1], Path(sys.argv[2]), sys.argv[3]))
"""


def test_two_processes_fetch_a_file_once(server, tmp_path):
    words = [sys.executable, "-c", FETCH, server.url, str(tmp_path / "a"), DIGEST]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(words, **pipes) for _ in range(2)]
    assert [process.stdout.readline() for process in processes] == ["ready\n"] * 2
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [process.communicate()[0].strip() for process in processes] == [str(tmp_path / "a")] * 2
    assert len(server.asked) == 1
    assert sha256(tmp_path / "a") == DIGEST
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
