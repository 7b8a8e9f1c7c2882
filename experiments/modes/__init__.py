"""What the modes set, as TOML, and the arms."""
