"""``mqcheck serve``: options in, addresses out. What is served, and how it ends, is `serving`'s."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from mqcheck import exits
from mqcheck.embedded.serving import BROKER_PORT, NAMESERVER_PORT, Served, Wanted
from mqcheck.errors import SettingsError

Data = Annotated[Path | None, typer.Option(metavar="DIR", help="Keep messages there (default: a temporary folder).")]
Port = Annotated[
    int, typer.Option(metavar="N", help="Of the NameServer, the next ones follow; 0: free ports for everything.")
]
BrokerPort = Annotated[
    int | None,
    typer.Option(metavar="N", help=f"Of the broker (default: {BROKER_PORT}), the next ones 10 further; 0: free."),
]
Host = Annotated[str, typer.Option(metavar="HOST", help="Where it listens; 0.0.0.0: on every interface.")]
Advertise = Annotated[
    str | None,
    typer.Option(metavar="HOST", help="What clients are told as the brokers' host (brokerIP1; default: --host)."),
]
Setting = Annotated[
    list[str] | None,
    typer.Option("-p", "--setting", metavar="KEY=VALUE", help="A property of RocketMQ; namesrv.KEY. Repeatable."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one line of JSON instead of the address.")]
Stdin = Annotated[bool, typer.Option("--stdin", help="End when standard input does: with whoever holds it.")]


def serve(
    data: Data = None,
    port: Port = NAMESERVER_PORT,
    broker_port: BrokerPort = None,
    host: Host = "127.0.0.1",
    advertise: Advertise = None,
    nameservers: Annotated[int, typer.Option(metavar="N", help="NameServers.")] = 1,
    brokers: Annotated[int, typer.Option(metavar="N", help="Brokers: broker-a, broker-b, ….")] = 1,
    slaves: Annotated[int, typer.Option(metavar="N", help="Slaves of each broker.")] = 0,
    flush: Annotated[str, typer.Option(metavar="TYPE", help="ASYNC_FLUSH or SYNC_FLUSH.")] = "ASYNC_FLUSH",
    setting: Setting = None,
    as_json: Json = False,
    stdin: Stdin = False,
) -> int:
    """Serve the reference RocketMQ, for clients and tests in any language, until Ctrl-C or SIGTERM.

    \b
      mqcheck serve                                     NameServer on 127.0.0.1:9876, broker on 10911
      mqcheck serve --port 0 --json --stdin             for a test program: free ports, ends with the program
      mqcheck serve --data shop                         messages are there again after the next start
      mqcheck serve --brokers 2 --slaves 1 --flush SYNC_FLUSH
      mqcheck serve -p maxMessageSize=1024 -p autoCreateTopicEnable=false
      mqcheck serve --host 0.0.0.0 --advertise 192.168.1.5

    The first line of standard output comes when everything is ready, and is the NameServer address to give to clients:
    HOST:PORT, several joined by ";". With --json it is an object with nameserver_address, broker_addresses, pid,
    node_pids and data. Everything for people goes to standard error.

    A broker takes three ports: the one it is named by, 2 below (VIP) and 1 above (HA). A port that is in use is an
    error before anything starts. Nothing is left after the end, not even after kill -9 of this process.

    Exit status: 0 after Ctrl-C, SIGTERM, SIGHUP or the end of --stdin; 4 for a port, folder or setting that cannot be
    used; 7 when a node ended by itself.
    """
    from mqcheck.embedded.serving import serve as serve_until_told

    wanted = Wanted(
        host=host,
        advertise=advertise,
        port=port,
        broker_port=broker_port,
        data=data,
        nameservers=nameservers,
        brokers=brokers,
        slaves=slaves,
        flush=flush,
        settings=settings_of(setting or []),
    )

    def ready(served: Served) -> None:
        # What is for people first, and in one piece: whoever waits for the address may go on to write there as well.
        sys.stderr.write(f"{told(served)}\n")
        sys.stderr.flush()
        print(json.dumps(served.as_dict()) if as_json else served.nameserver_address, flush=True)

    serve_until_told(wanted, ready, until_eof=sys.stdin.fileno() if stdin else None)
    return exits.HELD


def settings_of(pairs: list[str]) -> dict[str, str]:
    """``KEY=VALUE`` each. Raises SettingsError."""
    settings: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise SettingsError(f"-p {pair!r} is no KEY=VALUE, such as maxMessageSize=1024")
        settings[key] = value
    return settings


def told(served: Served) -> str:
    """For people."""
    brokers = ", ".join(f"{name} {address}" for name, address in served.broker_addresses.items())
    kept = (
        f"messages are kept in {served.data}" if served.data else "messages are gone at the end (--data DIR keeps them)"
    )
    return f"mqcheck: NameServer {served.nameserver_address}; {brokers}; {kept}; Ctrl-C ends it"
