"""The services of a plan as texts: units of systemd, and a file of docker compose, for each host."""

import json
import re
from collections.abc import Iterator
from typing import Final

from recorder.fleet.plan import Fleet, Recorder

_PROGRAM: Final = "/opt/booktape/bin/booktape"
_ENVIRONMENT: Final = "/etc/booktape/environment"
"""Keys of an exchange or of an object store, for root's eyes; it may be missing."""

_CONTAINER_PORT: Final = "9400"
"""Of the metrics in a container, where the health check of the image asks."""


def service_files(fleet: Fleet) -> Iterator[tuple[str, str]]:
    """Yield the names of the files, with the host as their directory, and their texts."""
    for host in fleet.hosts:
        recorders = fleet.on(host).recorders
        for each in recorders:
            yield f"{host}/booktape-{each.name}.service", unit(each)
        yield f"{host}/compose.yaml", compose(recorders)


def unit(recorder: Recorder) -> str:
    """Return a unit of systemd, as docs/operate.md explains it."""
    words = " ".join(_unit_word(each) for each in (_PROGRAM, *recorder.arguments()))
    tape = _unit_word(str(recorder.tape))
    return f"""\
[Unit]
Description=booktape recorder {recorder.name}
After=network-online.target time-sync.target
Wants=network-online.target time-sync.target

[Service]
User=booktape
EnvironmentFile=-{_ENVIRONMENT}
CacheDirectory=booktape-{recorder.name}
ExecStartPre=+/usr/bin/install -d -o booktape -g booktape {tape}
ExecStart={words}
Restart=always
RestartSec=5
TimeoutStopSec=60

[Install]
WantedBy=multi-user.target
"""


def compose(recorders: tuple[Recorder, ...]) -> str:
    """Return a file of docker compose: texts are quoted as JSON, which YAML reads."""
    return "services:\n" + "\n".join(_service(each) for each in recorders)


def _service(recorder: Recorder) -> str:
    arguments = recorder.arguments(metrics_port=_CONTAINER_PORT, metrics_host="0.0.0.0")  # noqa: S104  the container's own
    command = json.dumps([_compose_text(each) for each in arguments])
    tape = _compose_text(str(recorder.tape))
    port = recorder.metrics_port
    published = f"    ports: [{json.dumps(f'127.0.0.1:{port}:{_CONTAINER_PORT}')}]\n" if port else ""
    return f"""\
  booktape-{recorder.name}:
    image: booktape
    command: {command}
    volumes: [{{type: bind, source: {json.dumps(tape)}, target: {json.dumps(tape)}}}]
{published}\
    env_file: [{{path: {_ENVIRONMENT}, required: false}}]
    read_only: true
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
    stop_grace_period: 60s
    restart: always
"""


def _unit_word(text: str) -> str:
    """Return one word of a command line of a unit, in which % and $ mean something."""
    text = text.replace("%", "%%").replace("$", "$$")
    return text if re.fullmatch(r"[\w@%+=:,./$-]+", text, re.ASCII) else json.dumps(text)


def _compose_text(text: str) -> str:
    """Return a text of a compose file, in which $ means something."""
    return text.replace("$", "$$")
