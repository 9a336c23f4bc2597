"""`python -m deploy.kind doctor|images|up|down|forward|echo|jaeger|…`: what the Makefile's kind targets run."""

import os
import shutil
import sys

from deploy.kind import cluster, doctor, images, overlay, up, ways
from deploy.kind.commands import Failed
from deploy.kind.settings import Settings

INTERRUPTED = 130  # what a shell calls a command that SIGINT ended


def say(line: str) -> None:
    """For a person, at once."""
    print(line, flush=True)


def down(settings: Settings) -> None:
    """The cluster and what was generated for it are gone; images and secrets stay."""
    cluster.removed(settings)
    shutil.rmtree(settings.work, ignore_errors=True)


def echo(settings: Settings) -> None:
    """The image of the tests' lab, built and on the nodes."""
    images.build_echo(settings)
    images.load_ours(settings, ["echo"])


def main(words: list[str]) -> int:
    """The exit status: 0, 1 with a reason, 2 for an unknown verb."""
    try:
        settings = Settings.read(os.environ)
        match words:
            case ["doctor"]:
                return 0 if doctor.healthy(settings, say) else 1
            case ["up"]:
                up.up(settings, lambda line: say(line if line.startswith(("[", "\n")) else f"    {line}"))
            case ["down"]:
                down(settings)
            case ["forward"]:
                ways.gateway(settings, say)
            case [name] if name in ways.PAGES:
                ways.page(settings, name, say)
            case ["images"]:
                images.build_all(settings, overlay.SERVICES, say)
            case ["echo"]:
                echo(settings)
            case _:
                say(str(__doc__))
                return 2
    except (Failed, ValueError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
