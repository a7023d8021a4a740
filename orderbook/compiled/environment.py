"""What compiled code depends on besides its sources: numba's variables, the versions, the processor.

The only module of the core that reads the environment: numba reads the same variables once it is imported,
which running kept machine code does not wait for.
"""

import hashlib
import os
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import numpy as np

IS_PYTHON: Final = os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")
"""Whether the kernel runs as plain Python, see `jit`."""

_SETTINGS: Final = ("BOUNDSCHECK", "OPT", "LOOP_VECTORIZE", "SLP_VECTORIZE", "CPU_NAME", "CPU_FEATURES")
"""The variables of numba that change the code."""


def key_of(made_of: bytes) -> str:
    """Return what changes with what a function is made of, and all else that its code depends on.

    Raises:
        ImportError: if numba is not installed.
    """
    import llvmlite  # noqa: PLC0415  may be absent
    import llvmlite.binding as llvm  # noqa: PLC0415  heavy

    settings = [os.environ.get(f"NUMBA_{name}") for name in _SETTINGS]
    versions = (sys.version, _numba_version(), llvmlite.__version__, np.__version__)
    features = llvm.get_host_cpu_features().flatten()
    processor = (llvm.get_process_triple(), llvm.get_host_cpu_name(), features)
    depends_on = repr((made_of, settings, versions, processor))
    return hashlib.sha256(depends_on.encode()).hexdigest()[:32]


def _numba_version() -> str:
    """Return what names the version of numba, which is not imported for that."""
    spec = find_spec("numba")
    if spec is None:
        raise ImportError("No module named 'numba'", name="numba")
    if spec.origin is None:
        version: str = import_module("numba").__version__
        return version
    return Path(spec.origin).with_name("_version.py").read_text(encoding="utf-8")
