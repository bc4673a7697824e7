/** Connects to a server that answers offers over HTTP, relayed, with a data channel. Resolves to the ufrag of the offer. */
globalThis.connectToBridge = async (server, iceServer) => {
  const connection = new RTCPeerConnection({ iceServers: [iceServer], iceTransportPolicy: "relay" });
  connection.createDataChannel("bridge");
  await connection.setLocalDescription();
  await new Promise((resolve) => {
    connection.onicegatheringstatechange = () => {
      if (connection.iceGatheringState === "complete") resolve();
    };
  });
  const body = JSON.stringify(connection.localDescription);
  const answer = await fetch(`${server}/api/offer`, { method: "POST", body });
  await connection.setRemoteDescription(await answer.json());
  await new Promise((resolve, reject) => {
    connection.oniceconnectionstatechange = () => {
      if (["connected", "completed"].includes(connection.iceConnectionState)) resolve();
      if (connection.iceConnectionState === "failed") reject(new Error("ICE failed"));
    };
  });
  return /^a=ice-ufrag:(\S+)/m.exec(connection.localDescription.sdp)[1];
};
