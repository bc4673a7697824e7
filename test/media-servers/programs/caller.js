/** Calls a server that answers offers over HTTP: audio and video both ways, relayed. */
globalThis.callServer = async (server, urls) => {
  const iceServers = [{ urls, username: "user-1", credential: "pass-1" }];
  const connection = new RTCPeerConnection({ iceServers, iceTransportPolicy: "relay" });
  const media = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
  for (const track of media.getTracks()) connection.addTrack(track, media);
  await exchange(connection, server);
};
