from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from fpcheck.delivery.github_comment import MAX_BODY, CommentResult, marker, post_comment
from tests.delivery.steps import Time, pull_request, step
from tests.servers.github import TOKEN, Answer, GitHubServer

LIMITED = {"X-RateLimit-Remaining": "0"}
BUSY = Answer(502, "<html>bad gateway</html>")


@pytest.fixture(params=["", "/api/v3"], ids=["github.com", "server of one's own"])
def server(request) -> Iterator[GitHubServer]:
    with GitHubServer(request.param) as running:
        yield running


def post(server: GitHubServer, body: str = "# Report", **changes) -> CommentResult:
    key = changes.pop("key", "")
    time = changes.pop("time", Time())
    result = post_comment(
        step(server, **changes), body, key=key, sleep=time.sleep, clock=time.clock
    )
    assert TOKEN not in repr(result)
    return result


def test_comment_is_created_then_rewritten_then_left_alone(server):
    created = post(server, "# One")
    rewritten = post(server, "# Two")
    same = post(server, "# Two\n")

    assert [c.body for c in server.comments] == ["<!-- fpcheck -->\n# Two"]
    assert created == rewritten == same
    assert created.url.endswith("#issuecomment-3000000001")
    assert server.methods() == ["LIST", "POST", "LIST", "PATCH", "LIST"]


def test_comment_is_found_on_the_last_page(server):
    for i in range(250):
        server.add(f"comment {i}", "somebody")
    mine = server.add("<!-- fpcheck -->\nold")

    post(server, "new")

    assert mine.body == "<!-- fpcheck -->\nnew"
    assert server.methods() == ["LIST", "LIST", "LIST", "PATCH"]


def test_marker_planted_by_somebody_else_is_ignored(server):
    planted = server.add("<!-- fpcheck -->\nAll is well.", "mallory")

    post(server)

    assert planted.body == "<!-- fpcheck -->\nAll is well."
    assert len(server.comments) == 2


def test_marker_that_is_not_at_the_start_is_ignored(server):
    quoted = server.add("> <!-- fpcheck -->\n> quoted by another action")

    post(server)

    assert quoted.body.startswith(">")
    assert len(server.comments) == 2


def test_each_checkpoint_has_a_comment_of_its_own(server):
    for key in ("", "0a1b", "0a1c", "0a1b"):
        post(server, f"of {key}", key=key)

    assert [c.body for c in server.comments] == [
        "<!-- fpcheck -->\nof ",
        "<!-- fpcheck:0a1b -->\nof 0a1b",
        "<!-- fpcheck:0a1c -->\nof 0a1c",
    ]


@pytest.mark.parametrize("key", ["x", "--> @everyone", "a" * 65])
def test_key_is_a_digest_or_nothing(key):
    with pytest.raises(ValueError, match="hex"):
        marker(key)


def test_line_ends_that_github_changed_are_no_change(server):
    server.add("<!-- fpcheck -->\r\n# Report\r\n")

    post(server)

    assert server.methods() == ["LIST"]


def test_too_long_a_comment_is_cut(server):
    post(server, "line of a report\n" * 10_000)

    assert 50_000 < len(server.comments[0].body) <= MAX_BODY


@pytest.mark.parametrize(
    "changes",
    [
        {"event": pull_request("stranger/models")},
        {"event": pull_request(None)},
        {"actor": "dependabot[bot]"},
        {"token": ""},
        {"repository": "acme/../other"},
    ],
)
def test_what_is_known_to_fail_is_not_tried(server, changes):
    result = post(server, **changes)

    assert (result.url, result.level) == (None, "notice")
    assert result.notice.startswith("no comment on the pull request: ")
    assert server.requests == []


def test_run_without_a_pull_request_is_silent(server):
    assert post(server, event_name="push", event={}) == CommentResult(None)
    assert server.requests == []


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(401, {"message": "Bad credentials"}), "401: Bad credentials; check the input"),
        (Answer(403, {"message": "Resource not accessible"}), "pull-requests: write"),
        (Answer(404, {"message": "Not Found"}), "pull-requests: write"),
        (Answer(422, {"message": "x\n::error::y"}), "GitHub answered 422: x\\u{a}::error::y"),
        (Answer(200, "<html>"), "GitHub answered 200: no reason given"),
        (Answer(200, []), "does not list"),
        (Answer(200, {"data": {"repository": None}}), "does not list"),
        (Answer(200, {"errors": [{"type": "FORBIDDEN", "message": "no"}]}), "answered: no; give"),
        (Answer(403, {}, LIMITED), "(1 tries)"),
        (Answer(429, {"message": "slow down"}, {"Retry-After": "3600"}), "slow down (1 tries)"),
        (Answer(200, {"errors": [{"type": "RATE_LIMITED"}]}), "(1 tries)"),
        (Answer(400, {"message": f"you sent {TOKEN}"}), "you sent ***"),
        (Answer(302, ""), "another host"),
        (Answer(200, "[" * 100_000), "no reason given"),
    ],
)
def test_final_refusal_is_a_warning_after_one_request(server, answer, said):
    server.answers = [answer]

    result = post(server)

    assert (result.url, result.level) == (None, "warning")
    assert said in result.notice
    assert len(result.notice) < 400
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("answer", "waits"),
    [
        (BUSY, [1.0]),
        (Answer(429, {}, {"Retry-After": "7"}), [7.0]),
        (Answer(403, {}, {"Retry-After": "7"}), [7.0]),
        (Answer(403, {"message": "You have exceeded a secondary rate limit"}), [1.0]),
        (Answer(503, {}, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}), [1.0]),
        (Answer(200, {"errors": [{"message": "Something went wrong"}]}), [1.0]),
    ],
)
def test_passing_trouble_is_waited_for_as_long_as_github_asks(server, answer, waits):
    server.answers = [answer]
    time = Time()

    result = post(server, time=time)

    assert result.url
    assert time.slept == waits


def test_patience_is_bounded(server):
    server.answers = [BUSY] * 9

    result = post(server)

    assert "GitHub answered 502: no reason given (3 tries)" in result.notice
    assert len(server.requests) == 3


def test_comment_whose_answer_was_lost_is_not_written_twice(server):
    def lose(request):
        answer = GitHubServer.answer(server, request)
        return BUSY if request.method == "POST" and answer.status == 201 else answer

    server.answer = lose

    assert post(server).url
    assert len(server.comments) == 1


def test_redirect_of_a_renamed_repository_is_followed_with_the_same_method(server):
    old = f"{server.rest}/repos/acme/old-name/issues/7/comments"
    new = f"{server.rest}/repos/acme/models/issues/7/comments"
    genuine = server.answer

    def renamed(request):
        if request.path == old:
            return Answer(307, {}, {"Location": new})
        if request.path == server.graphql:
            request.content["variables"]["name"] = "models"
        return genuine(request)

    server.answer = renamed

    assert post(server, repository="acme/old-name").url
    assert server.comments[0].body == "<!-- fpcheck -->\n# Report"


@pytest.mark.parametrize("form", ["{}/x", "//{}/x", "{}\\@127.0.0.1/x"])
def test_redirect_to_another_host_is_refused(form):
    with GitHubServer() as server, GitHubServer() as other:
        address = other.url if form.startswith("{}") else other.url.removeprefix("http://")
        server.answers = [Answer(307, {}, {"Location": form.format(address)})]

        result = post(server)

        assert "another host" in result.notice
        assert other.requests == []


@pytest.mark.parametrize("user", ["api.evil.example@", "@evil.example:80/"])
def test_redirect_to_a_host_that_only_looks_the_same_is_refused(user):
    with GitHubServer() as server:
        server.answers = [Answer(308, {}, {"Location": f"{server.url}{user}/x"})]

        assert "another host" in post(server).notice


def test_endless_redirects_end():
    with GitHubServer() as server:
        server.answers = [Answer(307, {}, {"Location": "/again"})] * 9

        assert "without end" in post(server).notice
        assert len(server.requests) == 4


def test_server_that_is_not_there_is_a_warning():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = GitHubServer()
    server._server.server_close()

    result = post(server, graphql_url=f"http://127.0.0.1:{port}/graphql")

    assert "GitHub did not answer (ConnectionError) (3 tries)" in result.notice


def test_silent_server_is_given_up_in_time(monkeypatch):
    monkeypatch.setattr("fpcheck.delivery.github_api.TIMEOUT", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent, GitHubServer() as server:
        port = silent.getsockname()[1]

        result = post(server, graphql_url=f"http://127.0.0.1:{port}/graphql")

    assert "GitHub did not answer (ReadTimeout) (3 tries)" in result.notice


def test_listing_that_outlasts_the_budget_writes_nothing(server):
    time = Time()
    genuine = server.answer

    def slow(request):
        time.now += 61.0
        return genuine(request)

    server.answer = slow

    result = post(server, time=time)

    assert "GitHub took too long" in result.notice
    assert server.comments == []


def test_listing_without_end_writes_nothing(monkeypatch):
    monkeypatch.setattr("fpcheck.delivery.github_comment.MAX_PAGES", 2)
    with GitHubServer() as server:
        for _ in range(201):
            server.add("x", "somebody")

        assert "more than 200 comments" in post(server).notice
        assert len(server.comments) == 201


def test_password_file_in_an_untrusted_home_does_not_replace_the_token(tmp_path, monkeypatch):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login mallory password mallory\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    with GitHubServer() as server:
        assert post(server).url
        assert {r.authorization for r in server.requests} == {f"Bearer {TOKEN}"}


@pytest.mark.parametrize("url", ["ftp://x/graphql", "http://[/graphql", "http:///graphql", "x"])
def test_address_that_is_none_is_a_warning(url):
    with GitHubServer() as server:
        assert "no comment on the pull request: the request failed" in (
            post(server, graphql_url=url).notice
        )
