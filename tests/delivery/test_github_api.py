"""Where requests go and how long they take: seen through the comment that they are for."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from time import monotonic

import pytest

from tests.delivery.steps import Time, post
from tests.servers.github import TOKEN, Answer, GitHubServer


@pytest.fixture(params=["", "/api/v3"], ids=["github.com", "server of one's own"])
def server(request) -> Iterator[GitHubServer]:
    with GitHubServer(request.param) as running:
        yield running


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


def test_request_late_in_the_budget_gets_what_is_left_of_it():
    with socket.create_server(("127.0.0.1", 0)) as silent, GitHubServer() as server:
        time = Time()
        genuine = server.answer

        def slow(request):
            time.now += 59.9
            return genuine(request)

        server.answer = slow
        began = monotonic()
        result = post(server, time=time, api_url=f"http://127.0.0.1:{silent.getsockname()[1]}")

    assert "GitHub did not answer (ReadTimeout) (1 tries)" in result.notice
    assert monotonic() - began < 5


def test_connection_that_cannot_be_trusted_is_not_tried_again():
    with GitHubServer() as server:
        result = post(server, graphql_url=server.url.replace("http:", "https:") + "/graphql")

    assert "ca-bundle" in result.notice


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
