"""What things are: the schema on one page, small frozen values, and logic without input or output."""
