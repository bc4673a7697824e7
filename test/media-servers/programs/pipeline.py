"""A media server on GStreamer's webrtcbin: what it gets it takes out of RTP, packs again and sends back.

POST /api/offer with {"sdp", "type"} is answered in the same form. Candidates are the pod's own addresses, gathered by libnice,
with ports from KMS_MIN_PORT to KMS_MAX_PORT. On SIGTERM it takes no further calls, and ends with the last one.
"""

import json
import os
import re
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

PORT = 8888
CODECS = {"audio": ("OPUS", "opus", 48000), "video": ("VP8", "vp8", 90000)}

Gst.init(None)
loop = GLib.MainLoop()
lock = threading.Lock()
calls = set()
is_stopping = False


def end_with_the_last():
    if is_stopping and not calls:
        loop.quit()


class Call:
    def __init__(self):
        self.pipeline = Gst.Pipeline()
        self.webrtc = Gst.ElementFactory.make("webrtcbin")
        self.webrtc.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
        # Kept: webrtcbin loses its own when this one goes.
        self.agent = self.webrtc.get_property("ice-agent")
        self.agent.set_property("min-rtp-port", int(os.environ["KMS_MIN_PORT"]))
        self.agent.set_property("max-rtp-port", int(os.environ["KMS_MAX_PORT"]))
        self.pipeline.add(self.webrtc)
        self.gathered = threading.Event()
        self.inputs = {}
        self.webrtc.connect("pad-added", self.on_pad)
        self.webrtc.connect("notify::ice-gathering-state", self.on_gathering)
        self.webrtc.connect("notify::connection-state", self.on_state)

    def on_gathering(self, webrtc, _):
        if webrtc.get_property("ice-gathering-state") == GstWebRTC.WebRTCICEGatheringState.COMPLETE:
            self.gathered.set()

    def on_state(self, webrtc, _):
        state = webrtc.get_property("connection-state")
        if state in (GstWebRTC.WebRTCPeerConnectionState.FAILED, GstWebRTC.WebRTCPeerConnectionState.CLOSED):
            GLib.idle_add(self.close)

    def close(self):
        self.pipeline.set_state(Gst.State.NULL)
        with lock:
            calls.discard(self)
        end_with_the_last()

    def on_pad(self, _, pad):
        if pad.direction == Gst.PadDirection.SRC:
            kind = pad.get_current_caps().get_structure(0).get_string("media")
            pad.link(self.inputs[kind].get_static_pad("sink"))

    def echo(self, kind, payload):
        """Sends what comes in of this kind, as this payload type."""
        name, short, rate = CODECS[kind]
        chain = Gst.parse_bin_from_description(
            f"rtp{short}depay ! queue ! rtp{short}pay pt={payload} ! "
            f"capsfilter caps=application/x-rtp,media={kind},encoding-name={name},payload={payload},clock-rate={rate}",
            True,
        )
        self.pipeline.add(chain)
        chain.link(self.webrtc)
        chain.sync_state_with_parent()
        self.inputs[kind] = chain

    def ask(self, signal_name, description):
        promise = Gst.Promise.new()
        self.webrtc.emit(signal_name, description, promise)
        promise.wait()
        return promise

    def answer(self, text):
        self.pipeline.set_state(Gst.State.PLAYING)
        _, message = GstSdp.SDPMessage.new_from_text(text)
        offer = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.OFFER, message)
        self.ask("set-remote-description", offer)
        sections = re.split(r"^(?=m=)", text, flags=re.MULTILINE)[1:]
        for index, section in enumerate(sections):
            kind = section[2:].split(" ", 1)[0]
            if kind in CODECS:
                self.echo(kind, re.search(rf"^a=rtpmap:(\d+) {CODECS[kind][0]}/", section, re.M | re.I).group(1))
            for candidate in re.findall(r"^a=(candidate:.*)$", section, flags=re.MULTILINE):
                self.webrtc.emit("add-ice-candidate", index, candidate.strip())
        # What a promise answers goes with it.
        promise = self.ask("create-answer", None)
        reply = promise.get_reply()
        self.ask("set-local-description", reply.get_value("answer"))
        self.gathered.wait()
        description = self.webrtc.get_property("local-description")
        return description.sdp.as_text()


class Signalling(BaseHTTPRequestHandler):
    def reply(self, code, body):
        self.send_response(code)
        self.send_header("Access-Control-Allow-Origin", "*")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.reply(200, b"ready")

    def do_POST(self):
        offer = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        call = Call()
        with lock:
            calls.add(call)
        try:
            self.reply(200, json.dumps({"type": "answer", "sdp": call.answer(offer["sdp"])}).encode())
        except Exception as error:
            call.close()
            self.reply(400, str(error).encode())


def stop():
    global is_stopping
    is_stopping = True
    end_with_the_last()
    return True


GLib.unix_signal_add(GLib.PRIORITY_DEFAULT, signal.SIGTERM, stop)
threading.Thread(target=ThreadingHTTPServer(("", PORT), Signalling).serve_forever, daemon=True).start()
loop.run()
