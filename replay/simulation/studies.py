"""A study of Optuna: which settings a search tries next, and where its trials are kept.

Settings are asked for from a study in memory, and written to the stored one when their batch has run. Each is
drawn by the seed and its number alone, from the batches before it: so a search that was stopped, and run
again, goes on as if it had never been.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from orderbook.document import Document
from orderbook.errors import OptionError, reason_of
from orderbook.execution.sweeps import Numbers, Space
from replay.simulation.parts import BacktestPart
from replay.simulation.rows import BacktestRow
from replay.simulation.settings import plain_settings
from replay.simulation.study_place import StudyPlace

BATCH: Final = 20
"""Trials of a batch, lanes of one pass: fewer learn more from each other, more read the tape less often."""

_IDENTITY: Final = "booktape"
_DIGEST: Final = "digest"
_TRIAL: Final = "backtest"
_SEEDS: Final = 2**32


class TrialResult(Document, frozen=True):
    """What is kept of a trial, under `backtest` of its user attributes.

    Attributes:
        rows: those of its lane: of each tape, and of all if there are several.
        parts: of its lane, if they are split.
    """

    rows: list[BacktestRow]
    parts: list[BacktestPart]


@dataclass(frozen=True, slots=True)
class Trial:
    """A trial that has run.

    Attributes:
        values: its settings, those alone that are searched.
        value: what the search wants large; None if there is none, as of a Sharpe ratio without fills.
        result: what its lane did.
    """

    values: Mapping[str, Any]
    value: float | None
    result: TrialResult


class Study:
    """The trials of a search, earlier ones included.

    Args:
        space: what each setting is chosen from.
        seed: of the draws.
        place: where the trials are kept; None keeps them in memory alone.
        identity: what all trials of a study have in common, by name.

    Attributes:
        past: trials of earlier runs, of whole batches.
        earlier: number of trials of earlier runs.

    Raises:
        OptionError: if Optuna is not installed, the study is of something else, or cannot be read.
    """

    def __init__(
        self, space: Mapping[str, Space], seed: int, place: StudyPlace | None, identity: Mapping[str, str]
    ) -> None:
        try:
            import optuna  # noqa: PLC0415  of an extra
        except ModuleNotFoundError:
            reason = "a search needs Optuna: pip install 'booktape[search]'"
            raise OptionError(reason, option="search") from None
        self._optuna: Any = optuna
        self._space = space
        self._seed = seed
        self._place = place
        self._distributions = {name: self._distribution(each) for name, each in space.items()}
        self._stored: Any = None
        self._again: list[Any] = []  # trials of a batch that was not written whole: they are asked for again
        self._asked: list[Any] = []
        with self._quiet():
            self._memory: Any = optuna.create_study(direction="maximize")
        self.past: list[Trial] = []
        self.earlier = 0
        if place is not None:
            with self._naming():
                self._stored = place.open(optuna)
                found = self._stored.get_trials(deepcopy=False)
            self._check(identity, is_new=not found)
            self.earlier = len(found)
            whole = len(found) - len(found) % BATCH
            self._again = found[whole:]
            self.past = [self._past(each) for each in found[:whole]]
            self._memory.add_trials(found[:whole])

    def ask(self, most: int) -> list[Mapping[str, Any]]:
        """Return the settings of the next batch.

        Args:
            most: how many new trials are wanted; a batch has no more of them, and `BATCH` at most.
        """
        first = len(self._memory.trials)
        with self._quiet():
            self._asked = [self._drawn(first + n) for n in range(min(BATCH, len(self._again) + most))]
        return [self._values(each.params) for each in self._asked]

    def tell(self, trials: Sequence[Trial], digest: str) -> int:
        """Keep the trials of the batch that was asked for; return how many of them are new.

        Args:
            trials: in the order in which they were asked for.
            digest: of what the tapes say.

        Raises:
            OptionError: if the study is of other tapes, or cannot be written.
        """
        states = self._optuna.trial.TrialState
        frozen = []
        for asked, trial in zip(self._asked, trials, strict=True):
            asked.set_user_attr(_TRIAL, msgspec.to_builtins(trial.result))
            if trial.value is None:
                frozen.append(self._memory.tell(asked, state=states.FAIL))
            else:
                frozen.append(self._memory.tell(asked, trial.value))
        known, self._again = self._again, []
        if self._stored is not None:
            self._write(frozen, known, digest)
        return len(frozen) - len(known)

    def _write(self, frozen: Sequence[Any], known: Sequence[Any], digest: str) -> None:
        with self._naming():
            noted = self._stored.user_attrs.get(_DIGEST)
        if noted not in {None, digest}:
            raise self._other("another tape: its summaries have another digest")
        if [each.params for each in known] != [each.params for each in frozen[: len(known)]]:
            raise self._other("another search, which goes on or used another version of Optuna")
        with self._naming():
            if noted is None:
                self._stored.set_user_attr(_DIGEST, digest)
            self._stored.add_trials(frozen[len(known) :])

    def _drawn(self, number: int) -> Any:
        self._memory.sampler = self._optuna.samplers.TPESampler(
            seed=(self._seed * 1_000_003 + number) % _SEEDS,
            constant_liar=True,  # trials of a batch do not all go to one place
        )
        return self._memory.ask(self._distributions)

    def _distribution(self, space: Space) -> Any:
        kinds = self._optuna.distributions
        if not isinstance(space, Numbers):
            return kinds.CategoricalDistribution(tuple(_plain(each) for each in space))
        if isinstance(space[0], int) and space.step == int(space.step):
            return kinds.IntDistribution(int(space.low), int(space.high), step=int(space.step))
        return kinds.FloatDistribution(float(space.low), float(space.high), step=float(space.step))

    def _values(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return settings of a strategy for what Optuna has chosen."""
        return {name: self._value(space, params[name]) for name, space in self._space.items()}

    @staticmethod
    def _value(space: Space, chosen: Any) -> Any:
        if isinstance(space, Numbers):
            return space[round((chosen - float(space.low)) / float(space.step))]
        return next(each for each in space if _plain(each) == chosen)

    def _check(self, identity: Mapping[str, str], *, is_new: bool) -> None:
        """Refuse a study of something else; a new one is marked as of this."""
        with self._naming():
            noted = self._stored.user_attrs.get(_IDENTITY)
            if noted is None and is_new:
                self._stored.set_user_attr(_IDENTITY, dict(identity))
                return
        if not isinstance(noted, dict):
            raise self._other("no search of booktape")
        for name, value in identity.items():
            if noted.get(name) != value:
                raise self._other(f"{name} {noted.get(name)!r}, not {value!r}")

    def _other(self, what: str) -> OptionError:
        reason = f"the study {self._place} is of {what}: name another one"
        return OptionError(reason, option="study")

    def _past(self, trial: Any) -> Trial:
        try:
            result = msgspec.convert(trial.user_attrs[_TRIAL], TrialResult)
            return Trial(self._values(trial.params), trial.value, result)
        except (KeyError, TypeError, StopIteration, msgspec.ValidationError):
            raise self._other("trials that this version of booktape did not write") from None

    @contextmanager
    def _naming(self) -> Iterator[None]:
        """Turn what a storage raises into one line about the study: each kind raises errors of its own."""
        try:
            with self._quiet():
                yield
        except Exception as error:  # noqa: BLE001  those of Optuna, SQLAlchemy, its drivers, the system
            assert self._place is not None  # noqa: S101  what is in memory alone raises nothing
            said = reason_of(error).removeprefix(f"{self._place.url}: ") or type(error).__name__
            said = said.replace(self._place.url, str(self._place))
            reason = f"{self._place} ({said}): name a storage, such as sqlite:///study.db, or a journal file"
            raise OptionError(reason, option="study") from None

    @contextmanager
    def _quiet(self) -> Iterator[None]:
        """Keep Optuna from logging on stderr, and from warning that parts of it are new."""
        log = self._optuna.logging
        before = log.get_verbosity()
        log.set_verbosity(log.ERROR)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        finally:
            log.set_verbosity(before)


def _plain(value: Any) -> str | int | float | bool | None:
    return plain_settings({"": value})[""]
