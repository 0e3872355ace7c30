"""A stand-in for Discord on real sockets: REST, gateway, interaction webhooks and CDN on loopback.

It owns nothing but the package; `server.Wirecord` is the door, `launch` starts the bot against it.
"""
