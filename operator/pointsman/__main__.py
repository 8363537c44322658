"""The command line, and the only place where the parts are put together."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from pointsman import __version__, argument_types
from pointsman.names import LOCAL_LISTEN, ROUTING_FILE, Mode, ProviderType

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_BROKEN_PIPE = 141  # as shells tell SIGPIPE

Command = "Callable[[argparse.Namespace], int]"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status is 0, 1 for a failure that was told, 2 for a wrong call."""
    arguments = parser().parse_args(argv)
    run: Callable[[argparse.Namespace], int] = arguments.run
    try:
        status = run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # Who was to read it has gone, as `head` does: what is left unsaid must not fail again at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE
    except ModuleNotFoundError as error:
        extra = "operator" if arguments.command == "operator" else "local"
        print(f"pointsman {arguments.command}: {error}: install 'pointsman[{extra}]'", file=sys.stderr)  # noqa: T201
        return 1
    except KeyboardInterrupt:
        return 130
    return status


def parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    root = argparse.ArgumentParser(prog="pointsman", description="Keeps answers coming from large language models.")
    root.add_argument("--version", action="version", version=f"pointsman {__version__}")
    commands = root.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_operator(commands.add_parser("operator", help="watch ModelProviders and ModelRoutes of a cluster"))
    _add_gateway(commands.add_parser("gateway", help="serve clients from a routing table"))
    _add_up(commands.add_parser("up", help="do both without a cluster, from files or from servers found running"))
    _add_render(commands.add_parser("render", help="print the routing table that PATH makes"))
    _add_plan(commands.add_parser("plan", help="print every object that the operator would apply for PATH"))
    _add_explain(commands.add_parser("explain", help="print who would answer for MODEL, and why"))
    _add_import(commands.add_parser("import", help="write the objects that an OpenClaw configuration amounts to"))
    _add_doctor(commands.add_parser("doctor", help="ask each server what agents need, and say how to mend what fails"))
    return root


def _add_operator(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--namespace",
        action="append",
        default=[],
        type=argument_types.namespace,
        metavar="NAME",
        help="repeatable; else all",
    )
    command.add_argument("--resync", type=float, default=300.0, metavar="SECONDS", help="between full listings")
    command.add_argument("--metrics-port", type=int, default=9090)
    command.add_argument("--health-port", type=int, default=8081)
    command.add_argument("--gateway-service", default="pointsman-gateway", metavar="NAME")
    command.add_argument(
        "--own-namespace",
        type=argument_types.namespace,
        metavar="NAME",
        help="where the operator runs: engines let its probes in from there alone; else from any namespace",
    )
    command.add_argument(
        "--mode",
        choices=[str(each) for each in Mode],
        default=str(Mode.MERGE),
        help="unless a Namespace is annotated otherwise",
    )
    command.add_argument("--kubeconfig", metavar="FILE", help="else the Pod's service account or $KUBECONFIG")
    command.set_defaults(run=_operator)


def _add_gateway(command: argparse.ArgumentParser) -> None:
    command.add_argument("--listen", default=LOCAL_LISTEN, type=argument_types.listen, metavar="HOST:PORT")
    command.add_argument("--table", default=ROUTING_FILE, metavar="FILE", help="the routing table; reloaded on change")
    command.add_argument("--credentials", metavar="DIR", help="a file for each provider that needs a key")
    command.add_argument("--grace", type=float, default=30.0, metavar="SECONDS", help="for streams after SIGTERM")
    command.add_argument("--max-body", type=int, default=32 << 20, metavar="BYTES", help="of a request")
    command.add_argument("--workers", type=int, default=1, metavar="N", help="processes that share the port")
    _add_store(command)
    command.set_defaults(run=_gateway)


def _add_up(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "paths", nargs="*", metavar="PATH", help="YAML objects, an OpenClaw json5, or folders; none: look for servers"
    )
    command.add_argument("--listen", default=LOCAL_LISTEN, type=argument_types.listen, metavar="HOST:PORT")
    command.add_argument("--state", metavar="DIR", help="where table and keys are written; else a temporary folder")
    _add_store(command)
    command.set_defaults(run=_up)


def _add_store(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--store-bytes", type=argument_types.size, default=0, metavar="BYTES",
        help="memory for responses that clients go on from by previous_response_id; 0: none is kept",
    )  # fmt: skip
    command.add_argument(
        "--store-seconds", type=argument_types.seconds, default=3600.0, metavar="SECONDS", help="for which one is kept"
    )


def _add_render(command: argparse.ArgumentParser) -> None:
    command.add_argument("paths", nargs="+", metavar="PATH")
    command.add_argument("--probe", action="store_true", help="ask the servers first; else no network is used")
    command.set_defaults(run=_render)


def _add_plan(command: argparse.ArgumentParser) -> None:
    command.add_argument("paths", nargs="+", metavar="PATH", help="YAML objects of any namespaces, or folders")
    command.add_argument("--output", "-o", default="yaml", choices=["yaml", "json"], help="json: one List")
    command.add_argument(
        "--no-table", action="store_true", help="leave out the routing table, which follows the probes"
    )
    command.add_argument("--gateway-service", default="pointsman-gateway", metavar="NAME", help="as the operator's")
    command.add_argument(
        "--operator-namespace", type=argument_types.namespace, metavar="NAME",
        help="where the operator runs: its Pods may then ask engines from there alone",
    )  # fmt: skip
    command.set_defaults(run=_plan)


def _add_explain(command: argparse.ArgumentParser) -> None:
    command.add_argument("paths", nargs="+", metavar="PATH")
    command.add_argument("model", metavar="MODEL", help="as a client would ask for it")
    command.add_argument("--probe", action="store_true", help="ask the servers first; else no network is used")
    command.set_defaults(run=_explain)


def _add_import(command: argparse.ArgumentParser) -> None:
    command.add_argument("path", metavar="PATH", help="openclaw.json or .json5; -: standard input")
    command.add_argument("--namespace", "-n", default="default", type=argument_types.namespace, metavar="NAME")
    command.add_argument("--output", "-o", default="-", metavar="DIR", help="for files, the keys apart; else printed")
    command.add_argument("--force", action="store_true", help="write over files that are there")
    command.add_argument(
        "--placeholders", action="store_true", help="leave a text to be replaced where a variable is not set"
    )
    command.set_defaults(run=_import)


def _add_doctor(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "paths", nargs="*", metavar="PATH", help="as for up; none, and no --url: look for servers on their usual ports"
    )
    command.add_argument("--url", metavar="URL", help="of one server, with or without /v1")
    command.add_argument(
        "--type", metavar="TYPE", choices=[str(each) for each in ProviderType], help="of the server at --url"
    )
    command.add_argument("--model", metavar="MODEL", help="the only one to ask for tokens")
    command.add_argument("--key-env", metavar="NAME", help="the environment variable that holds the key for --url")
    command.add_argument("--hosted", action="store_true", help="ask External servers for tokens too: that costs money")
    command.add_argument("--timeout", type=float, default=60.0, metavar="SECONDS", help="for one answer")
    command.add_argument("--json", action="store_true", help="print a report for machines")
    command.set_defaults(run=_doctor)


# Each command imports its shell only when it runs: the gateway's image holds neither kopf nor pydantic.


def _operator(arguments: argparse.Namespace) -> int:
    from pointsman.controller import operator  # noqa: PLC0415

    return operator.run(
        operator.Options(
            namespaces=tuple(arguments.namespace),
            resync_seconds=arguments.resync,
            metrics_port=arguments.metrics_port,
            health_port=arguments.health_port,
            gateway_service=arguments.gateway_service,
            own_namespace=arguments.own_namespace or "",
            mode=Mode(arguments.mode),
            kubeconfig=arguments.kubeconfig,
        )
    )


def _gateway(arguments: argparse.Namespace) -> int:
    from pointsman.gateway import server  # noqa: PLC0415

    return server.main(
        server.Options(
            listen=arguments.listen,
            table=arguments.table,
            credentials=arguments.credentials,
            grace=arguments.grace,
            max_body=arguments.max_body,
            workers=arguments.workers,
            store_bytes=arguments.store_bytes,
            store_seconds=arguments.store_seconds,
        )
    )


def _up(arguments: argparse.Namespace) -> int:
    from pointsman.local import up  # noqa: PLC0415

    return up.run(
        up.Options(
            paths=tuple(arguments.paths),
            listen=arguments.listen,
            state=arguments.state,
            store_bytes=arguments.store_bytes,
            store_seconds=arguments.store_seconds,
        )
    )


def _render(arguments: argparse.Namespace) -> int:
    from pointsman.local import show  # noqa: PLC0415

    return show.render(arguments.paths, probe=arguments.probe)


def _plan(arguments: argparse.Namespace) -> int:
    from pointsman.local import planning  # noqa: PLC0415

    return planning.run(
        planning.Options(
            paths=tuple(arguments.paths),
            output=arguments.output,
            table=not arguments.no_table,
            gateway_service=arguments.gateway_service,
            operator_namespace=arguments.operator_namespace or "",
        )
    )


def _explain(arguments: argparse.Namespace) -> int:
    from pointsman.local import show  # noqa: PLC0415

    return show.explain(arguments.paths, arguments.model, probe=arguments.probe)


def _import(arguments: argparse.Namespace) -> int:
    from pointsman.local import importing  # noqa: PLC0415

    return importing.run(
        importing.Options(
            path=arguments.path,
            namespace=arguments.namespace,
            output=arguments.output,
            force=arguments.force,
            placeholders=arguments.placeholders,
        )
    )


def _doctor(arguments: argparse.Namespace) -> int:
    from pointsman.local import doctor  # noqa: PLC0415

    return doctor.run(
        doctor.Options(
            paths=tuple(arguments.paths),
            url=arguments.url or "",
            type=ProviderType(arguments.type) if arguments.type else None,
            model=arguments.model or "",
            key_env=arguments.key_env or "",
            hosted=arguments.hosted,
            timeout=arguments.timeout,
            json=arguments.json,
        )
    )


if __name__ == "__main__":
    sys.exit(main())
