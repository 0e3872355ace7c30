"""Alembic's entry: runs the migrations on the connection that `bot.ledger.migrate` hands over.

It never opens a database of its own.
"""

from alembic import context

from bot.ledger import schema

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=schema.metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
