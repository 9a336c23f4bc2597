"""What can be seen of a running mesh: its policies, traces, figures, and why a call was denied."""
