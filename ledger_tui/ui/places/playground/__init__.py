"""The playground: a prompt, values for its variables, and one to four models side by side."""
