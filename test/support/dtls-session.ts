/** DTLS sessions that are up, in memory, with both of their ends. */
import { DtlsServer, type DtlsSession } from "../../src/dataplane/openssl/dtls-server.ts";
import { makeCertificate } from "./certificate.ts";
import { DtlsClient } from "../../src/turn-client/dtls-client.ts";

export const newDtlsServer = (): DtlsServer => {
  const { certificate, key } = makeCertificate();
  return new DtlsServer(
    { first: { certificate: Buffer.from(certificate), key: Buffer.from(key) }, further: [] },
    () => false,
  );
};

export const CLIENT = "192.0.2.1 9";

/** A session that is up, what it has delivered, and the client at its other end. */
interface Established {
  readonly client: DtlsClient;
  readonly session: DtlsSession;
  readonly delivered: string[];
}

/** The datagrams that a client says in a handshake, and the session that comes of it. */
export const establish = (server: DtlsServer, ciphers?: string): Established & { readonly said: readonly Buffer[] } => {
  const client = new DtlsClient(ciphers === undefined ? {} : { ciphers });
  const delivered: string[] = [];
  const said: Buffer[] = [];
  const toClient: Buffer[] = [];
  const owner = {
    send: (bytes: Buffer) => void toClient.push(bytes),
    record: (bytes: Buffer) => void delivered.push(bytes.toString("latin1")),
  };
  let session: DtlsSession | undefined;
  const toServer = [...client.advance()];
  while (!(client.isEstablished && session?.isEstablished === true)) {
    const datagram = toServer.shift();
    if (datagram !== undefined) {
      said.push(datagram);
      if (session === undefined) {
        session = server.greet(datagram, CLIENT, owner);
        session?.advance();
      } else session.receive(datagram);
    }
    const answer = toClient.shift();
    if (answer !== undefined) toServer.push(...client.advance(answer));
    else if (toServer.length === 0 && datagram === undefined) throw new Error("the handshake does not end");
  }
  return { client, session, delivered, said };
};
