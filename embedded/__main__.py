"""``python -m embedded up|down|status``: the services without Django, for scripts."""

import argparse
import sys

from embedded import EmbeddedError, cli


def main() -> int:
    """Parse, run, and turn a known failure into one clear line."""
    parser = argparse.ArgumentParser(prog="embedded", description=__doc__)
    cli.add_arguments(parser)
    try:
        return cli.run(parser.parse_args(), sys.stdout)
    except EmbeddedError as error:
        sys.stderr.write(f"embedded: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
