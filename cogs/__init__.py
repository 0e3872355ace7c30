"""Discord's side of every command: options into a request, outcomes into words, nothing else."""
