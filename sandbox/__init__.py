"""Everything needed to try Easel without Discord or a key; none of it ships with the bot."""
