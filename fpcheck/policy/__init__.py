"""What the user accepts: the values of a policy, checked and with its defaults filled in."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from fpcheck.comparison.levels import RESEMBLES, Level

BUILT_IN = "built-in defaults"  # the source of a policy that came from no file


class Unmeasured(StrEnum):
    """What follows when nothing of a checkpoint could be measured."""

    FAIL = "fail"
    WARN = "warn"
    IGNORE = "ignore"


@dataclass(frozen=True)
class ProfileThreshold:
    """Profiles at least this similar, over at least this many layers, are objected to.

    `raw` is a Pearson correlation; `detrended` the same with the trend in depth removed, None
    when it is not asked for.
    """

    raw: float
    detrended: float | None = None
    layers: int = 8


@dataclass(frozen=True)
class Threshold:
    """The rules of one severity; each objects on its own, and None switches it off.

    `false_positive_rate` is the highest that evidence of the weights may have to be objected to,
    corrected for all that was compared.
    """

    level: Level | None
    profile: ProfileThreshold | None = None
    false_positive_rate: float | None = None


@dataclass(frozen=True)
class Policy:
    """A whole policy: `source` says where it came from, `digest` which bytes it was.

    `library` are folders of references to add to the built-in ones, `declared` the ids that the
    release may descend from, its own included.
    """

    source: str
    digest: str
    checkpoint: str | None
    library: tuple[str, ...]
    declared: tuple[str, ...]
    fail: Threshold
    warn: Threshold
    unmeasured: Unmeasured

    @property
    def bare_threshold(self) -> float | None:
        """The raw correlation that fails a build by itself, if there is one.

        A failing level of *resembles* is one too: it rests on the raw correlation alone.
        """
        profile = self.fail.profile
        bare = [profile.raw] if profile is not None and profile.detrended is None else []
        return min(bare + [RESEMBLES] * (self.fail.level is Level.RESEMBLES), default=None)
