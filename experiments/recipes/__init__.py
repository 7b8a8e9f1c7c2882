"""The recipes of the arms, as TOML: what they do not set is as in the default recipe."""
