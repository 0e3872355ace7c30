"""The operator's page and /metrics, on a listener of their own.

It owns who may look and what is seen; it never changes anything, and it never shows a prompt, a
name, or a picture that was not made in the open.
"""
