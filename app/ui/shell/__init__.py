"""What stands around the chat: title, screens, notices, announcements, the splash."""
