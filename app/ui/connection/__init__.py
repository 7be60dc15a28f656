"""The connection on the page: status pill, banner, countdown, "Try now"."""
