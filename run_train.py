"""Train a driving policy: `python run_train.py COMMAND --help`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

from agents.extras import install_hint
from simulator.errors import RouteGymError

EXIT_OK, EXIT_INPUT, EXIT_INTERRUPTED = 0, 2, 130

#: command -> (module with `main(arguments)`, first line of the help)
COMMANDS = {
    "ppo": ("rl.ppo_command", "learn from scratch with PPO of stable-baselines3"),
    "sft": ("rl.sft_command", "imitate the expert, with DAgger rounds"),
    "grpo": ("rl.grpo_command", "improve a policy online from groups: grpo, dr_grpo, dapo, gspo, rloo"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0, 2 for wrong input, 130 when interrupted."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments or arguments[0] not in COMMANDS:
        asked = bool(arguments) and arguments[0] in ("-h", "--help")
        out = sys.stdout if asked else sys.stderr
        print("usage: python run_train.py COMMAND [OPTIONS]    (see run_train.py COMMAND --help)", file=out)
        for name, (_, text) in COMMANDS.items():
            print(f"  {name:6} {text}", file=out)
        return EXIT_OK if asked else EXIT_INPUT
    try:
        return int(import_module(COMMANDS[arguments[0]][0]).main(arguments[1:]))
    except RouteGymError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_INPUT
    except ImportError as error:
        if not (hint := install_hint(error)):
            raise
        print(f"error: training needs more packages ({error}){hint}", file=sys.stderr)
        return EXIT_INPUT
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
