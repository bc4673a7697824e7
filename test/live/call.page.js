/**
 * Runs in the browser. A caller that may use relay candidates only calls a peer that has none: their packets can meet
 * at the relay alone. Resolves to what came through, and by which candidates.
 */
// oxlint-disable-next-line no-unused-vars -- called by the test
async function call(urls) {
  const caller = new RTCPeerConnection({
    iceServers: [{ urls, username: "user-1", credential: "pass-1" }],
    iceTransportPolicy: "relay",
  });
  const peer = new RTCPeerConnection();
  caller.onicecandidate = ({ candidate }) => candidate && peer.addIceCandidate(candidate);
  peer.onicecandidate = ({ candidate }) => candidate && caller.addIceCandidate(candidate);

  const studio = await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 320, height: 240 } });
  for (const track of studio.getTracks()) caller.addTrack(track, studio);
  const screen = document.createElement("video");
  peer.ontrack = ({ streams }) => {
    screen.srcObject = streams[0];
    void screen.play().catch(() => undefined);
  };
  peer.ondatachannel = ({ channel }) => {
    channel.onmessage = ({ data }) => channel.send(`echo ${data}`);
  };
  const echoed = [];
  const channel = caller.createDataChannel("test");
  channel.onopen = () => {
    for (const word of ["one", "two", "three"]) channel.send(word);
  };
  channel.onmessage = ({ data }) => echoed.push(String(data));

  await caller.setLocalDescription(await caller.createOffer());
  await peer.setRemoteDescription(caller.localDescription);
  await peer.setLocalDescription(await peer.createAnswer());
  await caller.setRemoteDescription(peer.localDescription);

  const result = { state: "", echoed, audioPackets: 0, audioEnergy: 0, videoFrames: 0 };
  for (let tries = 0; tries < 150; tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    result.state = caller.iceConnectionState;
    for (const report of (await peer.getStats()).values())
      if (report.type === "inbound-rtp" && report.kind === "audio") {
        result.audioPackets = report.packetsReceived;
        result.audioEnergy = report.totalAudioEnergy ?? 0;
      } else if (report.type === "inbound-rtp" && report.kind === "video")
        result.videoFrames = report.framesDecoded ?? 0;
    const through =
      echoed.length === 3 && result.audioPackets >= 100 && result.audioEnergy > 0 && result.videoFrames >= 20;
    if (through || result.state === "failed") break;
  }
  // A pair that is being checked anew is not "succeeded" at that moment.
  for (let tries = 0; tries < 50 && result.localCandidate === undefined; tries += 1) {
    if (tries > 0) await new Promise((resolve) => setTimeout(resolve, 100));
    const stats = await caller.getStats();
    for (const pair of stats.values())
      if (pair.type === "candidate-pair" && pair.nominated && pair.state === "succeeded") {
        const local = stats.get(pair.localCandidateId);
        result.localCandidate = local.candidateType;
        const host = local.address.replaceAll(/[[\]]/g, "");
        result.localAddress = host.includes(":") ? `[${host}]:${local.port}` : `${host}:${local.port}`;
        result.relayProtocol = local.relayProtocol;
        result.remoteCandidate = stats.get(pair.remoteCandidateId).candidateType;
      }
    if (result.state === "failed") break;
  }
  caller.close();
  peer.close();
  for (const track of studio.getTracks()) track.stop();
  return result;
}
