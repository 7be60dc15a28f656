"""How the connection is shown: status pill, banner, countdown, "Try now"."""
