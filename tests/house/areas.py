"""The picture of the house as two tables: who may import whom, and where each library lives."""

from tests.house.source import within

AREAS: dict[str, tuple[str, ...]] = {
    # what both sides read: pure, the standard library only
    "contract": tuple(
        f"agent.wire.{name}"
        for name in (
            "bounds",
            "codec",
            "codes",
            "contract",
            "enrolment",
            "manifest",
            "notices",
            "observed",
            "parts",
            "profile",
            "profile_kinds",
            "profile_lines",
            "profile_reader",
            "profile_values",
            "terms",
            "words",
        )
    ),
    "versions": ("agent.wire.versions",),  # pure too, on the one library that compares them
    "wire": ("agent.wire",),
    # what a package's paths may be: the coordinator judges by the code that will unpack it
    "paths": ("agent.package_paths", "agent.extract", "agent.zip_bounds"),
    "platforms": ("agent.platforms",),
    "system": ("agent.platforms.base", "agent.platforms.desktop"),
    "step table": ("agent.steps.table",),
    "steps": ("agent.steps",),
    "cordon": (
        "agent.cordon",
        "agent.cordon_block",
        "agent.cordon_code",
        "agent.cordon_notice",
        "agent.cordon_open",
        "agent.cordon_record",
        "agent.cordon_unit",
        "agent.look",
    ),
    "runner": ("agent.runner", "agent.run", "agent.orders", "agent.work"),
    "packages": (
        "agent.packages",
        "agent.trusted",
        "agent.assembly",
        "agent.bulk",
        "agent.download",
        "agent.rate",
        "agent.reuse",
        "agent.transfer",
    ),
    "uplink": ("agent.uplink", "agent.uplink_status"),
    # the program in a user's desktop, and what the service says to it
    "desktop's words": ("agent.session.messages",),
    "desktop": ("agent.session",),
    "agent's ground": ("agent",),  # journal, records, configuration, keys
    "whole agent": (
        "agent.__main__",
        "agent.agent",
        "agent.commands",
        "agent.housekeeping",
        "agent.leaving",
        "agent.service",
        "agent.standing",
    ),
    # the coordinator, from what only decides to what sees everything
    "model": ("coordinator.model",),
    "planning": ("coordinator.planning",),
    "states": ("coordinator.walk.states",),
    "ports": ("coordinator.walk.ports",),
    "policy": ("coordinator.walk.led", "coordinator.walk.policy", "coordinator.walk.sessions"),
    "walk": ("coordinator.walk",),
    "coordinator's ground": ("coordinator",),  # settings, folders, access, complaints
    "enrolment book": ("coordinator.fleet.enrolment_book",),
    "store": ("coordinator.store",),
    "fleet": ("coordinator.fleet",),
    "releases": ("coordinator.releases",),
    "notify": ("coordinator.notify",),
    "report": ("coordinator.report",),
    "engine": ("coordinator.engine",),
    "api": ("coordinator.api",),
    "api's client": (
        "coordinator.api.asks",
        "coordinator.api.backup_schemas",
        "coordinator.api.client",
        "coordinator.api.finding_schemas",
        "coordinator.api.line",
        "coordinator.api.key_schemas",
        "coordinator.api.licence_schemas",
        "coordinator.api.mail_schemas",
        "coordinator.api.record_schemas",
        "coordinator.api.plan_schemas",
        "coordinator.api.roles",
        "coordinator.api.schemas",
        "coordinator.api.staging_schemas",
        "coordinator.api.tidy_schemas",
        "coordinator.api.withdraw_schemas",
        "coordinator.cli.output",
        "coordinator.cli.talk",
    ),
    "cli": ("coordinator.cli",),
    "web": ("coordinator.web",),
    "standin": ("coordinator.standin",),
    # what runs on the coordinator's own machine: the daemon, its set-up, signing, profiles
    "own machine": (
        "coordinator.service",
        "coordinator.serving",
        "coordinator.cli.init",
        "coordinator.cli.profile",
        "coordinator.cli.serve",
        "coordinator.daily",
        "coordinator.tidier",
        "coordinator.fences",
        "coordinator.https",
        "coordinator.lookout",
        "coordinator.ceremony",
        "coordinator.freshness",
        "coordinator.unlocked",
        "coordinator.papers",
        "coordinator.setup",
        "coordinator.signed_before",
        "coordinator.signing",
        "coordinator.supplies",
        "coordinator.upkeep",
    ),
    "demo": (
        "coordinator.cli.demo",
        "coordinator.cli.demo_drafts",
        "coordinator.cli.demo_office",
        "coordinator.cli.demo_processes",
        "coordinator.cli.demo_show",
        "coordinator.cli.demo_troubles",
        "coordinator.cli.demo_witness",
        "coordinator.cli.demo_workstation",
    ),
}

_PURE = {"contract", "versions", "model", "states", "ports"}
_AGENT_GROUND = {"contract", "versions", "wire", "paths", "system", "step table", "agent's ground"}
_AGENT_GROUND |= {"desktop's words"}
_RIM = _PURE | {"wire", "walk", "policy", "planning", "coordinator's ground", "enrolment book"}
_COORDINATOR = _PURE | {"wire", "paths"}
_COORDINATOR |= {area for area in AREAS if AREAS[area][0].startswith("coordinator")}

MAY_IMPORT: dict[str, set[str]] = {
    "contract": set(),
    "versions": {"contract"},
    "wire": {"contract"},
    "paths": {"contract"},
    "system": {"contract"},
    "platforms": {"contract", "system"},
    "step table": {"contract", "system"},
    "agent's ground": _AGENT_GROUND,
    "steps": _AGENT_GROUND,
    "cordon": _AGENT_GROUND,
    "packages": _AGENT_GROUND,
    "runner": _AGENT_GROUND | {"steps"},
    "uplink": _AGENT_GROUND | {"runner", "cordon"},
    "whole agent": {area for area in AREAS if AREAS[area][0].startswith("agent")},
    # started anew in each session, and awaited: it loads no more than it needs
    "desktop's words": {"contract"},
    "desktop": {"contract", "desktop's words"},
    "model": {"contract"},
    "states": {"contract"},
    "ports": {"contract", "model", "states"},
    "policy": _PURE,
    "planning": _PURE | {"policy"},
    "walk": _PURE | {"policy"},
    "coordinator's ground": {"contract", "versions", "wire", "model"},
    "enrolment book": _PURE,
    "store": _RIM,
    "fleet": _RIM | {"store"},
    "releases": _RIM | {"store", "paths"},
    "notify": _RIM | {"store", "report"},
    "report": _RIM | {"store", "api's client"},
    "engine": _RIM | {"store"},
    "api's client": _PURE | {"wire", "enrolment book", "coordinator's ground"},
    "api": _RIM
    | {"engine", "store", "releases", "fleet", "notify", "report", "api's client", "paths"},
    "cli": _PURE
    | {
        "wire",
        "enrolment book",
        "api's client",
        "coordinator's ground",
        "own machine",
        "demo",
        "report",
    },
    "web": _PURE | {"wire", "api's client", "coordinator's ground"},
    "standin": set(),
    "own machine": _COORDINATOR - {"cli", "web", "demo", "standin"},
    "demo": _COORDINATOR,
}

HOMES: dict[str, tuple[str, ...]] = {
    "Pyro5": ("agent.wire",),
    "psutil": ("agent.platforms",),
    "cryptography": (
        "agent.enrol",
        "agent.keys",
        "agent.sealed",  # backups at rest
        "agent.wire.tls",
        "coordinator.fleet.ca",
        "coordinator.fleet.certificates",
        "coordinator.releases.keys",
    ),
    "tuf": ("agent.trusted", "coordinator.releases"),
    "securesystemslib": ("coordinator.releases",),
    "zstandard": ("agent.wire.zstd",),
    "urllib3": (
        "agent.wire.mirror",
        "agent.wire.https",
        "agent.wire.https_errors",
        "coordinator.releases.web",
    ),
    "packaging": ("agent.wire.versions",),
    "Xlib": ("agent.session",),
    "tkinter": ("agent.session",),  # the service itself never touches a window
    "sqlalchemy": ("coordinator.store", "coordinator.engine"),  # the engine: one transaction
    "alembic": ("coordinator.store",),
    "dbos": ("coordinator.engine",),
    "starlette": (
        "coordinator.api",
        "coordinator.fleet.door",
        "coordinator.https",
        "coordinator.releases.bulk",
        "coordinator.service",
    ),
    "h11": ("coordinator.https",),
    "uvicorn": ("coordinator.api", "coordinator.https", "coordinator.service"),
    "pydantic": ("coordinator.api", "coordinator.cli.output", "coordinator.cli.talk"),
    "typer": ("coordinator.cli",),
    "click": ("coordinator.cli",),  # typer's own errors
    "rich": ("coordinator.cli", "coordinator.report"),
    "tabulate": ("coordinator.cli", "coordinator.report"),
    "jinja2": ("coordinator.notify", "coordinator.report", "coordinator.web"),
    "platformdirs": ("coordinator.settings", "coordinator.folders"),
}


def area_of(module: str) -> str:
    """Return the area with the longest name that the module is within."""
    rows = [(prefix, area) for area, prefixes in AREAS.items() for prefix in prefixes]
    return max((row for row in rows if within(module, row[0])), key=lambda row: len(row[0]))[1]
