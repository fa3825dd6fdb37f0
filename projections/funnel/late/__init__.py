"""What became known of a period after its report was closed."""
