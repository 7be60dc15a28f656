"""Who somebody is and may come in: tokens, tickets, bans, origins, and the endpoints that issue them."""
