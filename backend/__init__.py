"""Kizuna's server side: the same handlers on one machine (SQLite) and on AWS (API Gateway, Lambda, DynamoDB).

Of the page's code it imports :mod:`chat.protocol` alone, which is the wire that both sides share.
"""
