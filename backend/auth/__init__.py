"""Identity and admission: tokens, tickets, bans, origins, and the endpoints that issue them."""
