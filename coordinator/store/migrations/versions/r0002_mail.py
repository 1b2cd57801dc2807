"""Mail: where operators have theirs, and what is still to be sent."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Give operators an address, and mail a table."""
    op.add_column("operator", sa.Column("mail", sa.String(), nullable=False, server_default=""))
    op.create_table(
        "mail",
        sa.Column("number", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("rollout", sa.String(), nullable=False),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("recipient", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.Column("mend", sa.String(), nullable=False),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("next_try", sa.Float(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("ended", sa.Float(), nullable=True),
        sa.Column("problem", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_index(op.f("ix_mail_rollout"), "mail", ["rollout"], unique=False)
    op.create_index(op.f("ix_mail_state"), "mail", ["state"], unique=False)


def downgrade() -> None:
    """Forget mail and addresses."""
    op.drop_table("mail")
    op.drop_column("operator", "mail")
