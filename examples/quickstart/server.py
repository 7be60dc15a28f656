import asyncio

from websockets.asyncio.server import broadcast, serve


async def handle(connection):
    async for text in connection:
        if text == "ping":
            await connection.send("pong")  # by this line the page notices a half-open connection
        else:
            broadcast(connection.server.connections, text)


async def main():
    async with serve(handle, "localhost", 8765) as server:
        await server.serve_forever()


asyncio.run(main())
