"""What the benchmark of the library sends and receives; the page and the server import this file."""

#: 228 bytes of JSON without spaces, as a message of a chat.
MESSAGE = {
    "type": "message",
    "roomId": "general",
    "seq": 12345,
    "messageId": "0190b3c4-7d5e-7f10-8a9b1",
    "senderId": "id-of-murasaki",
    "senderName": "Murasaki",
    "content": "what one person writes to the others",
    "timestamp": 1800000000123,
    "epoch": "e1",
}
