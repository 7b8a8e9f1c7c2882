"""The shipped settings, one TOML file each."""
