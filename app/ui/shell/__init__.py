"""The surroundings of the chat: title, screens, notices, announcements, splash."""
