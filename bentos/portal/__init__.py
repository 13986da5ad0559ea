"""What an operator's folder says of a portal: name, logo, colours, contacts and texts."""
