"""The domain tables. Times are seconds since 1970; structured values are JSON text.

The engine keeps its own tables beside these, in the same database: theirs say where to resume,
ours are what people see.
"""

from sqlalchemy import Column, Float, Integer, MetaData, String, Table, Text, UniqueConstraint

metadata = MetaData()

setting = Table(
    "setting",
    metadata,
    Column("key", String, primary_key=True),
    Column("value", String, nullable=False),
)

host = Table(
    "host",
    metadata,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False, index=True),
    Column("site", String, nullable=False),
    Column("grp", String, nullable=False),
    Column("role", String, nullable=False),
    Column("ord", Integer, nullable=False),
    Column("standing", String, nullable=False),
    Column("reason", String, nullable=False, default=""),
    Column("serial", String, nullable=False, default=""),
    Column("enrolled_at", Float, nullable=False),
    Column("seen_at", Float, nullable=False, default=0.0),
)

enrol_token = Table(
    "enrol_token",
    metadata,
    Column("hash", String, primary_key=True),
    Column("data", Text, nullable=False),
    Column("uses_left", Integer, nullable=False),
    Column("expires", Float, nullable=False),
)

enrol_request = Table(
    "enrol_request",
    metadata,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("state", String, nullable=False),
    Column("at", Float, nullable=False),
    Column("proof", String, nullable=False, index=True),
    Column("data", Text, nullable=False),
)

operator = Table(
    "operator",
    metadata,
    Column("name", String, primary_key=True),
    Column("role", String, nullable=False),
    Column("token_hash", String, nullable=False, unique=True),
    Column("made_at", Float, nullable=False),
    Column("mail", String, nullable=False, server_default=""),
)

audit = Table(
    "audit",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("at", Float, nullable=False),
    Column("who", String, nullable=False),
    Column("what", String, nullable=False),
    Column("detail", Text, nullable=False),
)

package = Table(
    "package",
    metadata,
    Column("target", String, primary_key=True),
    Column("sha256", String, nullable=False),
    Column("app", String, nullable=False),
    Column("version", String, nullable=False),
    Column("role", String, nullable=False),
    Column("system", String, nullable=False),
    Column("size", Integer, nullable=False),
    Column("state", String, nullable=False),
    Column("added_by", String, nullable=False),
    Column("at", Float, nullable=False),
    Column("notes", Text, nullable=False, default=""),
    Column("withdrawn_at", Float),  # None = on offer, or never signed
    Column("withdrawn_by", String, nullable=False, server_default=""),
    Column("withdrawn_why", String, nullable=False, server_default=""),
)

plan = Table(
    "plan",
    metadata,
    Column("id", String, primary_key=True),
    Column("number", Integer, nullable=False, unique=True),
    Column("at", Float, nullable=False),
    Column("data", Text, nullable=False),
)

rollout = Table(
    "rollout",
    metadata,
    Column("id", String, primary_key=True),
    Column("number", Integer, nullable=False, unique=True),
    Column("app", String, nullable=False),
    Column("version", String, nullable=False),
    Column("site", String, nullable=False),
    Column("grp", String, nullable=False),
    Column("plan", Text, nullable=False),
    Column("state", String, nullable=False),
    Column("detail", String, nullable=False, default=""),
    Column("mend", String, nullable=False, default=""),
    Column("since", Float, nullable=False),
    Column("epoch", Integer, nullable=False, default=0),
    Column("started_by", String, nullable=False),
    Column("started", Float, nullable=False),
    Column("ended", Float),
)

visit = Table(
    "visit",
    metadata,
    Column("rollout", String, primary_key=True),
    Column("host", String, primary_key=True),
    Column("place", Integer, nullable=False),
    Column("state", String, nullable=False),
    Column("detail", String, nullable=False, default=""),
    Column("since", Float, nullable=False),
    Column("began", Float),
    Column("ended", Float),
)

step_run = Table(
    "step_run",
    metadata,
    Column("step_id", String, primary_key=True),
    Column("direction", String, primary_key=True),
    Column("rollout", String, nullable=False, index=True),
    Column("host", String, nullable=False),
    Column("step", String, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("state", String, nullable=False),
    Column("started", Float, nullable=False),
    Column("ended", Float),
    Column("bytes_done", Integer, nullable=False, default=0),
    Column("bytes_total", Integer, nullable=False, default=0),
    Column("detail", String, nullable=False, default=""),
    Column("facts", Text, nullable=False, default="{}"),
    Column("findings", Text, nullable=False, default="[]"),
)

command = Table(
    "command",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("rollout", String, nullable=False, index=True),
    Column("verb", String, nullable=False),
    Column("host", String, nullable=False, default=""),
    Column("said_by", String, nullable=False, default=""),
    Column("until", Float, nullable=False, default=0.0),
    Column("at", Float, nullable=False),
)

cordon = Table(
    "cordon",
    metadata,
    Column("host", String, primary_key=True),
    Column("rollout", String, nullable=False),
    Column("mode", String, nullable=False),
    Column("code", String, nullable=False),  # one-time; the host has its salted hash only
    Column("salt", String, nullable=False),
    Column("code_hash", String, nullable=False),
    Column("opened", Integer, nullable=False, default=0),  # 1 = opened on the spot
)

news = Table(
    "news",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("rollout", String, nullable=False, index=True),
    Column("at", Float, nullable=False),
    Column("state", String, nullable=False),
    Column("host", String, nullable=False, default=""),
    Column("host_state", String, nullable=False, default=""),
    Column("detail", String, nullable=False, default=""),
    Column("mend", String, nullable=False, default=""),
    UniqueConstraint("rollout", "number"),
)

mail = Table(
    "mail",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("rollout", String, nullable=False, index=True),
    Column("event", String, nullable=False),  # state, what it asks, operators' words heard
    Column("recipient", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("detail", String, nullable=False),
    Column("mend", String, nullable=False),
    Column("message_id", String, nullable=False),  # the same at each try
    Column("state", String, nullable=False, index=True),
    Column("at", Float, nullable=False),
    Column("next_try", Float, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("ended", Float),  # sent, or given up
    Column("problem", String, nullable=False),
)

staging = Table(
    "staging",
    metadata,
    Column("id", String, primary_key=True),
    Column("number", Integer, nullable=False, unique=True),
    Column("app", String, nullable=False, index=True),
    Column("version", String, nullable=False),
    Column("by", String, nullable=False),
    Column("made", Float, nullable=False),
    Column("not_before", Float, nullable=False),
    Column("hours", String, nullable=False),
    Column("rate", Integer, nullable=False),
    Column("slots", Integer, nullable=False),
    Column("state", String, nullable=False, index=True),
    Column("ended", Float),
)

staged = Table(
    "staged",
    metadata,
    Column("staging", String, primary_key=True),
    Column("host", String, primary_key=True),
    Column("state", String, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("next_try", Float, nullable=False),
    Column("since", Float, nullable=False),
    Column("bytes_done", Integer, nullable=False, default=0),
    Column("bytes_total", Integer, nullable=False, default=0),
    Column("detail", String, nullable=False, default=""),
)
