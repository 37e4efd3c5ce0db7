"""What a call costs, with the receipt of how it was worked out."""
