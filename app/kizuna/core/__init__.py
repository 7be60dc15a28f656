"""The decisions, pure: events and a time in, commands out. No clock, no socket, no chance, no asyncio."""
