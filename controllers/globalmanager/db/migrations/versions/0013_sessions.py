"""Sessions of browsers, and the one-time codes that begin them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from globalmanager.db.columns import BigId, UtcDateTime

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sessions",
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("token_id", BigId, nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("last_seen_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["token_id"], ["tokens.id"], name=op.f("fk_sessions_token_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_sessions")),
    )
    op.create_index("ix_sessions_token_id", "sessions", ["token_id"])
    op.create_table(
        "login_codes",
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("token_id", BigId, nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["token_id"], ["tokens.id"], name=op.f("fk_login_codes_token_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_login_codes")),
    )
    op.create_index("ix_login_codes_token_id", "login_codes", ["token_id"])


def downgrade() -> None:
    op.drop_table("login_codes")
    op.drop_table("sessions")
