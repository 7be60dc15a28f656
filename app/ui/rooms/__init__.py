"""The list of rooms, the room of the address, who is here and who is typing."""
