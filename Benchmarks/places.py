"""Where results go: into the published page, or beside the build when a run is only a look."""

import argparse
import pathlib

ROOT = pathlib.Path(__file__).resolve().parent.parent


def add_options(parser):
    parser.add_argument("--folder", type=pathlib.Path, default=ROOT / ".build" / "bench", help="for data directories, and for what a look writes")
    parser.add_argument("--out", type=pathlib.Path, help="gets the results, a line of JSON for each (docs/performance/; of a look: in --folder)")
    parser.add_argument("--document", type=pathlib.Path,
                        help="whose generated parts are written anew (docs/performance.md; of a look: in --folder); none with an empty name")


def choose(options, name, look):
    """Fills in what the options leave open.

    `name` is that of the file of results; `look` says why the run is none to publish, or is empty.
    """
    place = options.folder if look else ROOT / "docs"
    options.out = options.out or place / "performance" / name
    if options.document is None:
        options.document = place / "performance.md"
        if look:
            print(f"{look}: this is a look, and docs/performance.md stays as it is; see {shown(options.document)}, or choose --document", flush=True)
    options.folder.mkdir(parents=True, exist_ok=True)
    options.out.parent.mkdir(parents=True, exist_ok=True)


def shown(path):
    """A path as somebody in the repository would write it."""
    path = path.absolute()
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def above_zero(kind):
    """For `type=`: a number that is more than 0."""
    def parse(text):
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not value > 0:
            raise argparse.ArgumentTypeError(f"{text} is no {'whole number' if kind is int else 'number'} above 0")
        return value
    return parse
