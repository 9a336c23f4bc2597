"""What is measured, each a command; ratios and breakdowns from one run. None of it is a test."""
