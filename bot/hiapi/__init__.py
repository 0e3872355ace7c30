"""Easel's side of HiAPI's async task API: its bytes, its request allowance and its verdicts.

It owns everything that depends on that contract; it never touches the ledger or Discord. Inside
it `import hiapi` is the vendor's package (models, base errors); others write `from bot.hiapi
import wire, client, budget, verdict, faults`.
"""
