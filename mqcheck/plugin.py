"""pytest's door to mqcheck: options, hook specifications, and nothing else unless ``--mqcheck`` is given.

pytest loads this file at every start, so it imports only what the options need (less than 30 ms, measured by
``benchmarks/plugin_import.py``). What a run does is in ``conformance``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

import pytest

if TYPE_CHECKING:
    from mqcheck.embedded.cluster import RocketMQCluster, RocketMQServer
    from mqcheck.embedded.house import House
    from mqcheck.fixtures import Faults
    from mqcheck.settings import Resolved, Settings

MARK = (
    "mqcheck(settings={}, flush=…, brokers=1, slaves=0, nameservers=1): what rocketmq_server and rocketmq_cluster are "
    "to be for this test (docs/fixtures.md)"
)
"""As ``pytest --markers`` shows it."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """One option and one ini option for each setting.

    https://docs.pytest.org/en/stable/reference/reference.html#pytest.hookspec.pytest_addoption
    """
    from mqcheck.options import SETTINGS

    group = parser.getgroup("mqcheck", "conformance and chaos testing of message queues")
    group.addoption(
        "--mqcheck",
        action="store_true",
        default=False,
        help="Run the conformance suite: alone, or with the tests of the paths given.",
    )
    for setting in SETTINGS:
        action: dict[str, Any] = {"metavar": setting.metavar}
        if setting.kind == "flag":
            action = {"action": "store_true"}
        elif setting.kind == "list":
            action["action"] = "append"
        elif setting.kind == "number":
            action["type"] = int
        kind: Literal["args", "string"] = "args" if setting.kind == "list" else "string"
        group.addoption(setting.option, dest=setting.dest, default=None, help=setting.help, **action)
        parser.addini(setting.dest, f"default of {setting.option}", type=kind)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Hooks that other plugins and conftests may implement."""
    from mqcheck import hooks

    pluginmanager.add_hookspecs(hooks)


@pytest.hookimpl(wrapper=True)
def pytest_cmdline_main(config: pytest.Config) -> Generator[None, Any, Any]:
    """Look at ``--dist`` before xdist puts its own default in its place."""
    if asked_for(config):
        from mqcheck.scheduler import SPLITTING_MODES

        option = config.option
        mode = "load" if getattr(option, "distload", False) else getattr(option, "dist", "no")
        if mode in SPLITTING_MODES:
            raise pytest.UsageError(
                f"--dist {mode} would split the items of one scenario over workers: leave it out, -n alone is enough"
            )
    return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Take the suite's ids off the arguments, and switch the suite on where it is asked for."""
    config.addinivalue_line("markers", MARK)
    if not asked_for(config):
        return
    from mqcheck.errors import UserError
    from mqcheck.machinery import require_kit
    from mqcheck.plan import take_ids
    from mqcheck.settings import joined

    invocation = config.invocation_params
    config.invocation_params = type(invocation)(
        args=joined(invocation.args), plugins=invocation.plugins, dir=invocation.dir
    )
    ids, paths = take_ids(config.args)
    if ids or config.args_source is not pytest.Config.ArgsSource.ARGS:
        config.args = paths if config.args_source is pytest.Config.ArgsSource.ARGS else []
        config.args_source = pytest.Config.ArgsSource.ARGS
    try:
        require_kit()
        from mqcheck.conformance import Conformance

        config.pluginmanager.register(Conformance(config, settings_of(config), ids), "mqcheck-conformance")
    except UserError as error:
        raise pytest.UsageError(str(error)) from error


def asked_for(config: pytest.Config) -> bool:
    """``--mqcheck``, or one of the suite's ids pasted back."""
    return bool(config.option.mqcheck) or any(argument.startswith("mqcheck::") for argument in config.args)


def resolved(config: pytest.Config) -> dict[str, Resolved]:
    """Every setting with its origin. Raises SettingsError. Called here and by ``mqcheck config``."""
    from mqcheck.options import SETTINGS
    from mqcheck.settings import resolve, table_of

    command_line = {setting.name: getattr(config.option, setting.dest) for setting in SETTINGS}
    ini = {setting.name: config.getini(setting.dest) for setting in SETTINGS}
    files = [("[tool.mqcheck] of pyproject.toml", table_of(config.rootpath)), ("pytest's ini options", ini)]
    return resolve(command_line, os.environ, files)


def settings_of(config: pytest.Config) -> Settings:
    """The values a run works with. Raises SettingsError."""
    from mqcheck.settings import settle

    return settle(resolved(config), config.rootpath, config.invocation_params.dir)


@pytest.fixture(scope="session")
def rocketmq_server_settings() -> Mapping[str, object]:
    """RocketMQ properties for `rocketmq_server`; override it in a conftest.

    Keys that both roles have are written ``namesrv.KEY`` or ``broker.KEY``.
    """
    return {}


@pytest.fixture(scope="session")
def _rocketmq_house(
    tmp_path_factory: pytest.TempPathFactory, rocketmq_server_settings: Mapping[str, object]
) -> Iterator[House]:
    from mqcheck.embedded.house import House

    house = House(tmp_path_factory.mktemp("rocketmq"), rocketmq_server_settings)
    try:
        yield house
    finally:
        house.close()


@pytest.fixture
def rocketmq_server(request: pytest.FixtureRequest, _rocketmq_house: House) -> Iterator[RocketMQServer]:
    """An empty RocketMQ server (`mqcheck.embedded.cluster.RocketMQServer`); the same process for the whole session,
    started again if a test ended it, or another one where the mark ``mqcheck`` names settings.
    """
    from mqcheck.fixtures import server_of

    yield from server_of(request, _rocketmq_house)


@pytest.fixture
def rocketmq_cluster(
    request: pytest.FixtureRequest, _rocketmq_house: House
) -> Iterator[Callable[..., RocketMQCluster]]:
    """Makes clusters (`mqcheck.embedded.cluster.RocketMQCluster`): ``rocketmq_cluster(brokers=2, slaves=1,
    flush="SYNC_FLUSH", settings={…})``; what is left out is the mark's, or one broker and no slave.
    """
    from mqcheck.fixtures import clusters_of

    yield from clusters_of(request, _rocketmq_house)


@pytest.fixture
def rocketmq_faults(
    request: pytest.FixtureRequest, _rocketmq_house: House, rocketmq_cluster: Callable[..., RocketMQCluster]
) -> Iterator[Faults]:
    """Faults (`mqcheck.embedded.faults.RocketMQFaults`) for `rocketmq_server`; for a cluster: ``.on(cluster)``. All are
    healed at the end of the test.
    """
    from mqcheck.fixtures import faults_of

    yield from faults_of(request, _rocketmq_house)
