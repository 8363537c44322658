"""The command line itself: what it refuses before anything runs, and how it ends when nobody reads on."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pointsman.__main__ import main, parser


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("up --listen bogus", "not HOST:PORT"), ("up --listen 127.0.0.1:99999", "from 0 to 65535"),
        ("gateway --listen 127.0.0.1:99999", "from 0 to 65535"),
        ("gateway --store-bytes -1", "0 or more"), ("up --store-bytes -5", "0 or more"),
        ("up --store-bytes x", "bytes"),
        ("up --store-bytes 9 --store-seconds 0", "more than 0"), ("gateway --store-seconds -1", "more than 0"),
        ("gateway --store-seconds nan", "more than 0"), ("import x.json -n Bad_NS", "a namespace has"),
        ("operator --namespace -x-", "namespace"), ("operator --mode Bogus", "Replace"),
        ("doctor --url http://x --type Bogus", "OpenAICompatible"),
    ],
)  # fmt: skip
def test_a_wrong_argument_ends_with_status_2(line: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    """And with what is wrong and what can be written."""
    with pytest.raises(SystemExit) as ended:
        main(line.split())
    assert ended.value.code == 2
    assert told in capsys.readouterr().err


def test_what_is_right_is_taken() -> None:
    """Of the right type."""
    told = parser().parse_args(["up", "--listen", "[::1]:0", "--store-bytes", "0", "--store-seconds", "0.5"])
    assert (told.listen, told.store_bytes, told.store_seconds) == ("[::1]:0", 0, 0.5)
    assert parser().parse_args(["doctor", "--url", "http://x", "--type", "VLLM"]).type == "VLLM"


@pytest.mark.parametrize("command", ["doctor --url http://127.0.0.1:9 --timeout 1", "import config.json"])
def test_nobody_reads_on(command: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """`pointsman … | head` ends quietly."""
    folder = tmp_path_factory.mktemp("pipe")
    provider = '{baseUrl: "http://127.0.0.1:1/v1", models: [{id: "m", name: "m"}]}'
    (folder / "config.json").write_text(f"{{models: {{providers: {{box: {provider}}}}}}}")
    process = subprocess.Popen(
        [sys.executable, "-m", "pointsman", *command.split()],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=folder,
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    said = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait(30) == 141
    assert "Traceback" not in said
    assert "Broken" not in said
