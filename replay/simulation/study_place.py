"""Where Optuna keeps the trials of a search."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from orderbook.errors import OptionError

_DEFAULT_NAME: Final = "booktape"
_JOURNAL_BEGIN: Final = b'{"op_code":'


@dataclass(frozen=True, slots=True)
class StudyPlace:
    """Where the trials of a study are kept.

    Attributes:
        url: storage as Optuna names it, such as `sqlite:///study.db`, or the path of a journal file.
        name: of the study in it.
    """

    url: str
    name: str

    @classmethod
    def of(cls, text: str) -> "StudyPlace":
        """Return the place that a text names: a storage, and behind a `#` the name of the study.

        >>> StudyPlace.of("sqlite:///study.db"), StudyPlace.of("trials.log#eth").name
        (StudyPlace(url='sqlite:///study.db', name='booktape'), 'eth')

        Raises:
            OptionError: if it names no storage.
        """
        url, _, name = text.partition("#")
        if not url or "\0" in url:
            raise OptionError("name a storage, such as sqlite:///study.db, or a journal file")
        if "://" not in url and url.endswith((".db", ".sqlite", ".sqlite3")):
            raise OptionError(f"{url!r} would be a journal file: write sqlite:///{url}")
        return cls(url, name or _DEFAULT_NAME)

    def __str__(self) -> str:
        """The place without user and password."""
        return f"{re.sub('//[^/]*@', '//', self.url)}#{self.name}"

    def open(self, optuna: Any) -> Any:
        """Return the study, made if it is not there.

        Args:
            optuna: the module.

        Raises:
            Exception: whatever Optuna, its database or the system has against it.
        """
        storages = optuna.storages
        if "://" in self.url:
            storage = storages.get_storage(self.url)
        else:
            self._refuse_other_file()
            storage = storages.JournalStorage(storages.journal.JournalFileBackend(self.url))
        return optuna.create_study(
            storage=storage, study_name=self.name, direction="maximize", load_if_exists=True
        )

    def _refuse_other_file(self) -> None:
        """Raise ValueError if the path has something else than a journal: Optuna would append to it."""
        path = Path(self.url)
        if not path.exists() or path.is_dir():  # of a directory the system says so
            return
        if not path.is_file():
            raise ValueError("not a regular file")
        with path.open("rb") as file:
            begin = file.read(len(_JOURNAL_BEGIN))
        if begin not in (b"", _JOURNAL_BEGIN):
            raise ValueError("not a journal of Optuna")
