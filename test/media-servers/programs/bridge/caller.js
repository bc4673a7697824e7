/** Connects to a server that answers offers over HTTP, relayed, with a data channel. Resolves to the ufrag of the offer. */
globalThis.connectToBridge = async (server, iceServer) => {
  const connection = new RTCPeerConnection({ iceServers: [iceServer], iceTransportPolicy: "relay" });
  connection.createDataChannel("bridge");
  await exchange(connection, server);
  await new Promise((resolve, reject) => {
    connection.oniceconnectionstatechange = () => {
      if (["connected", "completed"].includes(connection.iceConnectionState)) resolve();
      if (connection.iceConnectionState === "failed") reject(new Error("ICE failed"));
    };
  });
  return /^a=ice-ufrag:(\S+)/m.exec(connection.localDescription.sdp)[1];
};
