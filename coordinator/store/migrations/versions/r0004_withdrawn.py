"""Releases that were found to be bad: since when they are off offer, by whom and why."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_TEXTS = ("withdrawn_by", "withdrawn_why")


def upgrade() -> None:
    """Give packages what is said of their withdrawal."""
    op.add_column("package", sa.Column("withdrawn_at", sa.Float(), nullable=True))
    for name in _TEXTS:
        op.add_column("package", sa.Column(name, sa.String(), nullable=False, server_default=""))


def downgrade() -> None:
    """Forget it."""
    for name in (*_TEXTS, "withdrawn_at"):
        op.drop_column("package", name)
