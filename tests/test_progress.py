"""How far a long step is, as people and logs see it."""

from __future__ import annotations

import io

from fpcheck.progress import BAR_EVERY, LINE_EVERY, ProgressLine


class Screen(io.StringIO):
    """A stream that says whether it is a terminal, and that may be full."""

    def __init__(self, terminal: bool = False, full: bool = False) -> None:
        super().__init__()
        self._terminal, self._full = terminal, full

    def isatty(self) -> bool:
        return self._terminal

    def write(self, text: str) -> int:
        if self._full:
            raise OSError(28, "No space left on device")
        return super().write(text)


def shown(screen: Screen, *, seconds: float, step: float, total: int = 10**10) -> str:
    """What is on the screen after so many seconds, with a call every `step`."""
    now = [0.0]
    line = ProgressLine(screen, clock=lambda: now[0])
    while now[0] < seconds:
        now[0] = round(now[0] + step, 6)
        line("measuring", int(now[0] * 1e8), total)
    return screen.getvalue()


def test_a_log_gets_a_line_every_ten_seconds() -> None:
    text = shown(Screen(), seconds=25, step=0.5)

    assert text == ("measuring: 1.00 of 10.00 GB (10%)\nmeasuring: 2.00 of 10.00 GB (20%)\n")


def test_a_terminal_gets_a_bar_that_is_drawn_over_itself() -> None:
    text = shown(Screen(terminal=True), seconds=0.3, step=0.06, total=10**8)

    assert text.split("\r\033[K")[1:] == [
        f"[{'####':<30}] measuring: 0.01 of 0.10 GB",
        f"[{'#######':<30}] measuring: 0.02 of 0.10 GB",
    ]


def test_a_short_step_says_nothing() -> None:
    assert shown(Screen(), seconds=LINE_EVERY - 0.5, step=0.5) == ""
    assert shown(Screen(terminal=True), seconds=BAR_EVERY / 2, step=BAR_EVERY / 4) == ""


def test_a_bar_is_wiped_at_the_end_and_a_log_is_not_touched() -> None:
    for terminal, rest in ((True, "\r\033[K"), (False, "")):
        screen, now = Screen(terminal), [0.0]
        line = ProgressLine(screen, clock=lambda now=now: now[0])  # type: ignore[misc]
        now[0] = LINE_EVERY
        line("hashing", 1, 0)  # an empty file, all of which is behind us
        before = screen.getvalue()
        line.close()

        assert screen.getvalue() == before + rest
        assert "hashing" in before


def test_a_log_that_is_full_does_not_stop_the_step() -> None:
    assert shown(Screen(full=True), seconds=30, step=1) == ""
    assert shown(Screen(terminal=True, full=True), seconds=3, step=1) == ""
