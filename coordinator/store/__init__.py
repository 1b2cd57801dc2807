"""What the coordinator remembers, as people see it: the only home of SQLAlchemy and Alembic."""
