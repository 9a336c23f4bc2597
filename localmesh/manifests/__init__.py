"""YAML text -> typed, strict, frozen records that remember file, line and column."""
