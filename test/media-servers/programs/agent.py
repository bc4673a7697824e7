"""A voice agent on aiortc: what it hears and sees it sends back, from a pod's own addresses alone.

POST /api/offer with {"sdp", "type"} is answered in the same form, as Pipecat's SmallWebRTCTransport has it; GET / says that it
is ready. On SIGTERM it takes no further calls, and ends with the last one.
"""

import asyncio
import json
import signal

from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.contrib.media import MediaRelay

PORT = 7860
HEADERS = "Access-Control-Allow-Origin: *\r\nAccess-Control-Allow-Headers: *\r\nConnection: close\r\n"

calls = set()
is_stopping = False
relay = MediaRelay()


def end_with_the_last():
    if is_stopping and not calls:
        loop.stop()


async def answer(offer):
    call = RTCPeerConnection()
    calls.add(call)

    @call.on("track")
    def on_track(track):
        call.addTrack(relay.subscribe(track))

    @call.on("connectionstatechange")
    async def on_state():
        if call.connectionState in ("failed", "closed"):
            await call.close()
            calls.discard(call)
            end_with_the_last()

    await call.setRemoteDescription(RTCSessionDescription(offer["sdp"], offer["type"]))
    await call.setLocalDescription(await call.createAnswer())
    return {"sdp": call.localDescription.sdp, "type": call.localDescription.type}


async def serve(reader, writer):
    try:
        method, path, _ = (await reader.readline()).decode().split(" ", 2)
        length = 0
        while (line := (await reader.readline()).decode().strip()) != "":
            name, _, value = line.partition(":")
            if name.lower() == "content-length":
                length = int(value)
        body = b""
        if method == "POST" and path == "/api/offer":
            body = json.dumps(await answer(json.loads(await reader.readexactly(length)))).encode()
        writer.write(f"HTTP/1.1 200 OK\r\n{HEADERS}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()
    finally:
        writer.close()


def stop():
    global is_stopping
    is_stopping = True
    end_with_the_last()


loop = asyncio.new_event_loop()
loop.add_signal_handler(signal.SIGTERM, stop)
loop.run_until_complete(asyncio.start_server(serve, None, PORT))
loop.run_forever()
