"""Reading from a Hub, against a local server with real sockets."""

from __future__ import annotations

import gzip
import hashlib
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import huggingface_hub
import numpy as np
import pytest
from huggingface_hub import constants
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

from fpcheck.checkpoint import read_checkpoint
from fpcheck.errors import EXIT_UNCHECKED, FormatError, SourceError, UsageError
from fpcheck.source import open_source, read
from fpcheck.source.hub import HubId, HubSource, parse_hub_id
from fpcheck.source.hub_answers import network_errors
from fpcheck.source.hub_listing import MAX_SECONDS, MAX_VALUES
from fpcheck.source.local import LocalSource
from fpcheck.source.patience import Patience
from tests.servers.hub import Fault, HubServer, git_blob

REPO = HubId("owner/name")
SHARD = "model.safetensors"
WEIGHTS = bytes(range(256)) * 64
TOKEN = "hf_made-up-secret"


@pytest.fixture(autouse=True, scope="module")
def own_client() -> Iterator[None]:
    """Tests see neither the developer's token nor proxies, and leave no connection behind."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(constants, "HF_HUB_DISABLE_IMPLICIT_TOKEN", True)
        patch.setenv("NO_PROXY", "*")
        patch.setenv("no_proxy", "*")
        huggingface_hub.close_session()
        yield
        huggingface_hub.close_session()


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """The environment, without its proxy exemption, for a client that reads it anew."""
    huggingface_hub.close_session()
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.delenv("no_proxy")
    yield monkeypatch
    huggingface_hub.close_session()


class Waits(list[float]):
    """A sleep that only notes how long it should have been, and the clock it moves."""

    def sleep(self, seconds: float) -> None:
        self.append(seconds)

    def clock(self) -> float:
        return sum(self)

    def patience(self, **limits: Any) -> Patience:
        return Patience(sleep=self.sleep, clock=self.clock, **limits)


def open_hub(
    hub: HubServer, hub_id: HubId = REPO, *, token: str | None = None, tries: int = 3
) -> HubSource:
    patience = Waits().patience(tries=tries)
    return HubSource(hub_id, token=token, endpoint=hub.endpoint, patience=patience)


def a_hub(*, storage: bool = False) -> HubServer:
    return HubServer({"owner/name": {SHARD: WEIGHTS, "config.json": b"{}"}}, storage=storage)


def no_secret_in(error: pytest.ExceptionInfo[Exception]) -> bool:
    shown = "".join(traceback.format_exception(error.value)) + getattr(error.value, "hint", "")
    return TOKEN not in shown and "Signature" not in shown


# ── ids ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("owner/name", HubId("owner/name")),
        ("Qwen/Qwen2.5-7B_x@main", HubId("Qwen/Qwen2.5-7B_x", "main")),
        ("o/n@refs/pr/1", HubId("o/n", "refs/pr/1")),
        ("o/n@v1.0", HubId("o/n", "v1.0")),
        (f"o/n@{'a1' * 20}", HubId("o/n", "a1" * 20)),
    ],
)
def test_hub_id_is_owner_name_and_maybe_a_revision(text: str, expected: HubId) -> None:
    assert parse_hub_id(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", "/", "a/", "/b", "a/b/c", "a/b@", "@main", "a b/c", "a/b\n", "a/b@main\n", "ä/b"),
        *("../b", "a/..", "a..b/c", "a--b/c", "-a/b", "a/b-", ".a/b", "a/b.", "a/b.git", "a\\b/c"),
        *("a/b@../x", "a/b@x/../y", "a/b@/x", "a/b@x/", "a/b@x//y", "a/b@x y", "a/b@.x", "a/b@x?y"),
        *(
            "a/b@x@y",
            "https://huggingface.co/a/b",
            "a/b@\u202ex",
            "x" * 97 + "/b",
            "a/b@" + "x" * 256,
        ),
    ],
)
def test_hub_id_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"neither an existing path nor a Hub id owner/name"):
        parse_hub_id(text)


def test_hub_id_without_owner_is_refused_with_the_way_out() -> None:
    with pytest.raises(UsageError) as error:
        parse_hub_id("gpt2")

    assert "openai-community/gpt2" in error.value.hint


@given(st.text("aZ9/@.-_+ \n\\é%?"))
def test_hub_id_is_either_refused_or_safe_in_a_url(text: str) -> None:
    try:
        parsed = parse_hub_id(text)
    except UsageError:
        return
    assert str(parsed) == text
    assert text.isascii() and text.isprintable() and ".." not in text and " " not in text


def test_parsing_an_id_does_not_import_the_slow_client() -> None:
    code = (
        "import sys; from fpcheck.source.hub import parse_hub_id; parse_hub_id('a/b');"
        "sys.exit('huggingface_hub' in sys.modules or 'httpx2' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# ── listing ──────────────────────────────────────────────────────────────────────────────────────


def test_files_carry_size_and_the_digest_that_the_hub_declares() -> None:
    with a_hub() as hub, open_hub(hub) as source:
        files = source.files()

    assert list(files) == ["config.json", SHARD]
    assert files[SHARD].size == len(WEIGHTS)
    assert files[SHARD].digest == f"sha256:{hashlib.sha256(WEIGHTS).hexdigest()}"
    assert files["config.json"].digest == f"git-blob:{git_blob(b'{}')}"


def test_a_branch_is_resolved_once_and_read_at_its_commit_though_it_moves() -> None:
    with a_hub() as hub:
        commit = hub.push("owner/name", {SHARD: b"on a branch"}, branch="refs/pr/1")
        with open_hub(hub, HubId("owner/name", "refs/pr/1")) as source:
            hub.push("owner/name", {SHARD: b"moved since"}, branch="refs/pr/1")

            assert bytes(read(source, SHARD, 3, 11)) == b"a branch"
        assert source.origin.commit == commit
        assert str(source.origin) == f"owner/name@{commit}"
        assert len(hub.seen("api")) == 1
        assert all(f"/resolve/{commit}/" in request.path for request in hub.seen("resolve"))


@pytest.mark.parametrize(
    "name",
    [
        *("/etc/passwd", "../x", "a/../b", "a//b", "a/", "", ".", "..", "a/./b", "a\\b", "a\0b"),
        *("a\nb", "a\x1b[31m", "a\u202eb", "\ud800", 7, None, ["a"]),
    ],
)
def test_a_hostile_file_name_in_the_listing_is_refused(name: object) -> None:
    with a_hub() as hub:
        hub.edit_listing = lambda info: {**info, "siblings": [{"rfilename": name, "size": 1}]}

        with pytest.raises(FormatError, match="no plain file name"):
            open_hub(hub)


def test_a_file_listed_twice_is_refused() -> None:
    with a_hub() as hub:
        hub.edit_listing = lambda info: {**info, "siblings": info["siblings"] * 2}

        with pytest.raises(FormatError, match="lists a file twice"):
            open_hub(hub)


@pytest.mark.parametrize(
    "edit",
    [
        lambda info: {**info, "sha": "main"},
        lambda info: {**info, "sha": None},
        lambda info: {**info, "siblings": [{"rfilename": "a"}]},
        lambda info: {**info, "siblings": [{"rfilename": "a", "size": -1}]},
        lambda info: {**info, "siblings": [{"rfilename": "a", "size": "7"}]},
        lambda info: {**info, "siblings": [{"rfilename": "a", "size": 1, "lfs": {"size": 1}}]},
        lambda info: {**info, "siblings": [{"rfilename": "a", "size": 10**30}]},
        lambda info: {**info, "siblings": [{"rfilename": "a", "size": 1, "lfs": 7}]},
        lambda info: {**info, "siblings": ["a"]},
        lambda info: {**info, "siblings": "abc"},
        lambda info: {**info, "siblings": None},
        lambda _: [],
        lambda _: {},
        lambda _: "a model",
    ],
)
def test_an_answer_that_is_no_listing_means_that_nothing_was_checked(
    edit: Callable[[dict[str, Any]], Any],
) -> None:
    with a_hub() as hub:
        hub.edit_listing = edit

        with pytest.raises(SourceError) as error:
            open_hub(hub)

    assert error.value.exit_code == EXIT_UNCHECKED


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"\xff", b"\xef\xbb\xbf{}", b"<html>", b"1" * 5000),
        *(b"[" * 2_000_000, b'{"sha":' * 100_000),
    ],
    ids=lambda body: repr(body[:8]),
)
def test_an_answer_that_does_not_parse_means_that_nothing_was_checked(body: bytes) -> None:
    with a_hub() as hub:
        hub.fail("api", Fault(body=body, headers={"Content-Length": str(len(body))}))

        with pytest.raises(SourceError, match="owner/name: the answer is not a listing"):
            open_hub(hub)


def test_a_listing_that_would_unfold_in_memory_is_not_parsed() -> None:
    body = b"[" + b"[]," * MAX_VALUES
    with a_hub() as hub:
        hub.fail("api", Fault(body=body, headers={"Content-Length": str(len(body))}))

        with pytest.raises(SourceError, match="more than 2,000,000 values"):
            open_hub(hub)


def test_a_listing_is_asked_for_plain_and_refused_compressed() -> None:
    body = gzip.compress(b'{"sha": "' + b"a" * 1_000_000)
    headers = {"Content-Encoding": "gzip", "Content-Length": str(len(body))}
    with a_hub() as hub:
        hub.fail("api", Fault(body=body, headers=headers))

        with pytest.raises(SourceError, match="owner/name: sent compressed, unasked"):
            open_hub(hub)
        assert hub.seen("api")[0].headers["accept-encoding"] == "identity"


def test_a_listing_without_end_is_left_before_it_fills_the_memory() -> None:
    endless = Fault(body=b" " * 65536, headers={"Content-Length": str(10**12)}, repeat=10**7)
    with a_hub() as hub:
        hub.fail("api", endless)

        with pytest.raises(SourceError, match="more than 32,000,000 bytes"):
            open_hub(hub)
        assert len(hub.seen("api")) == 1


def test_a_listing_that_trickles_is_given_up() -> None:
    ticks = iter(range(10_000))
    patience = Patience(sleep=lambda _: None, clock=lambda: next(ticks) * MAX_SECONDS / 3)
    trickle = Fault(body=b" ", headers={"Content-Length": "1000"}, repeat=1000, pause=0.01)
    with a_hub() as hub:
        hub.fail("api", trickle)

        with pytest.raises(SourceError, match="took more than 60 seconds"):
            HubSource(REPO, endpoint=hub.endpoint, patience=patience)
        assert len(hub.seen("api")) == 1


# ── ranges ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("storage", [False, True])
@pytest.mark.parametrize(("start", "stop"), [(0, 1), (5, 700), (0, len(WEIGHTS)), (16383, 16384)])
def test_a_range_is_those_bytes_of_the_file(storage: bool, start: int, stop: int) -> None:
    with a_hub(storage=storage) as hub, open_hub(hub) as source:
        assert bytes(read(source, SHARD, start, stop)) == WEIGHTS[start:stop]
        for request in hub.seen("resolve") + hub.seen("storage"):
            assert request.headers["range"] == f"bytes={start}-{stop - 1}"
            assert request.headers["accept-encoding"] == "identity"


def test_an_empty_range_asks_nothing() -> None:
    with a_hub() as hub, open_hub(hub) as source:
        assert read(source, SHARD, 4, 4) == b""
        assert not hub.seen("resolve")


def test_a_long_range_is_asked_for_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HubSource, "read_size", 5000)
    with a_hub() as hub, open_hub(hub) as source:
        assert bytes(read(source, SHARD, 10, 16000)) == WEIGHTS[10:16000]
        asked = [request.headers["range"] for request in hub.seen("resolve")]

    assert asked == ["bytes=10-5009", "bytes=5010-10009", "bytes=10010-15009", "bytes=15010-15999"]


def test_many_threads_read_at_once_and_each_gets_its_own_bytes() -> None:
    with a_hub(storage=True) as hub, open_hub(hub) as source:
        places = [(i * 97 % 16000, i * 97 % 16000 + i) for i in range(1, 120)]
        with ThreadPoolExecutor(source.workers) as pool:
            found = list(pool.map(lambda place: bytes(read(source, SHARD, *place)), places))

    assert found == [WEIGHTS[start:stop] for start, stop in places]


@pytest.mark.parametrize(("file", "stop"), [(SHARD, len(WEIGHTS) + 1), ("absent.txt", 1)])
def test_bytes_that_the_listing_does_not_have_are_not_asked_for(file: str, stop: int) -> None:
    with a_hub() as hub, open_hub(hub) as source:
        with pytest.raises(SourceError):
            read(source, file, 0, stop)
        assert not hub.seen("resolve")


def test_odd_but_plain_file_names_are_read() -> None:
    files = {"a b/c#d?e%2e&f.safetensors": b"odd", "模型/ü.json": b"plain"}
    with HubServer({"owner/name": files}, storage=True) as hub, open_hub(hub) as source:
        assert {name: bytes(read(source, name, 1, 3)) for name in files} == {
            name: content[1:3] for name, content in files.items()
        }


def test_a_folder_can_be_served(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "config.json").write_bytes(b"{ }")
    with HubServer({"owner/name": tmp_path}) as hub, open_hub(hub) as source:
        assert bytes(read(source, "sub/config.json", 0, 3)) == b"{ }"


# ── answers that must not be believed ────────────────────────────────────────────────────────────


def test_a_whole_small_file_may_come_without_a_range() -> None:
    with a_hub() as hub, open_hub(hub) as source:
        hub.fail("resolve", Fault(ignore_range=True))

        assert bytes(read(source, "config.json", 0, 2)) == b"{}"


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (Fault(ignore_range=True), "ignores ranges"),
        (Fault(status=204), "ignores ranges"),
        (Fault(headers={"Content-Range": "bytes 1-16/16384"}), "instead of"),
        (Fault(headers={"Content-Range": "bytes 0-15/16383"}), "instead of"),
        (Fault(headers={"Content-Range": "bytes 0-15/*"}), "instead of"),
        (Fault(headers={"Content-Range": "::error::pwned"}), "instead of"),
        (Fault(headers={"Content-Encoding": "gzip"}), "compressed"),
        (Fault(headers={"X-Repo-Commit": "0" * 40}), "not from commit"),
        (Fault(headers={"ETag": '"another"'}), "ETag"),
        (Fault(headers={"X-Linked-Etag": '"another"'}), "ETag"),
        (Fault(body=b"x" * 17, headers={"Content-Length": "17"}), "more bytes"),
        (Fault(status=416), "no such bytes"),
    ],
)
def test_an_answer_other_than_the_asked_bytes_is_refused_at_once(
    fault: Fault, message: str
) -> None:
    with a_hub() as hub, open_hub(hub) as source:
        hub.fail("resolve", fault)

        with pytest.raises(SourceError, match=message):
            read(source, SHARD, 0, 16)
        assert len(hub.seen("resolve")) == 1


def test_a_whole_file_of_another_size_is_refused() -> None:
    with a_hub() as hub:
        hub.edit_listing = lambda info: {**info, "siblings": [{"rfilename": SHARD, "size": 9}]}
        with open_hub(hub) as source:
            hub.fail("resolve", Fault(ignore_range=True))

            with pytest.raises(SourceError, match="instead of '9'"):
                read(source, SHARD, 0, 9)


# ── retries ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=500),
        Fault(status=503),
        Fault(status=429),
        Fault(status=408),
        Fault(cut_after=3),
        Fault(body=b"abc", headers={"Content-Length": "3"}),
    ],
)
@pytest.mark.parametrize("where", ["resolve", "storage"])
def test_a_passing_fault_is_ridden_out(where: str, fault: Fault) -> None:
    with a_hub(storage=where == "storage") as hub, open_hub(hub) as source:
        hub.fail(where, fault, times=2)

        assert bytes(read(source, SHARD, 100, 400)) == WEIGHTS[100:400]
        assert len(hub.seen(where)) == 3


@pytest.mark.parametrize("fault", [Fault(status=429), Fault(status=500), Fault(cut_after=3)])
def test_a_lasting_fault_ends_as_an_error_and_never_as_a_gap(fault: Fault) -> None:
    with a_hub() as hub, open_hub(hub, tries=4) as source:
        hub.fail("resolve", fault, times=99)

        with pytest.raises(SourceError, match=r"owner/name/model\.safetensors: .*4 tries") as error:
            read(source, SHARD, 0, 16)
        assert len(hub.seen("resolve")) == 4
    assert error.value.exit_code == EXIT_UNCHECKED


@pytest.mark.parametrize("fault", [Fault(status=429), Fault(status=502), Fault(cut_after=3)])
def test_the_listing_is_asked_for_again_too(fault: Fault) -> None:
    with a_hub() as hub:
        hub.fail("api", fault, times=2)

        assert open_hub(hub).files()
        assert len(hub.seen("api")) == 3


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Retry-After": "7"}, [7, 7, 7, 8]),
        ({"Retry-After": "86400"}, [300] * 4),
        ({"RateLimit": '"api";r=0;t=55'}, [55] * 4),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, [1, 2, 4, 8]),
        ({"Retry-After": "²"}, [1, 2, 4, 8]),
        ({}, [1, 2, 4, 8]),
    ],
)
def test_waits_are_what_the_hub_asks_for_within_reason(
    headers: dict[str, str], expected: list[float]
) -> None:
    waits = Waits()
    with a_hub() as hub:
        hub.fail("api", Fault(status=429, headers=headers), times=4)
        HubSource(REPO, endpoint=hub.endpoint, patience=waits.patience(seconds=9999))

    assert waits == expected


def test_waiting_ends_before_its_budget_of_seconds() -> None:
    waits = Waits()
    with a_hub() as hub, pytest.raises(SourceError):
        hub.fail("api", Fault(status=429, headers={"Retry-After": "40"}), times=99)
        HubSource(REPO, endpoint=hub.endpoint, patience=waits.patience(tries=99, seconds=100))

    assert waits == [40, 40]


def test_bytes_that_trickle_are_given_up() -> None:
    ticks = iter(range(1000))
    patience = Patience(seconds=1, sleep=lambda _: None, clock=lambda: float(next(ticks)))
    with HubServer({"owner/name": {SHARD: WEIGHTS * 100}}) as hub:
        source = HubSource(REPO, endpoint=hub.endpoint, patience=patience)

        with pytest.raises(SourceError, match="too slowly"):
            read(source, SHARD, 0, len(WEIGHTS) * 100)


def test_a_hub_that_is_not_there_is_an_error_with_a_hint() -> None:
    with a_hub() as hub:
        pass

    with pytest.raises(SourceError, match="no connection") as error:
        open_hub(hub, token=TOKEN)
    assert error.value.hint
    assert no_secret_in(error)


def test_a_hub_that_was_never_reached_is_given_up_soon() -> None:
    waits = Waits()
    with a_hub() as hub:
        pass

    with pytest.raises(SourceError, match="3 tries"):
        HubSource(REPO, endpoint=hub.endpoint, patience=waits.patience())
    assert waits == [1, 2]


def test_a_hub_that_was_reached_before_is_waited_for() -> None:
    waits = Waits()
    with a_hub() as hub:
        source = HubSource(REPO, endpoint=hub.endpoint, patience=waits.patience())
    huggingface_hub.close_session()  # or the first failure would be a connection that ended

    with pytest.raises(SourceError, match=r"no connection \(ConnectError\) \(6 tries\)"):
        read(source, SHARD, 0, 4)
    assert waits == [1, 2, 4, 8, 16]


def test_a_certificate_that_is_not_trusted_is_not_asked_again() -> None:
    refusal = httpx2.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed certificate")

    with pytest.raises(SourceError, match="certificate") as error, network_errors("owner/name"):
        raise refusal
    assert "SSL_CERT_FILE" in error.value.hint


# ── refusals ─────────────────────────────────────────────────────────────────────────────────────


def test_an_unknown_repository_is_an_error_with_a_hint() -> None:
    with a_hub() as hub, pytest.raises(SourceError, match="owner/other: no such repo") as error:
        open_hub(hub, HubId("owner/other"))

    assert error.value.exit_code == EXIT_UNCHECKED
    assert "HF_TOKEN" in error.value.hint


def test_an_unknown_revision_is_an_error() -> None:
    with a_hub() as hub, pytest.raises(SourceError, match="owner/name@v9: no such revision"):
        open_hub(hub, HubId("owner/name", "v9"))


def test_a_gated_repository_says_that_its_terms_come_first() -> None:
    with a_hub() as hub, open_hub(hub) as source:
        hub.gated.add("owner/name")

        with pytest.raises(SourceError, match="gated") as error:
            read(source, SHARD, 0, 8)
    assert "terms" in error.value.hint


def test_a_private_repository_opens_with_its_token_only() -> None:
    with a_hub() as hub:
        hub.tokens["owner/name"] = TOKEN

        assert bytes(read(open_hub(hub, token=TOKEN), SHARD, 0, 4)) == WEIGHTS[:4]
        with pytest.raises(SourceError, match="private"):
            open_hub(hub, token="hf_wrong")
        with pytest.raises(SourceError, match="private"):
            open_hub(hub)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 451])
def test_a_bare_refusal_is_an_error_whatever_its_status(status: int) -> None:
    with a_hub() as hub, open_hub(hub) as source:
        hub.fail("resolve", Fault(status=status), times=2)
        hub.fail("api", Fault(status=status))

        with pytest.raises(SourceError, match=r"owner/name/model\.safetensors: ") as error:
            read(source, SHARD, 0, 8)
        assert error.value.hint
        with pytest.raises(SourceError, match="owner/name: "):
            open_hub(hub)


# ── redirects and the token ──────────────────────────────────────────────────────────────────────


def test_the_token_goes_to_the_endpoint_and_never_to_the_storage() -> None:
    with a_hub(storage=True) as hub:
        hub.tokens["owner/name"] = TOKEN
        with open_hub(hub, token=TOKEN) as source:
            read(source, SHARD, 0, 8)

        for request in hub.seen("api") + hub.seen("resolve"):
            assert request.headers["authorization"] == f"Bearer {TOKEN}"
        assert len(hub.seen("storage")) == 1
        assert TOKEN not in str(hub.seen("storage"))


def test_the_token_does_not_follow_a_listing_to_another_origin() -> None:
    with a_hub() as hub, a_hub() as other:
        away = {"Location": f"{other.endpoint}/api/models/owner/name?blobs=True"}
        hub.fail("api", Fault(status=307, headers=away))
        open_hub(hub, token=TOKEN)

        assert TOKEN in str(hub.seen("api"))
        assert len(other.requests) == 1
        assert TOKEN not in str(other.requests)


def test_the_token_is_found_where_the_client_looks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_IMPLICIT_TOKEN", False)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with a_hub() as hub:
        hub.tokens["owner/name"] = TOKEN

        assert open_hub(hub).files()


@pytest.mark.parametrize("token", [f"{TOKEN}\r\nX-Evil: 1", f"{TOKEN} x", f"{TOKEN}é"])
def test_a_token_that_cannot_be_one_is_refused_unseen(token: str) -> None:
    with a_hub() as hub, pytest.raises(UsageError, match="token") as error:
        open_hub(hub, token=token)

    assert no_secret_in(error)


def test_a_signed_link_is_used_until_it_expires_and_then_asked_for_once() -> None:
    with a_hub(storage=True) as hub, open_hub(hub) as source:
        for start in range(5):
            read(source, SHARD, start, start + 8)
        assert len(hub.seen("resolve")) == 1

        hub.expire_links()
        hub.fail("resolve", Fault(status=500))
        assert bytes(read(source, SHARD, 40, 48)) == WEIGHTS[40:48]
        assert len(hub.seen("resolve")) == 3
        assert len(hub.seen("storage")) == 5 + 1 + 1  # the old link was tried no second time


def test_storage_that_refuses_a_new_link_is_an_error_without_the_link() -> None:
    with a_hub(storage=True) as hub, open_hub(hub, token=TOKEN) as source:
        hub.fail("storage", Fault(status=403), times=2)

        with pytest.raises(SourceError, match="the storage behind the Hub answered 403") as error:
            read(source, SHARD, 0, 8)
    assert no_secret_in(error)


@pytest.mark.parametrize(
    "location",
    [
        *("file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/", "data:text/plain,x"),
        *("http://169.254.169.254/latest/?Signature=x", "http://[fe80::1]/", "http://0xa9fea9fe/"),
        *("http://user:pass@127.0.0.1/", "http://[::ffff:169.254.169.254]/", "http://[bad"),
        *("http://127.0.0.1:port/", "http://a b/", "http://a..b/"),
    ],
)
def test_a_redirect_to_where_no_hub_leads_is_refused(location: str) -> None:
    with a_hub() as hub, open_hub(hub) as source:
        for where in ("resolve", "api"):
            hub.fail(where, Fault(status=302, headers={"Location": location}), times=9)

        for ask in (lambda: read(source, SHARD, 0, 8), lambda: open_hub(hub, token=TOKEN)):
            with pytest.raises(SourceError, match="redirect") as error:
                ask()
            assert no_secret_in(error)


def test_a_public_hub_does_not_lead_a_listing_into_the_private_network(
    network: pytest.MonkeyPatch,
) -> None:
    with a_hub() as proxy, a_hub() as inside:
        network.setenv("http_proxy", proxy.endpoint)
        proxy.fail("api", Fault(status=302, headers={"Location": f"{inside.endpoint}/latest"}))

        with pytest.raises(SourceError, match="private address"):
            HubSource(REPO, endpoint="http://1.1.1.1", patience=Waits().patience())
        assert not inside.requests
        assert len(proxy.requests) == 1


def test_redirects_end_somewhere() -> None:
    with a_hub() as hub, open_hub(hub) as source:
        loop = f"/owner/name/resolve/{source.origin.commit}/{SHARD}"
        hub.fail("resolve", Fault(status=302, headers={"Location": loop}), times=99)

        with pytest.raises(SourceError, match="more than 5 redirects"):
            read(source, SHARD, 0, 8)
        assert len(hub.seen("resolve")) == 6

        hub.fail("api", Fault(status=302, headers={"Location": hub.seen("api")[0].path}), times=99)
        with pytest.raises(SourceError, match="more than 5 redirects"):
            open_hub(hub)
        assert len(hub.seen("api")) == 1 + 6


def test_a_renamed_repository_is_followed_with_the_token() -> None:
    with a_hub() as hub:
        commit = hub.push("owner/new", {SHARD: WEIGHTS})
        hub.tokens["owner/new"] = TOKEN
        api, file = "/api/models/owner/new?blobs=True", f"/owner/new/resolve/{commit}/{SHARD}"
        hub.fail("api", Fault(status=307, headers={"Location": api}))
        moved = {"Location": file, "X-Repo-Commit": commit, "ETag": '"of the redirect"'}
        hub.fail("resolve", Fault(status=307, headers=moved))

        with open_hub(hub, token=TOKEN) as source:
            assert bytes(read(source, SHARD, 7, 9)) == WEIGHTS[7:9]


# ── a word that is a path or an id ───────────────────────────────────────────────────────────────


def test_an_id_that_the_hub_does_not_have_may_be_a_path_that_is_not_there() -> None:
    with a_hub() as hub, pytest.raises(SourceError) as error:
        open_source("models/release", endpoint=hub.endpoint)

    assert str(error.value) == (
        "models/release: there is no such file or folder, so it was read as a Hub id: "
        "no such repository, or a private one"
    )
    assert error.value.hint.startswith("check the path; for a model on the Hub: check the spelling")


@pytest.mark.parametrize("word", ["x" * 5000, "x/" * 2500, "a\0b", "\ud800"])
def test_a_word_that_can_be_no_path_is_the_users_mistake(word: str) -> None:
    with pytest.raises(UsageError) as error:
        open_source(word)

    assert error.value.hint
    assert len(str(error.value)) < 400


# ── settings ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "endpoint", ["huggingface.co", "ftp://h", "file:///x", "http://", "https://u:p@h", "http://["]
)
def test_an_endpoint_that_cannot_be_one_is_refused(endpoint: str) -> None:
    with pytest.raises(UsageError, match="endpoint"):
        HubSource(REPO, endpoint=endpoint, patience=Waits().patience())


def test_an_endpoint_may_end_in_a_slash() -> None:
    with a_hub() as hub:
        source = HubSource(REPO, endpoint=f"{hub.endpoint}/")

        assert bytes(read(source, SHARD, 0, 4)) == WEIGHTS[:4]


def test_offline_mode_is_an_error_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    with a_hub() as hub, open_hub(hub) as source:
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)

        for ask in (lambda: open_hub(hub), lambda: read(source, SHARD, 0, 8)):
            with pytest.raises(SourceError, match="HF_HUB_OFFLINE") as error:
                ask()
            assert "unset" in error.value.hint


def test_requests_go_through_the_proxy_that_the_environment_names(
    network: pytest.MonkeyPatch,
) -> None:
    with a_hub() as proxy:
        network.setenv("http_proxy", proxy.endpoint)
        with HubSource(REPO, endpoint="http://hub.invalid") as source:
            assert bytes(read(source, SHARD, 0, 4)) == WEIGHTS[:4]

        assert {request.headers["host"] for _, request in proxy.requests} == {"hub.invalid"}


@pytest.mark.parametrize(
    ("name", "value"), [("SSL_CERT_FILE", "/nowhere.pem"), ("all_proxy", "odd://user:pass@host")]
)
def test_network_settings_that_do_not_work_are_an_error(
    network: pytest.MonkeyPatch, name: str, value: str
) -> None:
    network.setenv(name, value)

    with pytest.raises(SourceError, match="network settings") as error:
        HubSource(REPO, endpoint="http://127.0.0.1:9")
    assert "pass@" not in "".join(traceback.format_exception(error.value))


def test_a_fresh_process_reads_by_environment_alone_and_writes_nothing(tmp_path: Path) -> None:
    code = (
        "from fpcheck.source import open_source, read;"
        "print(bytes(read(open_source('owner/name'), 'config.json', 0, 2)))"
    )
    with a_hub() as hub:
        hub.tokens["owner/name"] = TOKEN
        hub.fail("api", Fault(headers={"X-HF-Warning": "topic; ::error::from a server"}))
        settings = {"HF_ENDPOINT": hub.endpoint, "HF_TOKEN": TOKEN, "AI_AGENT": "some-agent"}
        homes = {"HOME": str(tmp_path), "HF_HOME": str(tmp_path / "hf"), "TMPDIR": str(tmp_path)}
        run = subprocess.run(
            [sys.executable, "-W", "error", "-B", "-c", code],
            env={"PATH": os.environ["PATH"], **settings, **homes},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=False,
        )

        assert (run.stdout, run.stderr) == ("b'{}'\n", "")
        assert not list(tmp_path.rglob("*"))
        assert not hub.seen("elsewhere")


# ── a checkpoint, end to end ─────────────────────────────────────────────────────────────────────


def a_sharded_checkpoint(folder: Path) -> dict[str, np.ndarray[Any, Any]]:
    """Two shards and their index; the arrays that went into them."""
    rng = np.random.default_rng(7)
    arrays = {f"model.layers.{i}.q.weight": rng.random((64, 32), np.float32) for i in range(4)}
    names = sorted(arrays)
    weight_map = {n: f"model-0000{1 + i // 2}-of-00002.safetensors" for i, n in enumerate(names)}
    for shard in set(weight_map.values()):
        part = {name: arrays[name] for name in names if weight_map[name] == shard}
        (folder / shard).write_bytes(save(part))
    index = str({"weight_map": weight_map}).replace("'", '"')
    (folder / "model.safetensors.index.json").write_text(index)
    (folder / "config.json").write_text('{"model_type": "llama"}')
    (folder / "README.md").write_text("---\nbase_model: owner/base\n---\n")
    return arrays


@pytest.mark.parametrize("storage", [False, True])
def test_a_sharded_checkpoint_reads_like_a_local_one_and_only_in_ranges(
    tmp_path: Path, storage: bool
) -> None:
    arrays = a_sharded_checkpoint(tmp_path)
    with HubServer({"owner/name": tmp_path}, storage=storage) as hub, open_hub(hub) as source:
        found, local = read_checkpoint(source), read_checkpoint(LocalSource(str(tmp_path)))
        assert (found.tensors, found.shards, found.config) == (
            (local.tensors, local.shards, local.config)
        )
        assert found.declared_bases == ("owner/base",)

        tensor = found.tensors["model.layers.2.q.weight"]
        content = read(source, tensor.file, tensor.start, tensor.stop)
        assert bytes(content) == arrays["model.layers.2.q.weight"].tobytes()

        shards = [r for _, r in hub.requests if r.path.partition("?")[0].endswith(".safetensors")]
        asked = [r.headers["range"].removeprefix("bytes=").split("-") for r in shards]
        total = sum((tmp_path / shard).stat().st_size for shard in found.shards)
        assert sum(int(stop) - int(start) + 1 for start, stop in asked) < total / 2
