"""Runs in vLLM's own environment, without the server: says what its parser makes of the argument lists on stdin.

In: {name: [word...]}, as after `vllm serve`. Out: {name: {"error": ...} or the namespace's values as texts}, and under
"" all flags that the parser knows.
"""

import contextlib
import importlib
import io
import json
import sys

# Named at run time: where this file is checked, vLLM is not.
serving, parsing = (
    importlib.import_module(f"vllm.{each}") for each in ("entrypoints.cli.serve", "utils.argparse_utils")
)

whole = parsing.FlexibleArgumentParser()
below = whole.add_subparsers(dest="subparser")
(command,) = serving.cmd_init()
serve = command.subparser_init(below)
told = {"": {flag: "" for action in serve._actions for flag in action.option_strings}}
for name, words in json.load(sys.stdin).items():
    heard = io.StringIO()
    try:
        with contextlib.redirect_stderr(heard):
            found = whole.parse_args(["serve", *words])
    except SystemExit:
        told[name] = {"error": heard.getvalue()[-2000:]}
    else:
        told[name] = {key: str(value) for key, value in vars(found).items()}
print("\n" + json.dumps(told))
