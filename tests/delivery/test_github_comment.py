from __future__ import annotations

from collections.abc import Iterator

import pytest

from fpcheck.delivery.github_comment import MAX_BODY, CommentResult, marker
from tests.delivery.steps import Time, post, pull_request
from tests.servers.github import TOKEN, Answer, GitHubServer

LIMITED = {"X-RateLimit-Remaining": "0"}
BUSY = Answer(502, "<html>bad gateway</html>")


@pytest.fixture(params=["", "/api/v3"], ids=["github.com", "server of one's own"])
def server(request) -> Iterator[GitHubServer]:
    with GitHubServer(request.param) as running:
        yield running


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
