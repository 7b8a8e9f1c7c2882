"""The recipes that come with the package, as TOML files with the reason beside every value."""
