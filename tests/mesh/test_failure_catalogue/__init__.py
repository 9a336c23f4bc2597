"""docs/failures.md, entry by entry: each failure is made to happen, and the log has the line that the page shows.

What a test expects (the status, the fields of the log line, and whose line it is) stands on the page and nowhere else.
No test depends on who is first: where two proxies know the same time, one of them is not told it.
"""
