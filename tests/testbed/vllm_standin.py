#!/usr/local/bin/python3
"""`vllm serve MODEL …` for the test bed: a real llama-server on a tiny model, behind vLLM's command line.

A model whose last path segment names a file in /models gets that one, others get `text`. The API key comes
from VLLM_API_KEY, as with vLLM. Flags that only a GPU gives a meaning are taken and left alone.
"""

import argparse
import os
import sys
from pathlib import Path

MODELS = Path("/models")
SLOTS = 4


def arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="vllm", allow_abbrev=False)
    parser.add_argument("command", choices=["serve"])
    parser.add_argument("model")
    parser.add_argument("--host", default="0.0.0.0")
    parser.add_argument("--port", default="8000")
    parser.add_argument("--served-model-name", nargs="+", default=[])
    parser.add_argument("--max-model-len", type=int, default=8192)
    parser.add_argument("--api-key", default=os.environ.get("VLLM_API_KEY", ""))
    known, _ = parser.parse_known_args(argv)
    return known


def llama_server(args: argparse.Namespace) -> list[str]:
    """The command line of llama-server that serves the same."""
    weights = MODELS / f"{args.model.rsplit('/', 1)[-1]}.gguf"
    model = weights if weights.exists() else MODELS / "text.gguf"
    names = ",".join(args.served_model_name or [args.model])
    command = ["llama-server", "--model", str(model), "--alias", names, "--host", args.host, "--port", args.port]
    context = str(args.max_model_len * SLOTS)  # llama-server shares its context out, vLLM's is each request's
    command += ["--ctx-size", context, "--parallel", str(SLOTS), "--threads", "1", "--jinja", "--no-webui", "--metrics"]
    return command + (["--api-key", args.api_key] if args.api_key else [])


if __name__ == "__main__":
    command = llama_server(arguments(sys.argv[1:]))
    os.execvp(command[0], command)
