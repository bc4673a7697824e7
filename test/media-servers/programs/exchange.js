/** Offers what `connection` has to a server that answers offers over HTTP, once all candidates are known; takes the answer. */
globalThis.exchange = async (connection, server) => {
  await connection.setLocalDescription();
  await new Promise((resolve) => {
    connection.onicegatheringstatechange = () => {
      if (connection.iceGatheringState === "complete") resolve();
    };
  });
  const body = JSON.stringify(connection.localDescription);
  const answer = await fetch(`${server}/api/offer`, { method: "POST", body });
  await connection.setRemoteDescription(await answer.json());
};
