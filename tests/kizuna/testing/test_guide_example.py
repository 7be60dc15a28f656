"""A number that all users share: the program, which has a module of its own in earnest, and five tests of it."""

from kizuna import connect


def open_counter(show, platform=None):
    counter = connect("wss://example.org/counter", platform=platform)
    counter.on_message(show)
    return counter


async def test_the_number_of_the_server_is_shown(kizuna_server, kizuna_platform):
    async with open_counter((shown := [0]).append, kizuna_platform):
        kizuna_server.broadcast(7)
        assert shown == [0, 7]


async def test_a_click_is_sent_and_answered(kizuna_server, kizuna_platform):
    kizuna_server.answer = lambda client, frame: frame + 1
    async with open_counter((shown := [0]).append, kizuna_platform) as counter:
        counter.send(7)
        await kizuna_platform.until(lambda: shown == [0, 8])


async def test_a_restart_of_the_server_is_survived(kizuna_server, kizuna_platform):
    async with open_counter(print, kizuna_platform) as counter:
        kizuna_server.drop_all()
        await kizuna_platform.connected(counter)


async def test_the_page_stays_connected_for_an_hour(kizuna_platform):
    async with open_counter(print, kizuna_platform) as counter:
        await kizuna_platform.advance(3600)
        assert counter.is_connected()


async def test_a_ban_is_final(kizuna_server, kizuna_platform):
    async with open_counter(print, kizuna_platform) as counter:
        kizuna_server.refuse(1008, "banned")
        assert counter.state.status == "rejected"
