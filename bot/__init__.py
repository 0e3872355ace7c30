"""Easel: a Discord bot that turns /imagine and /remix into finished pictures."""
