"""A call by aiortc: the caller may use relay candidates only, the other side has none.

Prints "N of N echoed" for the messages of a data channel; exits with 1 and says why where that is not so.
"""

import asyncio
import sys

from aiortc import RTCConfiguration, RTCIceServer, RTCIceTransportPolicy, RTCPeerConnection

MESSAGES = 20
PATIENCE_SECONDS = 20


async def call(url: str, username: str, password: str) -> int:
    caller = RTCPeerConnection(
        RTCConfiguration(
            iceServers=[RTCIceServer(urls=url, username=username, credential=password)],
            iceTransportPolicy=RTCIceTransportPolicy.RELAY,
        )
    )
    callee = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    echoed: list[str] = []
    done = asyncio.Event()

    @callee.on("datachannel")
    def on_datachannel(channel):
        channel.on("message", lambda text: channel.send(f"echo {text}"))

    channel = caller.createDataChannel("test")

    @channel.on("open")
    def on_open():
        for number in range(MESSAGES):
            channel.send(str(number))

    @channel.on("message")
    def on_message(text):
        echoed.append(text)
        if len(echoed) == MESSAGES:
            done.set()

    try:
        await caller.setLocalDescription(await caller.createOffer())
        offer = caller.localDescription
        if " typ relay" not in offer.sdp or " typ host" in offer.sdp:
            raise RuntimeError("the caller has no relay candidate alone:\n" + offer.sdp)
        await callee.setRemoteDescription(offer)
        await callee.setLocalDescription(await callee.createAnswer())
        await caller.setRemoteDescription(callee.localDescription)
        await asyncio.wait_for(done.wait(), PATIENCE_SECONDS)
    finally:
        await asyncio.gather(caller.close(), callee.close())
    return sum(text == f"echo {number}" for number, text in enumerate(echoed))


if __name__ == "__main__":
    count = asyncio.run(call(*sys.argv[1:4]))
    print(f"{count} of {MESSAGES} echoed")
    sys.exit(0 if count == MESSAGES else 1)
