"""The list of rooms, the room in the address, presence and typing."""
